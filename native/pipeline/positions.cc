#include "pipeline/positions.h"

#include <cmath>

namespace sns {

void sincos_1d(int64_t count, int64_t dim, const float* add, float* y) {
  for (int64_t i = 0; i < dim / 2; ++i) {
    const double omega = std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
    const double add_sin = add ? add[2 * i] : 0.0, add_cos = add ? add[2 * i + 1] : 0.0;
    for (int64_t p = 0; p < count; ++p) {
      const double angle = static_cast<double>(p) * omega;
      y[p * dim + 2 * i] = static_cast<float>(std::sin(angle) + add_sin);
      y[p * dim + 2 * i + 1] = static_cast<float>(std::cos(angle) + add_cos);
    }
  }
}

void sincos_axis(int64_t count, int64_t half, float* y) {
  const int64_t quarter = half / 2;
  for (int64_t i = 0; i < quarter; ++i) {
    const double omega = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
    for (int64_t p = 0; p < count; ++p) {
      const double angle = static_cast<double>(p) * omega;
      y[p * half + i] = static_cast<float>(std::sin(angle));
      y[p * half + quarter + i] = static_cast<float>(std::cos(angle));
    }
  }
}

void sincos_2d(int64_t grid_h, int64_t grid_w, int64_t dim, const float* axis, const float* add, float* y) {
  const int64_t half = dim / 2;
  for (int64_t r = 0; r < grid_h; ++r) {
    for (int64_t c = 0; c < grid_w; ++c, y += dim) {
      const float* column = axis + c * half;
      const float* row = axis + r * half;
      if (add) {
        for (int64_t i = 0; i < half; ++i) y[i] = column[i] + add[i];
        for (int64_t i = 0; i < half; ++i) y[half + i] = row[i] + add[half + i];
      } else {
        for (int64_t i = 0; i < half; ++i) y[i] = column[i];
        for (int64_t i = 0; i < half; ++i) y[half + i] = row[i];
      }
    }
  }
}

}  // namespace sns
