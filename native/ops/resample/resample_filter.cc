#include <cmath>
#include <numeric>
#include <string>

#include "core/status.h"
#include "ops/resample/resample.h"

namespace sns {
namespace {

constexpr double kZeroCrossings = 6, kRolloff = 0.99;
constexpr int64_t kMaxRate = int64_t{1} << 31;

int64_t checked_rate(int64_t rate, const char* field) {
  if (rate < 1 || rate >= kMaxRate) {
    throw Error(Code::kInvalidArgument, field, std::string(field) + " must be in [1, 2^31)");
  }
  return rate;
}

}  // namespace

ResampleFilter::ResampleFilter(int64_t orig_rate, int64_t target_rate) {
  checked_rate(orig_rate, "orig_rate");
  checked_rate(target_rate, "target_rate");
  const int64_t gcd = std::gcd(orig_rate, target_rate);
  orig_ = orig_rate / gcd;
  target_ = target_rate / gcd;
  const double orig = static_cast<double>(orig_), target = static_cast<double>(target_);
  const double base = kRolloff * static_cast<double>(std::min(orig_, target_));
  const double reach = kZeroCrossings * orig / base;  // input samples to either side of an output
  half_width_ = static_cast<int64_t>(std::ceil(reach));
  taps_per_phase_ = static_cast<int64_t>(std::floor(2 * reach)) + 1;
  if (orig_ == 1 && target_ == 1) return;  // resample_cpu copies
  // Neither factor passes 2^36, but their product may pass 64 bits.
  if (taps_per_phase_ > kMaxTaps || target_ > kMaxTaps / taps_per_phase_) {
    throw Error(Code::kLimitExceeded, "target_rate",
                "resampling " + std::to_string(orig_rate) + " to " + std::to_string(target_rate) +
                    " Hz needs more than " + std::to_string(kMaxTaps) + " filter taps",
                kMaxTaps);
  }
  taps_ = AlignedArray<float>(target_ * taps_per_phase_);
  first_ = AlignedArray<int64_t>(target_);
  for (int64_t p = 0; p < target_; ++p) {
    const double at = static_cast<double>(p) * orig / target;  // in input samples from the period's start
    first_[p] = static_cast<int64_t>(std::ceil(at - reach));
    for (int64_t i = 0; i < taps_per_phase_; ++i) {
      double t = (static_cast<double>(first_[p] + i) / orig - static_cast<double>(p) / target) * base;
      double tap = 0;
      if (std::abs(t) < kZeroCrossings) {
        const double c = std::cos(t * M_PI / kZeroCrossings / 2);
        t *= M_PI;
        tap = (t == 0 ? 1.0 : std::sin(t) / t) * c * c * base / orig;
      }
      taps_[p * taps_per_phase_ + i] = static_cast<float>(tap);
    }
  }
}

int64_t ResampleFilter::output_length(int64_t n) const {
  // ⌈target·n/orig⌉ without the product.
  const int64_t whole = n / orig_, rest = n % orig_;
  return checked_add(checked_mul(whole, target_, "samples"),
                     ceil_div(checked_mul(rest, target_, "samples"), orig_), "samples");
}

}  // namespace sns
