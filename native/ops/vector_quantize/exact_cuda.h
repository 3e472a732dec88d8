#pragma once

// exact.h on the device without contraction into fused multiply-adds, by one warp or by one lane.

#include "backend/cuda/kernel.h"
#include "ops/vector_quantize/nearest.h"

namespace sns::gpu {

/// Four chains, one a lane, as inverse_norm keeps them; every lane gets the result.
__device__ inline double inverse_norm_warp(const float* v, int64_t dim, int lane) {
  double sum = 0;
  for (int64_t i = lane; lane < 4 && i < dim; i += 4) {
    const double x = v[i];
    sum = add(sum, multiply(x, x));
  }
  const double s0 = __shfl_sync(0xFFFFFFFFu, sum, 0), s1 = __shfl_sync(0xFFFFFFFFu, sum, 1);
  const double s2 = __shfl_sync(0xFFFFFFFFu, sum, 2), s3 = __shfl_sync(0xFFFFFFFFu, sum, 3);
  const double norm = sqrt(add(add(s0, s1), add(s2, s3)));
  return 1.0 / (norm < 1e-12 ? 1e-12 : norm);
}
__device__ inline double exact(Nearness nearness, const float* x, double x_scale, const float* c,
                               double c_scale, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const double a = multiply(x[i], x_scale), b = multiply(c[i], c_scale);
    const double d = add(a, -b);
    sum = add(sum, nearness == Nearness::kDot ? multiply(a, b) : multiply(d, d));
  }
  return sum;
}

}  // namespace sns::gpu
