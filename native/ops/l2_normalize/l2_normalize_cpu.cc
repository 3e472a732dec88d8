#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/l2_normalize/l2_normalize_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/l2_normalize/l2_normalize.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());

HWY_INLINE float Dot(const float* a, const float* b, int64_t dim) {
  const Floats d;
  const int64_t whole = dim / kLanes * kLanes, two = dim / (2 * kLanes) * (2 * kLanes);
  Vec s0 = hn::Zero(d), s1 = s0;
  int64_t i = 0;
  for (; i < two; i += 2 * kLanes) {
    s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, a + i + kLanes), hn::LoadU(d, b + i + kLanes), s1);
  }
  for (; i < whole; i += kLanes) s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < dim; ++i) sum += a[i] * b[i];
  return sum;
}

/// Squares that neither overflow nor lose digits to subnormals; the rest is left to float64.
HWY_INLINE bool Ordinary(float square) { return square > 1e-24f && square < 1e30f; }

HWY_INLINE double ExactDot(const float* a, const float* b, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

void NormalizeRows(const L2NormalizeArgs& a, int64_t begin, int64_t end) {
  const Floats d;
  const int64_t whole = a.dim / kLanes * kLanes;
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.x + r * a.ldx;
    float* y = a.y + r * a.ldy;
    const float square = Dot(x, x, a.dim);
    if (HWY_LIKELY(Ordinary(square))) {
      const float inverse = 1.0f / HWY_MAX(__builtin_sqrtf(square), a.eps);
      const Vec f = hn::Set(d, inverse);
      int64_t i = 0;
      for (; i < whole; i += kLanes) hn::StoreU(hn::Mul(hn::LoadU(d, x + i), f), d, y + i);
      for (; i < a.dim; ++i) y[i] = x[i] * inverse;
    } else {
      const double norm = __builtin_sqrt(ExactDot(x, x, a.dim));
      const double inverse = 1.0 / HWY_MAX(norm, static_cast<double>(a.eps));
      for (int64_t i = 0; i < a.dim; ++i) y[i] = static_cast<float>(x[i] * inverse);
    }
  }
}

void GradRows(const L2NormalizeArgs& a, const float* dy, int64_t lddy, int64_t begin, int64_t end) {
  const Floats d;
  const int64_t whole = a.dim / kLanes * kLanes;
  for (int64_t r = begin; r < end; ++r) {
    const float *x = a.x + r * a.ldx, *g = dy + r * lddy;
    float* dx = a.y + r * a.ldy;
    const float square = Dot(x, x, a.dim);
    if (HWY_LIKELY(Ordinary(square) && __builtin_sqrtf(square) > a.eps)) {
      const float inverse = 1.0f / __builtin_sqrtf(square);
      const float along = Dot(x, g, a.dim) / square;
      const Vec f = hn::Set(d, inverse), s = hn::Set(d, along);
      int64_t i = 0;
      for (; i < whole; i += kLanes) {
        const Vec left = hn::NegMulAdd(hn::LoadU(d, x + i), s, hn::LoadU(d, g + i));
        hn::StoreU(hn::Mul(left, f), d, dx + i);
      }
      for (; i < a.dim; ++i) dx[i] = (g[i] - x[i] * along) * inverse;
    } else {
      const double norm = __builtin_sqrt(ExactDot(x, x, a.dim));
      const bool projects = norm > static_cast<double>(a.eps);
      const double along = projects ? ExactDot(x, g, a.dim) / (norm * norm) : 0.0;
      const double inverse = 1.0 / (projects ? norm : static_cast<double>(a.eps));
      for (int64_t i = 0; i < a.dim; ++i) dx[i] = static_cast<float>((g[i] - x[i] * along) * inverse);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "backend/cpu/dispatch.h"
#include "core/checked.h"

namespace sns {
namespace {

/// Rows of one task: 128 KiB, worth waking a thread.
int64_t chunk_rows(int64_t dim) { return std::max<int64_t>(1, (int64_t{1} << 15) / dim); }

}  // namespace

void l2_normalize_cpu(const L2NormalizeArgs& a, Parallel& parallel) {
  if (a.dim == 0) return;
  const auto kernel = SNS_DISPATCH(NormalizeRows);
  const int64_t chunk = chunk_rows(a.dim);
  parallel_for(parallel, ceil_div(a.rows, chunk),
               [&](int64_t t, int) { kernel(a, t * chunk, std::min(a.rows, (t + 1) * chunk)); });
}

void l2_normalize_grad_cpu(const L2NormalizeArgs& a, const float* dy, int64_t lddy, Parallel& parallel) {
  if (a.dim == 0) return;
  const auto kernel = SNS_DISPATCH(GradRows);
  const int64_t chunk = chunk_rows(a.dim);
  parallel_for(parallel, ceil_div(a.rows, chunk),
               [&](int64_t t, int) { kernel(a, dy, lddy, t * chunk, std::min(a.rows, (t + 1) * chunk)); });
}

}  // namespace sns
#endif
