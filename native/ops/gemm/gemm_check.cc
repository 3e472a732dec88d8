#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "core/bfloat16.h"
#include "ops/gemm/gemm.h"

namespace sns {
namespace {

/// Runs one case; false if something around its scratch was touched.
using Kernel = std::function<bool(const GemmArgs& args)>;

/// bf16: the kernel rounds operands to bfloat16.
Parity random_case(uint64_t seed, bool bf16, const Kernel& kernel) {
  Random r(seed);
  const auto size = [&] { return r.coin() ? r.integer(0, 5) : r.integer(1, r.coin() ? 40 : 300); };
  GemmArgs g;
  g.m = size();
  g.n = size();
  g.k = size();
  g.transpose_a = r.coin();
  g.transpose_b = r.coin();
  g.scale = r.coin() ? 1 : static_cast<float>(r.normal());
  g.lda = (g.transpose_a ? g.m : g.k) + (r.coin() ? 0 : r.integer(1, 20));
  g.ldb = (g.transpose_b ? g.k : g.n) + (r.coin() ? 0 : r.integer(1, 20));
  g.ldc = g.n + (r.coin() ? 0 : r.integer(1, 20));
  // With a handful of outputs, or of factors that all outputs share, Σref² can come out near zero by
  // cancellation, and NMSE then says nothing of the kernel: their factors are positive. Nor does the bound of
  // bfloat16, a mean of roundings, hold for a handful: there they need no rounding.
  const bool few = g.m * g.n < 16 || std::min(g.m, g.n) * g.k < 64;
  const auto matrix = [&](int64_t rows, int64_t cols, int64_t ld) {
    std::vector<float> v(static_cast<size_t>(rows * ld), std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < rows; ++i) {
      const auto row = v.begin() + i * ld;
      r.fill_normal(row, row + cols);
      if (few) {
        std::transform(row, row + cols, row,
                       [&](float x) { return bf16 ? from_bf16(to_bf16(std::fabs(x))) : std::fabs(x); });
      }
    }
    return v;
  };
  const auto a = matrix(g.transpose_a ? g.k : g.m, g.transpose_a ? g.m : g.k, g.lda);
  const auto b = matrix(g.transpose_b ? g.n : g.k, g.transpose_b ? g.k : g.n, g.ldb);
  g.a = a.data();
  g.b = b.data();
  Guarded<float> c(g.m * g.ldc);
  g.c = c.data();
  std::vector<double> ref(static_cast<size_t>(g.m * g.n));
  gemm_ref(g, ref.data());
  const bool scratch_ok = kernel(g);
  Parity p;
  p.shape = std::to_string(g.m) + "×" + std::to_string(g.k) + (g.transpose_a ? "ᵀ" : "") + " · " +
            std::to_string(g.k) + "×" + std::to_string(g.n) + (g.transpose_b ? "ᵀ" : "");
  p.measure = "NMSE";
  p.error = nmse(c.data(), g.ldc, ref.data(), g.m, g.n);
  p.limit = kGemmNmse;
  p.guards_ok = c.rows_intact(g.m, g.n, g.ldc) && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  return random_case(seed, false, [&](const GemmArgs& g) {
    Guarded<unsigned char> scratch(static_cast<int64_t>(gemm_scratch(g.m, g.n, g.k, parallel.threads())));
    gemm_cpu(g, scratch.data(), parallel);
    return scratch.intact();
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  const bool fast = Random(~seed).coin();
  Parity p = random_case(seed, fast, [&](GemmArgs g) {
    CudaCase c(device);
    g.c = c.out(g.c, g.m, g.n, g.ldc);
    g.a = g.transpose_a ? c.in(g.a, g.k, g.m, g.lda) : c.in(g.a, g.m, g.k, g.lda);
    g.b = g.transpose_b ? c.in(g.b, g.n, g.k, g.ldb) : c.in(g.b, g.k, g.n, g.ldb);
    c.check(c.ops().gemm(g, 0, fast ? Precision::kFast : Precision::kStrict, c.stream()), "gemm");
    return c.done();
  });
  if (fast) {
    p.shape += ", bfloat16";
    p.limit = kLinearFastNmse;
  }
  return p;
}

Work work(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
  struct Bench {
    AlignedArray<float> a, b, c;
    AlignedArray<unsigned char> scratch;
  };
  auto x = std::make_shared<Bench>();
  x->a = AlignedArray<float>(m * k);
  x->b = AlignedArray<float>(n * k);
  x->c = AlignedArray<float>(m * n);
  Random r(1);
  r.fill_normal(x->a.begin(), x->a.end());
  r.fill_normal(x->b.begin(), x->b.end());
  Work w;
  w.shape = std::to_string(m) + "×" + std::to_string(k) + (transpose_a ? "ᵀ" : "") + " · " +
            std::to_string(k) + "×" + std::to_string(n) + (transpose_b ? "ᵀ" : "");
  w.flops = 2.0 * static_cast<double>(m * n) * static_cast<double>(k);
  w.bytes = 4.0 * static_cast<double>(m * k + n * k + m * n);
  w.run = [=](Parallel& parallel) {
    GemmArgs g;
    g.m = m;
    g.n = n;
    g.k = k;
    g.a = x->a.data();
    g.transpose_a = transpose_a;
    g.lda = transpose_a ? m : k;
    g.b = x->b.data();
    g.transpose_b = transpose_b;
    g.ldb = transpose_b ? k : n;
    g.c = x->c.data();
    g.ldc = n;
    const auto bytes = static_cast<int64_t>(gemm_scratch(m, n, k, parallel.threads()));
    if (x->scratch.size() < bytes) x->scratch = AlignedArray<unsigned char>(bytes);
    gemm_cpu(g, x->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() { return {work(1024, 1024, 512, false, true), work(512, 768, 1024, true, false)}; }

}  // namespace

OpCheck gemm_check() { return {"gemm", parity, works, cuda_parity}; }

}  // namespace sns
