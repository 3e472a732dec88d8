#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sns {

// The float64 arithmetic that decides ids. The oracle and the kernels' last step call the same functions, so
// that they agree to the last bit even where two codes differ by less than a float64 rounding.

/// 1/max(‖v‖, 1e-12), as torch.nn.functional.normalize divides.
inline double inverse_norm(const float* v, int64_t dim) {
  double sum[4] = {};  // four chains, so that the additions do not wait for each other
  for (int64_t i = 0; i < dim; ++i) sum[i % 4] += static_cast<double>(v[i]) * v[i];
  return 1.0 / std::max(std::sqrt((sum[0] + sum[1]) + (sum[2] + sum[3])), 1e-12);
}

/// ‖x·x_scale − c·c_scale‖².
inline double exact_distance(const float* x, double x_scale, const float* c, double c_scale, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const double d = x[i] * x_scale - c[i] * c_scale;
    sum += d * d;
  }
  return sum;
}

/// (x·x_scale)·(c·c_scale).
inline double exact_dot(const float* x, double x_scale, const float* c, double c_scale, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) sum += (x[i] * x_scale) * (c[i] * c_scale);
  return sum;
}

}  // namespace sns
