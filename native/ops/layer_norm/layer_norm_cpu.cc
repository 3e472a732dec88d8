#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/layer_norm/layer_norm_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/layer_norm/layer_norm.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());

HWY_INLINE float Sum(Vec v) {
  const Floats d;
  return hn::GetLane(hn::SumOfLanes(d, v));
}

// A row is read three times; after the first it is in the first-level cache.
void NormRows(const LayerNormArgs& a, int64_t begin, int64_t end) {
  const Floats d;
  const int64_t dim = a.dim, four = dim / (4 * kLanes) * (4 * kLanes), whole = dim / kLanes * kLanes;
  const float inverse = 1.0f / static_cast<float>(dim);
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.x + r * a.ldx;
    float* y = a.y + r * a.ldy;
    int64_t c = 0;
    Vec s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (; c < four; c += 4 * kLanes) {
      s0 = hn::Add(s0, hn::LoadU(d, x + c));
      s1 = hn::Add(s1, hn::LoadU(d, x + c + kLanes));
      s2 = hn::Add(s2, hn::LoadU(d, x + c + 2 * kLanes));
      s3 = hn::Add(s3, hn::LoadU(d, x + c + 3 * kLanes));
    }
    for (; c < whole; c += kLanes) s0 = hn::Add(s0, hn::LoadU(d, x + c));
    float sum = Sum(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
    for (; c < dim; ++c) sum += x[c];
    const float mean = sum * inverse;

    // Σ(x−mean)² and also Σ(x−mean), which would be 0 but for the rounding of `mean`: it corrects both the
    // mean and the variance, so a row far from zero loses nothing.
    const Vec m = hn::Set(d, mean);
    Vec q0 = hn::Zero(d), q1 = q0, e0 = q0, e1 = q0;
    c = 0;
    for (; c < whole - kLanes; c += 2 * kLanes) {
      const Vec t0 = hn::Sub(hn::LoadU(d, x + c), m), t1 = hn::Sub(hn::LoadU(d, x + c + kLanes), m);
      e0 = hn::Add(e0, t0);
      e1 = hn::Add(e1, t1);
      q0 = hn::MulAdd(t0, t0, q0);
      q1 = hn::MulAdd(t1, t1, q1);
    }
    for (; c < whole; c += kLanes) {
      const Vec t = hn::Sub(hn::LoadU(d, x + c), m);
      e0 = hn::Add(e0, t);
      q0 = hn::MulAdd(t, t, q0);
    }
    float error = Sum(hn::Add(e0, e1)), square = Sum(hn::Add(q0, q1));
    for (; c < dim; ++c) {
      const float t = x[c] - mean;
      error += t;
      square += t * t;
    }
    error *= inverse;
    const float variance = HWY_MAX(0.0f, square * inverse - error * error);
    const float factor = 1.0f / __builtin_sqrtf(variance + a.eps);

    const Vec f = hn::Set(d, factor), e = hn::Set(d, error);
    c = 0;
    if (a.beta) {
      for (; c < whole; c += kLanes) {
        const Vec n = hn::Mul(hn::Sub(hn::Sub(hn::LoadU(d, x + c), m), e), f);
        hn::StoreU(hn::MulAdd(n, hn::LoadU(d, a.gamma + c), hn::LoadU(d, a.beta + c)), d, y + c);
      }
    } else {
      for (; c < whole; c += kLanes) {
        const Vec n = hn::Mul(hn::Sub(hn::Sub(hn::LoadU(d, x + c), m), e), f);
        hn::StoreU(hn::Mul(n, hn::LoadU(d, a.gamma + c)), d, y + c);
      }
    }
    for (; c < dim; ++c) y[c] = (x[c] - mean - error) * factor * a.gamma[c] + (a.beta ? a.beta[c] : 0.0f);
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

void layer_norm_cpu(const LayerNormArgs& a, Parallel& parallel) {
  if (a.dim == 0) return;
  const auto kernel = SNS_DISPATCH(NormRows);
  const int64_t chunk = std::max<int64_t>(1, (int64_t{1} << 15) / a.dim);  // 128 KiB: worth waking a thread
  parallel_for(parallel, ceil_div(a.rows, chunk),
               [&](int64_t i, int) { kernel(a, i * chunk, std::min(a.rows, (i + 1) * chunk)); });
}

}  // namespace sns
#endif
