#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/attention/attention.h"

namespace sns {

void attention_ref(const AttentionArgs& a, double* y) {
  const int64_t group = a.heads / a.kv_heads;
  const double none = -std::numeric_limits<double>::infinity();
  std::vector<double> score;
  for (int64_t s = 0; s < a.batch; ++s) {
    const int64_t k0 = a.cu_k[s], k1 = a.cu_k[s + 1];
    score.resize(static_cast<size_t>(k1 - k0));
    for (int64_t i = a.cu_q[s]; i < a.cu_q[s + 1]; ++i) {
      const int64_t end = a.causal ? k0 + i - a.cu_q[s] + 1 : k1;
      for (int64_t h = 0; h < a.heads; ++h) {
        const float* q = a.q + i * a.ldq + h * a.qk_dim;
        double* out = y + (i * a.heads + h) * a.v_dim;
        std::fill(out, out + a.v_dim, 0.0);
        double top = none;
        for (int64_t j = k0; j < end; ++j) {
          double dot = none;
          if (!a.key_mask || a.key_mask[j]) {
            const float* k = a.k + j * a.ldk + h / group * a.qk_dim;
            dot = 0;
            for (int64_t d = 0; d < a.qk_dim; ++d) dot += static_cast<double>(q[d]) * k[d];
            dot *= a.scale;
          }
          score[static_cast<size_t>(j - k0)] = dot;
          top = std::max(top, dot);
        }
        if (top == none) continue;
        double sum = 0;
        for (int64_t j = k0; j < end; ++j) {
          if (a.key_mask && !a.key_mask[j]) continue;  // its value may be anything, even NaN
          const double weight = a.key_weight ? static_cast<double>(a.key_weight[j]) : 1.0;
          const double p = weight * std::exp(score[static_cast<size_t>(j - k0)] - top);
          const float* v = a.v + j * a.ldv + h / group * a.v_dim;
          sum += p;
          for (int64_t d = 0; d < a.v_dim; ++d) out[d] += p * v[d];
        }
        for (int64_t d = 0; d < a.v_dim; ++d) out[d] /= sum;
      }
    }
  }
}

}  // namespace sns
