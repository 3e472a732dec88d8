#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rms_norm/rms_norm_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/rms_norm/rms_norm.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());

// All terms of Σx² are positive: four sums in fp32 lose nothing that matters.
void RmsNormRows(const RmsNormArgs& a, int64_t begin, int64_t end) {
  const Floats d;
  const int64_t dim = a.dim, four = dim / (4 * kLanes) * (4 * kLanes), whole = dim / kLanes * kLanes;
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.x + r * a.ldx;
    float* y = a.y + r * a.ldy;
    Vec s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    int64_t c = 0;
    for (; c < four; c += 4 * kLanes) {
      const Vec x0 = hn::LoadU(d, x + c), x1 = hn::LoadU(d, x + c + kLanes);
      const Vec x2 = hn::LoadU(d, x + c + 2 * kLanes), x3 = hn::LoadU(d, x + c + 3 * kLanes);
      s0 = hn::MulAdd(x0, x0, s0);
      s1 = hn::MulAdd(x1, x1, s1);
      s2 = hn::MulAdd(x2, x2, s2);
      s3 = hn::MulAdd(x3, x3, s3);
    }
    for (; c < whole; c += kLanes) {
      const Vec x0 = hn::LoadU(d, x + c);
      s0 = hn::MulAdd(x0, x0, s0);
    }
    float square = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
    for (; c < dim; ++c) square += x[c] * x[c];
    const float factor = 1.0f / __builtin_sqrtf(square / static_cast<float>(dim) + a.eps);
    const Vec f = hn::Set(d, factor);
    for (c = 0; c < whole; c += kLanes) {
      hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + c), f), hn::LoadU(d, a.gamma + c)), d, y + c);
    }
    for (; c < dim; ++c) y[c] = x[c] * factor * a.gamma[c];
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

void rms_norm_cpu(const RmsNormArgs& a, Parallel& parallel) {
  if (a.dim == 0) return;
  const auto kernel = SNS_DISPATCH(RmsNormRows);
  const int64_t chunk = std::max<int64_t>(1, (int64_t{1} << 15) / a.dim);  // 128 KiB: worth waking a thread
  parallel_for(parallel, ceil_div(a.rows, chunk),
               [&](int64_t i, int) { kernel(a, i * chunk, std::min(a.rows, (i + 1) * chunk)); });
}

}  // namespace sns
#endif
