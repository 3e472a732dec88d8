#include "ops/resize/resize_window.h"

#include <algorithm>
#include <cmath>

#include "core/checked.h"

namespace sns {
namespace {

double half_width(ResizeFilter filter) {
  switch (filter) {
    case ResizeFilter::kLanczos:
      return 3.0;
    case ResizeFilter::kBicubic:
      return 2.0;
    case ResizeFilter::kBox:
      return 0.5;
    default:
      return 1.0;
  }
}

double triangle(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys' cubic convolution kernel.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= M_PI;
  return std::sin(x) / x;
}

double lanczos3(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double hamming(double x) {
  x = std::fabs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= M_PI;
  return std::sin(x) / x * (0.54 + 0.46 * std::cos(x));
}

template <class Filter>
ResizeWindow stretched(const ResizeAxis& axis, int64_t i, double* weights, Filter filter) {
  const double stretch = std::max(axis.step, 1.0);
  const double support = half_width(axis.filter) * stretch;
  const double center = (static_cast<double>(i) + 0.5) * axis.step;
  const double shrink = 1.0 / stretch;
  const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
  const int64_t last = std::min(static_cast<int64_t>(center + support + 0.5), axis.in);
  const int64_t count = std::max<int64_t>(last - first, 0);
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    weights[k] = filter((static_cast<double>(k + first) - center + 0.5) * shrink);
    sum += weights[k];
  }
  if (sum != 0) {
    for (int64_t k = 0; k < count; ++k) weights[k] /= sum;
  }
  return {first, count};
}

/// The 2 or 4 samples around the position, those outside the image replaced by the edge.
ResizeWindow sampled(const ResizeAxis& axis, int64_t i, double* weights) {
  double position = (static_cast<double>(i) + 0.5) * axis.step - 0.5;
  const bool is_cubic = axis.filter == ResizeFilter::kBicubic;
  if (!is_cubic) position = std::max(position, 0.0);
  const int64_t base = std::min(static_cast<int64_t>(std::floor(position)), axis.in - 1);
  const double t = std::min(position - static_cast<double>(base), 1.0);
  double raw[4] = {1.0 - t, t, 0, 0};
  if (is_cubic) {
    for (int k = 0; k < 4; ++k) raw[k] = cubic(t + 1.0 - k, -0.75);
  }
  const int64_t begin = is_cubic ? base - 1 : base, taps = is_cubic ? 4 : 2;
  const auto inside = [&](int64_t p) { return std::clamp<int64_t>(p, 0, axis.in - 1); };
  const int64_t first = inside(begin), count = inside(begin + taps - 1) - first + 1;
  std::fill(weights, weights + count, 0.0);
  for (int64_t k = 0; k < taps; ++k) weights[inside(begin + k) - first] += raw[k];
  return {first, count};
}

}  // namespace

ResizeAxis resize_axis(int64_t in, int64_t out, ResizeFilter filter, bool antialias, double step) {
  const bool same = in == out && (antialias || filter != ResizeFilter::kBicubic);
  if (step == 0 || same) step = static_cast<double>(in) / static_cast<double>(out);
  return {in, filter, antialias, step};
}

int64_t resize_window_capacity(const ResizeAxis& axis) {
  if (!axis.antialias) return 4;
  const double support = half_width(axis.filter) * std::max(axis.step, 1.0);
  return std::min(static_cast<int64_t>(std::ceil(support)) * 2 + 1, axis.in);
}

ResizeWindow resize_window(const ResizeAxis& axis, int64_t i, double* weights) {
  if (!axis.antialias) return sampled(axis, i, weights);
  switch (axis.filter) {
    case ResizeFilter::kLanczos:
      return stretched(axis, i, weights, lanczos3);
    case ResizeFilter::kBicubic:
      return stretched(axis, i, weights, [](double x) { return cubic(x, -0.5); });
    case ResizeFilter::kBox:
      return stretched(axis, i, weights, box);
    case ResizeFilter::kHamming:
      return stretched(axis, i, weights, hamming);
    default:
      return stretched(axis, i, weights, [](double x) { return triangle(x); });
  }
}

bool resize_u8_split(const ResizeU8Args& args, uint8_t* between, ResizeU8Args* vertical,
                     ResizeU8Args* horizontal) {
  const ResizeGeometry& g = args.geometry;
  const bool tall = ceil_div(g.in_height, 100) > g.in_width;
  // An empty window would give the second pass an empty picture, whose step is 0/0.
  if (!tall || g.out_height >= g.in_height || g.out_width == g.in_width || g.crop_h == 0 ||
      args.filter == ResizeFilter::kNearest) {
    return false;
  }
  *vertical = *horizontal = args;
  vertical->geometry = {g.in_height, g.in_width, g.out_height, g.in_width, g.crop_y, 0, g.crop_h, g.in_width};
  vertical->y = between;
  vertical->ldy = g.in_width * args.channels;
  horizontal->geometry = {g.crop_h, g.in_width, g.crop_h, g.out_width, 0, g.crop_x, g.crop_h, g.crop_w};
  horizontal->x = between;
  horizontal->ldx = vertical->ldy;
  return true;
}

void resize_nearest(int64_t in, int64_t out, int64_t crop, int64_t count, int32_t* source) {
  const double step = static_cast<double>(in) / static_cast<double>(out);
  double position = step * 0.5;
  for (int64_t i = 0; i < crop + count; ++i, position += step) {
    if (i >= crop) source[i - crop] = static_cast<int32_t>(std::min(static_cast<int64_t>(position), in - 1));
  }
}

}  // namespace sns
