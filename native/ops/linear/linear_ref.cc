#include "ops/linear/linear.h"

namespace sns {

void linear_ref(const float* weight, const float* bias, int64_t out, int64_t in, const LinearArgs& args,
                double* y) {
  const int64_t period = args.residual_period > 0 ? args.residual_period : args.rows;
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias ? bias[o] : 0.0;
      for (int64_t i = 0; i < in; ++i) {
        sum += static_cast<double>(args.x[r * args.ldx + i]) * static_cast<double>(weight[o * in + i]);
      }
      double value = activate(args.activation, sum);
      if (args.residual) value += args.residual[(r % period) * args.ld_residual + o];
      y[r * out + o] = value;
    }
  }
}

}  // namespace sns
