#include "ops/gemm/gemm.h"

#include <algorithm>

namespace sns {
namespace {

/// y [cols, rows] = xᵀ in square blocks, so that both sides are read and written in whole cache lines.
void transpose(const float* x, int64_t ldx, int64_t rows, int64_t cols, float* y, Parallel& parallel) {
  constexpr int64_t kBlock = 16;
  parallel_for(parallel, ceil_div(cols, kBlock), [&](int64_t t, int) {
    const int64_t c0 = t * kBlock, c1 = std::min(cols, c0 + kBlock);
    for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
      const int64_t r1 = std::min(rows, r0 + kBlock);
      for (int64_t c = c0; c < c1; ++c) {
        for (int64_t r = r0; r < r1; ++r) y[c * rows + r] = x[r * ldx + c];
      }
    }
  });
}

}  // namespace

size_t gemm_scratch(int64_t m, int64_t n, int64_t k, int threads) {
  Carver carver(nullptr);
  carver.take<unsigned char>(static_cast<int64_t>(LinearWeights::packed_bytes(n, k)));
  carver.take<float>(checked_mul(m, k, "gemm"));
  const size_t rest = linear_scratch(LinearWeights::shape(n, k), m, threads);
  carver.take<unsigned char>(static_cast<int64_t>(rest));
  return carver.bytes();
}

void gemm_cpu(const GemmArgs& g, void* scratch, Parallel& parallel) {
  if (g.m <= 0 || g.n <= 0) return;
  Carver carver(scratch);
  void* packed = carver.take<unsigned char>(static_cast<int64_t>(LinearWeights::packed_bytes(g.n, g.k)));
  float* turned = carver.take<float>(g.m * g.k);
  // W[o, i] = op(B)[i, o].
  const LinearWeights weights(g.b, g.transpose_b ? g.ldb : 1, g.transpose_b ? 1 : g.ldb, g.scale, g.n, g.k,
                              packed, parallel);
  LinearArgs linear;
  linear.rows = g.m;
  linear.x = g.a;
  linear.ldx = g.lda;
  if (g.transpose_a) {
    transpose(g.a, g.lda, g.k, g.m, turned, parallel);
    linear.x = turned;
    linear.ldx = g.k;
  }
  linear.y = g.c;
  linear.ldy = g.ldc;
  void* rest =
      carver.take<unsigned char>(static_cast<int64_t>(linear_scratch(weights, g.m, parallel.threads())));
  linear_cpu(weights, linear, rest, parallel);
}

}  // namespace sns
