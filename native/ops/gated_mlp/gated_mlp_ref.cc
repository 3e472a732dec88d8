#include <vector>

#include "ops/gated_mlp/gated_mlp.h"

namespace sns {

void gated_mlp_ref(const float* gate, const float* up, const float* down, int64_t in, int64_t hidden,
                   int64_t out, const GatedMlpArgs& args, double* y) {
  std::vector<double> h(static_cast<size_t>(hidden));
  for (int64_t r = 0; r < args.rows; ++r) {
    const float* x = args.x + r * args.ldx;
    for (int64_t j = 0; j < hidden; ++j) {
      double g = 0, u = 0;
      for (int64_t i = 0; i < in; ++i) {
        g += static_cast<double>(x[i]) * static_cast<double>(gate[j * in + i]);
        u += static_cast<double>(x[i]) * static_cast<double>(up[j * in + i]);
      }
      h[static_cast<size_t>(j)] = activate(args.activation, g) * u;
    }
    for (int64_t o = 0; o < out; ++o) {
      double sum = args.residual ? static_cast<double>(args.residual[r * args.ld_residual + o]) : 0.0;
      for (int64_t j = 0; j < hidden; ++j) {
        sum += h[static_cast<size_t>(j)] * static_cast<double>(down[o * hidden + j]);
      }
      y[r * out + o] = sum;
    }
  }
}

}  // namespace sns
