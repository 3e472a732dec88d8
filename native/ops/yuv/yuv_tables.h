#pragma once

#include <cstdint>

#include "ops/yuv/yuv.h"

namespace sns {

constexpr int64_t kYuvTaps = 4;

/// The windows that bring ⌈out/2⌉ samples to `out`: first source sample and weights [kYuvTaps] in units of
/// 1/one of each output. Some weights at the edges are 0, the samples they would take included.
void yuv_windows(int64_t out, int64_t one, int32_t* first, int16_t* weights);

/// R = (y_scale·(Y − y_offset) + v_to_r·V + 2²¹) >> 22 and so on, clipped to a byte; Y, U and V in units of
/// 1/512.
struct YuvColours {
  int32_t y_scale, y_offset, v_to_r, v_to_g, u_to_g, u_to_b;
};
YuvColours yuv_colours(YuvMatrix matrix, bool full_range);

}  // namespace sns
