#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/finite/finite_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/finite/finite.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

bool AllFinite(const float* x, int64_t n) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(d));
  const auto zero = hn::Zero(d);
  constexpr int64_t kBlock = 16384;
  int64_t i = 0;
  // 0·x is 0, or NaN for what is not finite; a sum keeps the NaN.
  while (i + 4 * lanes <= n) {
    const int64_t end = n - i < kBlock ? n : i + kBlock;
    auto a = zero, b = zero, c = zero, e = zero;
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      a = hn::MulAdd(zero, hn::LoadU(d, x + i), a);
      b = hn::MulAdd(zero, hn::LoadU(d, x + i + lanes), b);
      c = hn::MulAdd(zero, hn::LoadU(d, x + i + 2 * lanes), c);
      e = hn::MulAdd(zero, hn::LoadU(d, x + i + 3 * lanes), e);
    }
    const auto sum = hn::Add(hn::Add(a, b), hn::Add(c, e));
    if (!hn::AllTrue(d, hn::Eq(sum, zero))) return false;
  }
  for (; i < n; ++i) {
    if (!(0.0f * x[i] == 0.0f)) return false;
  }
  return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/dispatch.h"

namespace sns {

int64_t first_non_finite(const float* x, int64_t n) {
  if (SNS_DISPATCH(AllFinite)(x, n)) return -1;
  for (int64_t i = 0;; ++i) {
    if (!(0.0f * x[i] == 0.0f)) return i;
  }
}

void check_finite(const std::string& field, const float* x, int64_t n, Code code) {
  const int64_t bad = first_non_finite(x, n);
  if (bad >= 0) {
    throw Error(code, field, field + ": element " + std::to_string(bad) + " is NaN or infinite");
  }
}

}  // namespace sns
#endif
