#include <algorithm>

#include "core/memory.h"
#include "ops/bias_activation/bias_activation.h"

namespace sns {

// Float64 activations, one value at a time: beside the products that they stand between they cost little.

void bias_activation_cpu(const BiasActivationArgs& a, Parallel& parallel) {
  constexpr int64_t kChunk = 16;
  parallel_for(parallel, ceil_div(a.rows, kChunk), [&](int64_t t, int) {
    for (int64_t r = t * kChunk; r < std::min(a.rows, (t + 1) * kChunk); ++r) {
      for (int64_t c = 0; c < a.dim; ++c) {
        const int64_t i = r * a.dim + c;
        float z = a.x[i];
        if (a.bias) z += a.scale * a.bias[c];
        if (a.residual) z += a.residual[i];
        if (a.z) a.z[i] = z;
        a.y[i] = static_cast<float>(activate(a.activation, z));
      }
    }
  });
}

void bias_activation_grad_cpu(const BiasActivationGradArgs& a, Parallel& parallel) {
  constexpr int64_t kChunk = 16;
  parallel_for(parallel, ceil_div(a.segment_count, kChunk), [&](int64_t t, int) {
    for (int64_t s = t * kChunk; s < std::min(a.segment_count, (t + 1) * kChunk); ++s) {
      const Segment& segment = a.segments[s];
      const float share = 1.0f / static_cast<float>(segment.count);
      for (int64_t r = segment.first; r < segment.first + segment.count; ++r) {
        for (int64_t c = 0; c < a.dim; ++c) {
          float& z = a.z[r * a.dim + c];
          z = static_cast<float>(activate_slope(a.activation, z) * share * a.dy[s * a.dim + c]);
        }
      }
    }
  });
}

void bias_grad_cpu(const BiasGradArgs& a, Parallel& parallel) {
  constexpr int64_t kStrip = 64;
  parallel_for(parallel, ceil_div(a.dim, kStrip), [&](int64_t t, int) {
    double sum[kStrip] = {};
    const int64_t first = t * kStrip, n = std::min(kStrip, a.dim - first);
    for (int64_t r = 0; r < a.rows; ++r) {
      for (int64_t i = 0; i < n; ++i) sum[i] += a.x[r * a.dim + first + i];
    }
    for (int64_t i = 0; i < n; ++i) a.y[first + i] = static_cast<float>(a.scale * sum[i]);
  });
}

}  // namespace sns
