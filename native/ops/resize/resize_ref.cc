#include <algorithm>
#include <vector>

#include "ops/resize/resize.h"
#include "ops/resize/resize_window.h"

namespace sns {
namespace {

uint8_t to_byte(int64_t fixed) {
  const int64_t half = int64_t{1} << (kResizeWeightBits - 1);
  return static_cast<uint8_t>(std::clamp<int64_t>((fixed + half) >> kResizeWeightBits, 0, 255));
}

/// The value of output pixel i of a line of bytes `pixel(k)`.
template <class Pixel>
uint8_t resize_line(const ResizeAxis& axis, int64_t i, std::vector<double>& weights, Pixel pixel) {
  const ResizeWindow window = resize_window(axis, i, weights.data());
  int64_t sum = 0;
  for (int64_t k = 0; k < window.count; ++k) {
    sum += int64_t{pixel(window.first + k)} * resize_fixed_weight(weights[static_cast<size_t>(k)]);
  }
  return to_byte(sum);
}

void nearest_ref(const ResizeU8Args& args, uint8_t* y) {
  const ResizeGeometry& g = args.geometry;
  std::vector<int32_t> rows(static_cast<size_t>(g.crop_h)), columns(static_cast<size_t>(g.crop_w));
  resize_nearest(g.in_height, g.out_height, g.crop_y, g.crop_h, rows.data());
  resize_nearest(g.in_width, g.out_width, g.crop_x, g.crop_w, columns.data());
  for (const int32_t row : rows) {
    for (const int32_t column : columns) {
      for (int64_t c = 0; c < args.channels; ++c) *y++ = args.x[row * args.ldx + column * args.channels + c];
    }
  }
}

}  // namespace

void resize_u8_ref(const ResizeU8Args& args, uint8_t* y) {
  if (args.filter == ResizeFilter::kNearest) return nearest_ref(args, y);
  const ResizeGeometry& g = args.geometry;
  std::vector<uint8_t> between(static_cast<size_t>(g.crop_h * g.in_width * args.channels));
  ResizeU8Args vertical, horizontal;
  if (resize_u8_split(args, between.data(), &vertical, &horizontal)) {
    resize_u8_ref(vertical, between.data());
    resize_u8_ref(horizontal, y);
    return;
  }
  const int64_t channels = args.channels, width = g.crop_w * channels;
  const ResizeAxis across = resize_axis(g.in_width, g.out_width, args.filter, true);
  const ResizeAxis down = resize_axis(g.in_height, g.out_height, args.filter, true);
  std::vector<double> weights(
      static_cast<size_t>(std::max(resize_window_capacity(across), resize_window_capacity(down))));

  std::vector<uint8_t> narrow(static_cast<size_t>(g.in_height * width));
  for (int64_t row = 0; row < g.in_height; ++row) {
    for (int64_t i = 0; i < width; ++i) {
      const uint8_t* line = args.x + row * args.ldx + i % channels;
      const int64_t column = g.crop_x + i / channels;
      narrow[static_cast<size_t>(row * width + i)] =
          g.in_width == g.out_width
              ? line[column * channels]
              : resize_line(across, column, weights, [&](int64_t k) { return line[k * channels]; });
    }
  }
  for (int64_t row = 0; row < g.crop_h; ++row) {
    for (int64_t i = 0; i < width; ++i) {
      const auto pixel = [&](int64_t k) { return narrow[static_cast<size_t>(k * width + i)]; };
      y[row * width + i] = g.in_height == g.out_height ? pixel(g.crop_y + row)
                                                       : resize_line(down, g.crop_y + row, weights, pixel);
    }
  }
}

void resize_f32_ref(const ResizeF32Args& args, double* y) {
  const ResizeGeometry& g = args.geometry;
  const ResizeAxis across = resize_axis(g.in_width, g.out_width, args.filter, args.antialias, args.scale_x);
  const ResizeAxis down = resize_axis(g.in_height, g.out_height, args.filter, args.antialias, args.scale_y);
  std::vector<double> wx(static_cast<size_t>(resize_window_capacity(across)));
  std::vector<double> wy(static_cast<size_t>(resize_window_capacity(down)));
  for (int64_t row = 0; row < g.crop_h; ++row) {
    const ResizeWindow tall = resize_window(down, g.crop_y + row, wy.data());
    for (int64_t column = 0; column < g.crop_w; ++column) {
      const ResizeWindow wide = resize_window(across, g.crop_x + column, wx.data());
      for (int64_t c = 0; c < args.channels; ++c) {
        double sum = 0;
        for (int64_t j = 0; j < tall.count; ++j) {
          for (int64_t i = 0; i < wide.count; ++i) {
            const double x = args.x[c * args.x_stride_c + (tall.first + j) * args.x_stride_y +
                                    (wide.first + i) * args.x_stride_x];
            sum += wy[static_cast<size_t>(j)] * wx[static_cast<size_t>(i)] * x;
          }
        }
        y[(c * g.crop_h + row) * g.crop_w + column] = sum;
      }
    }
  }
}

}  // namespace sns
