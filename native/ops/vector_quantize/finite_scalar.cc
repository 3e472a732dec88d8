#include <algorithm>
#include <cmath>

#include "ops/vector_quantize/finite_scalar.h"
#include "ops/vector_quantize/vector_quantize.h"

namespace sns {
namespace {

constexpr int64_t kMaxDim = kFiniteScalarMaxDim, kChunk = 256;

void validate(const int32_t* levels, int64_t dim) {
  if (dim < 1 || dim > kMaxDim) throw Error(Code::kInvalidArgument, "dim", "dim must be 1 to 16", kMaxDim);
  int64_t codes = 1;
  for (int64_t i = 0; i < dim; ++i) {
    if (levels[i] < 1) throw Error(Code::kInvalidArgument, "levels", "levels must be positive", 1);
    codes = checked_mul(codes, levels[i], "levels");
  }
}

template <class F>
void for_rows(Parallel& parallel, int64_t rows, F&& f) {
  parallel_for(parallel, ceil_div(rows, kChunk), [&](int64_t t, int) {
    for (int64_t r = t * kChunk; r < std::min(rows, (t + 1) * kChunk); ++r) f(r);
  });
}

}  // namespace

void fsq_encode_cpu(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                    Parallel& parallel) {
  validate(levels, dim);
  FiniteScalarBound bounds[kMaxDim];
  for (int64_t i = 0; i < dim; ++i) bounds[i] = finite_scalar_bound(levels[i]);
  for_rows(parallel, rows, [&](int64_t r) {
    int64_t id = 0, basis = 1;
    for (int64_t i = 0; i < dim; ++i) {
      const FiniteScalarBound& b = bounds[i];
      const double step = std::nearbyint(std::tanh(z[r * dim + i] + b.shift) * b.half - b.offset);
      // The 1+ε would round saturated values one step too far from 1001 levels on. A NaN becomes step 0.
      const double index = step + levels[i] / 2;
      const double top = levels[i] - 1;
      id += basis * static_cast<int64_t>(index > 0 ? std::min(index, top) : 0.0);
      basis *= levels[i];
    }
    ids[r] = id;
  });
}

void fsq_decode_cpu(const int32_t* levels, int64_t dim, const int64_t* ids, int64_t rows, float* y,
                    Parallel& parallel) {
  validate(levels, dim);
  for_rows(parallel, rows, [&](int64_t r) {
    int64_t rest = ids[r];
    for (int64_t i = 0; i < dim; ++i) {
      const int32_t half = levels[i] / 2;
      const int64_t index = rest % levels[i];
      rest /= levels[i];
      y[r * dim + i] = half == 0 ? 0.0f : static_cast<float>(index - half) / static_cast<float>(half);
    }
  });
}

}  // namespace sns
