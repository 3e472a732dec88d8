#include "ops/bias_activation/bias_activation.h"

namespace sns {

void bias_activation_ref(const BiasActivationArgs& a, double* z, double* y) {
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t c = 0; c < a.dim; ++c) {
      const int64_t i = r * a.dim + c;
      z[i] = a.x[i];
      if (a.bias) z[i] += static_cast<double>(a.scale) * a.bias[c];
      if (a.residual) z[i] += a.residual[i];
      y[i] = activate(a.activation, z[i]);
    }
  }
}

void bias_activation_grad_ref(const BiasActivationGradArgs& a, double* dz) {
  for (int64_t s = 0; s < a.segment_count; ++s) {
    const Segment& segment = a.segments[s];
    for (int64_t r = segment.first; r < segment.first + segment.count; ++r) {
      for (int64_t c = 0; c < a.dim; ++c) {
        double& z = dz[r * a.dim + c];
        z = activate_slope(a.activation, z) * a.dy[s * a.dim + c] / static_cast<double>(segment.count);
      }
    }
  }
}

void bias_grad_ref(const BiasGradArgs& a, double* y) {
  for (int64_t c = 0; c < a.dim; ++c) {
    double sum = 0;
    for (int64_t r = 0; r < a.rows; ++r) sum += a.x[r * a.dim + c];
    y[c] = a.scale * sum;
  }
}

}  // namespace sns
