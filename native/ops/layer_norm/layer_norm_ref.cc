#include <cmath>

#include "ops/layer_norm/layer_norm.h"

namespace sns {

void layer_norm_ref(const LayerNormArgs& a, double* y) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float* x = a.x + r * a.ldx;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < a.dim; ++c) mean += x[c];
    mean /= static_cast<double>(a.dim);
    for (int64_t c = 0; c < a.dim; ++c) variance += (x[c] - mean) * (x[c] - mean);
    variance /= static_cast<double>(a.dim);
    const double factor = 1 / std::sqrt(variance + static_cast<double>(a.eps));
    for (int64_t c = 0; c < a.dim; ++c) {
      y[r * a.dim + c] = (x[c] - mean) * factor * a.gamma[c] + (a.beta ? a.beta[c] : 0.0);
    }
  }
}

}  // namespace sns
