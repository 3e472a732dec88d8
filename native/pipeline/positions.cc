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

namespace {

/// The `at`-th of `count` evenly spaced values from first to last, torch.linspace.
double linspace(double first, double last, int64_t count, int64_t at) {
  return count == 1 ? first
                    : first + (last - first) * static_cast<double>(at) / static_cast<double>(count - 1);
}

/// One axis of a row: its position, and its sines and cosines.
void fourier_axis(double position, int64_t resolution, int64_t bands, float* y, float* sines,
                  float* cosines) {
  *y = static_cast<float>(position);
  for (int64_t k = 0; k < bands; ++k) {
    const double angle = M_PI * position * linspace(1, static_cast<double>(resolution) / 2, bands, k);
    sines[k] = static_cast<float>(std::sin(angle));
    cosines[k] = static_cast<float>(std::cos(angle));
  }
}

}  // namespace

void fourier_2d(int64_t grid_h, int64_t grid_w, int64_t resolution_h, int64_t resolution_w, int64_t bands,
                float* y, int64_t ldy) {
  const auto row_axis = [&](int64_t r, float* at) {
    fourier_axis(linspace(-1, 1, grid_h, r), resolution_h, bands, at, at + 2, at + 2 + 2 * bands);
  };
  const auto column_axis = [&](int64_t c, float* at) {
    fourier_axis(linspace(-1, 1, grid_w, c), resolution_w, bands, at + 1, at + 2 + bands, at + 2 + 3 * bands);
  };
  // The sines are computed along the first row and column; the others have the same.
  for (int64_t c = 0; c < grid_w; ++c) column_axis(c, y + c * ldy);
  for (int64_t r = 0; r < grid_h; ++r) {
    float* const row = y + r * grid_w * ldy;
    row_axis(r, row);
    for (int64_t c = 0; c < grid_w; ++c) {
      float* const at = row + c * ldy;
      const float* const above = y + c * ldy;
      at[0] = row[0];
      at[1] = above[1];
      for (int64_t k = 0; k < bands; ++k) {
        at[2 + k] = row[2 + k];
        at[2 + bands + k] = above[2 + bands + k];
        at[2 + 2 * bands + k] = row[2 + 2 * bands + k];
        at[2 + 3 * bands + k] = above[2 + 3 * bands + k];
      }
    }
  }
}

}  // namespace sns
