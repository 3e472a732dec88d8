#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/resample/resample.h"

namespace sns {

void resample_ref(int64_t orig_rate, int64_t target_rate, const float* x, int64_t n, double* y) {
  const int64_t gcd = std::gcd(orig_rate, target_rate);
  const int64_t orig = orig_rate / gcd, target = target_rate / gcd;
  if (orig == target) {
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<double>(x[i]);
    return;
  }
  const double base = 0.99 * static_cast<double>(std::min(orig, target));
  const int64_t width = static_cast<int64_t>(std::ceil(6.0 * static_cast<double>(orig) / base));
  const int64_t length = (n * target + orig - 1) / orig;
  for (int64_t o = 0; o < length; ++o) {
    const int64_t period = o / target, phase = o % target;
    double sum = 0;
    for (int64_t k = -width; k < width + orig; ++k) {
      const int64_t at = period * orig + k;
      if (at < 0 || at >= n) continue;
      double t = (static_cast<double>(k) / static_cast<double>(orig) -
                  static_cast<double>(phase) / static_cast<double>(target)) *
                 base;
      t = std::clamp(t, -6.0, 6.0);
      const double window = std::pow(std::cos(t * M_PI / 6.0 / 2.0), 2);
      t *= M_PI;
      const double sinc = t == 0 ? 1.0 : std::sin(t) / t;
      sum += sinc * window * base / static_cast<double>(orig) * static_cast<double>(x[at]);
    }
    y[o] = sum;
  }
}

}  // namespace sns
