#include <vector>

#include "ops/mlp/mlp.h"

namespace sns {

void mlp_ref(const float* up, const float* up_bias, const float* down, const float* down_bias, int64_t in,
             int64_t hidden, int64_t out, const MlpArgs& args, double* y) {
  std::vector<double> h(static_cast<size_t>(hidden));
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t j = 0; j < hidden; ++j) {
      double sum = up_bias ? up_bias[j] : 0.0;
      for (int64_t i = 0; i < in; ++i) {
        sum += static_cast<double>(args.x[r * args.ldx + i]) * static_cast<double>(up[j * in + i]);
      }
      h[static_cast<size_t>(j)] = activate(args.activation, sum);
    }
    for (int64_t o = 0; o < out; ++o) {
      double sum = down_bias ? down_bias[o] : 0.0;
      for (int64_t j = 0; j < hidden; ++j) {
        sum += h[static_cast<size_t>(j)] * static_cast<double>(down[o * hidden + j]);
      }
      y[r * out + o] =
          sum + (args.residual ? static_cast<double>(args.residual[r * args.ld_residual + o]) : 0.0);
    }
  }
}

}  // namespace sns
