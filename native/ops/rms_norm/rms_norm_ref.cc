#include <cmath>

#include "ops/rms_norm/rms_norm.h"

namespace sns {

void rms_norm_ref(const RmsNormArgs& a, double* y) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float* x = a.x + r * a.ldx;
    double square = 0;
    for (int64_t c = 0; c < a.dim; ++c) square += static_cast<double>(x[c]) * x[c];
    const double factor = 1 / std::sqrt(square / static_cast<double>(a.dim) + static_cast<double>(a.eps));
    for (int64_t c = 0; c < a.dim; ++c) y[r * a.dim + c] = x[c] * factor * a.gamma[c];
  }
}

}  // namespace sns
