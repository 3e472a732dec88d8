#include <algorithm>

#include "ops/vector_quantize/vector_quantize.h"

namespace sns {
namespace {

constexpr int64_t kChunk = 64;  // rows of one task

template <class F>
void for_rows(Parallel& parallel, int64_t rows, F&& f) {
  parallel_for(parallel, ceil_div(rows, kChunk), [&](int64_t t, int) {
    for (int64_t r = t * kChunk; r < std::min(rows, (t + 1) * kChunk); ++r) f(r);
  });
}

}  // namespace

size_t residual_quantize_scratch(const Codebook* stages, int64_t count, int64_t rows, int threads) {
  size_t search = 0;
  for (int64_t s = 0; s < count; ++s) search = std::max(search, nearest_scratch(stages[s].packed(), threads));
  Carver c(nullptr);
  c.take<float>(count > 0 ? checked_mul(rows, stages[0].dim(), "residual") : 0);
  return c.bytes() + search;
}

void residual_quantize_cpu(const Codebook* stages, int64_t count, const float* x, int64_t rows, int64_t ldx,
                           int64_t* ids, void* scratch, Parallel& parallel) {
  if (count < 1) return;
  const int64_t dim = stages[0].dim();
  for (int64_t s = 1; s < count; ++s) {
    if (stages[s].dim() != dim) {
      throw Error(Code::kInvalidShape, "stages", "all stages must have the same dimension", dim);
    }
  }
  Carver c(scratch);
  float* left = c.take<float>(checked_mul(rows, dim, "residual"));
  for (int64_t s = 0; s < count; ++s) {
    NearestArgs nearest;
    nearest.x = s == 0 ? x : left;
    nearest.rows = rows;
    nearest.ldx = s == 0 ? ldx : dim;
    nearest.ids = ids + s;
    nearest.id_stride = count;
    find_nearest(stages[s].packed(), nearest, static_cast<std::byte*>(scratch) + c.bytes(), parallel);
    if (s + 1 == count) break;
    for_rows(parallel, rows, [&](int64_t r) {
      const float* from = nearest.x + r * nearest.ldx;
      const float* code = stages[s].codes() + ids[r * count + s] * dim;
      float* to = left + r * dim;
      for (int64_t i = 0; i < dim; ++i) to[i] = from[i] - code[i];
    });
  }
}

void residual_decode_cpu(const Codebook* stages, int64_t count, const int64_t* ids, int64_t rows, float* y,
                         int64_t ldy, Parallel& parallel) {
  if (count < 1) return;
  const int64_t dim = stages[0].dim();
  for_rows(parallel, rows, [&](int64_t r) {
    float* to = y + r * ldy;
    const float* first = stages[0].codes() + ids[r * count] * dim;
    std::copy(first, first + dim, to);
    for (int64_t s = 1; s < count; ++s) {
      const float* code = stages[s].codes() + ids[r * count + s] * dim;
      for (int64_t i = 0; i < dim; ++i) to[i] += code[i];
    }
  });
}

}  // namespace sns
