#include <algorithm>
#include <vector>

#include "core/checked.h"
#include "ops/yuv/yuv.h"
#include "ops/yuv/yuv_tables.h"

namespace sns {
namespace {

struct Windows {
  std::vector<int32_t> first;
  std::vector<int16_t> weights;
  Windows(int64_t out, int64_t one)
      : first(static_cast<size_t>(out)), weights(static_cast<size_t>(out * kYuvTaps)) {
    yuv_windows(out, one, first.data(), weights.data());
  }
};

/// One chroma plane at full size, in units of 2⁻¹⁹ bytes, less 128.
std::vector<int32_t> enlarge(const uint8_t* plane, int64_t ld, int64_t height, int64_t width) {
  const Windows across(width, 1 << 14), down(height, 1 << 12);
  const int64_t rows = ceil_div(height, 2);
  std::vector<int32_t> wide(static_cast<size_t>(rows * width)), out(static_cast<size_t>(height * width));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t x = 0; x < width; ++x) {
      int32_t sum = 0;
      for (int64_t k = 0; k < kYuvTaps; ++k) {
        sum += plane[row * ld + across.first[static_cast<size_t>(x)] + k] *
               across.weights[static_cast<size_t>(x * kYuvTaps + k)];
      }
      wide[static_cast<size_t>(row * width + x)] = std::min(sum >> 7, 32767);
    }
  }
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t x = 0; x < width; ++x) {
      int32_t sum = (1 << 9) - (128 << 19);
      for (int64_t k = 0; k < kYuvTaps; ++k) {
        sum += wide[static_cast<size_t>((down.first[static_cast<size_t>(row)] + k) * width + x)] *
               down.weights[static_cast<size_t>(row * kYuvTaps + k)];
      }
      out[static_cast<size_t>(row * width + x)] = sum >> 10;
    }
  }
  return out;
}

/// The sum of a product and what wraps at 32 bits.
int32_t wrap(int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(x)); }

uint8_t to_byte(int64_t x) { return static_cast<uint8_t>(std::clamp(wrap(x) >> 22, 0, 255)); }

}  // namespace

void yuv_ref(const YuvArgs& args, uint8_t* rgb) {
  const std::vector<int32_t> u = enlarge(args.u, args.ldu, args.height, args.width);
  const std::vector<int32_t> v = enlarge(args.v, args.ldv, args.height, args.width);
  const YuvColours c = yuv_colours(args.matrix, args.full_range);
  size_t i = 0;
  for (int64_t row = 0; row < args.height; ++row) {
    for (int64_t x = 0; x < args.width; ++x, ++i) {
      const int64_t luma = int64_t{c.y_scale} * (512 * args.y[row * args.ldy + x] - c.y_offset) + (1 << 21);
      rgb[3 * i] = to_byte(luma + int64_t{c.v_to_r} * v[i]);
      rgb[3 * i + 1] = to_byte(luma + int64_t{c.v_to_g} * v[i] + int64_t{c.u_to_g} * u[i]);
      rgb[3 * i + 2] = to_byte(luma + int64_t{c.u_to_b} * u[i]);
    }
  }
}

}  // namespace sns
