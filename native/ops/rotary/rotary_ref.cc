#include "ops/rotary/rotary.h"

#include <cmath>

namespace sns {

void rotary_table_ref(const RotaryTableArgs& a, double* y) {
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t i = 0; i < a.pairs; ++i) {
      const double angle = static_cast<double>(a.ids[r * a.axes + a.axis[i]]) * a.frequency[i];
      y[r * 2 * a.pairs + i] = std::cos(angle);
      y[r * 2 * a.pairs + a.pairs + i] = std::sin(angle);
    }
  }
}

void rotary_ref(const RotaryArgs& a, double* y) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float *cos = a.table + r * 2 * a.pairs, *sin = cos + a.pairs;
    for (int64_t h = 0; h < a.heads; ++h) {
      const float* x = a.x + r * a.ldx + h * a.head_dim;
      double* out = y + (r * a.heads + h) * a.head_dim;
      for (int64_t c = 0; c < a.head_dim; ++c) out[c] = x[c];
      for (int64_t i = 0; i < a.pairs; ++i) {
        const bool halves = a.layout == RotaryPairs::kHalves;
        const int64_t p = halves ? i : 2 * i, q = halves ? a.pairs + i : 2 * i + 1;
        out[p] = static_cast<double>(x[p]) * cos[i] - static_cast<double>(x[q]) * sin[i];
        out[q] = static_cast<double>(x[q]) * cos[i] + static_cast<double>(x[p]) * sin[i];
      }
    }
  }
}

}  // namespace sns
