#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// Which red, green and blue make luma: ITU-R BT.601, BT.709, BT.2020 (non-constant), SMPTE 240M, FCC.
enum class YuvMatrix : int32_t { kBt601 = 0, kBt709 = 1, kBt2020 = 2, kSmpte240m = 3, kFcc = 4 };

/// Below so many pixels on a side FFmpeg takes fewer taps, in other ways of rounding.
constexpr int64_t kYuvLeast = 13;

/// Planes of bytes, chroma halved on both axes (⌈height/2⌉ × ⌈width/2⌉), to RGB bytes: bit-equal to
/// FFmpeg 8.1's swscale with SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT. Chroma lies
/// in the middle of its four pixels and is brought to full size by four bicubic taps (a = −0.6): across in
/// 14-bit weights, cut to 15-bit values (luma of a byte v is 128·v), then down in 12-bit weights, rounded to
/// quarters of those. Matrix and range are 13-bit coefficients on them; sums wrap at 32 bits. Source:
/// libswscale, utils.c (initFilter), hscale.c, output.c (yuv2rgb_full_X) and yuv2rgb.c.
struct YuvArgs {
  int64_t height = 0, width = 0;  ///< at least kYuvLeast each
  const uint8_t* y = nullptr;     ///< rows of width bytes, stride ldy bytes
  int64_t ldy = 0;
  const uint8_t* u = nullptr;  ///< rows of ⌈width/2⌉ bytes
  int64_t ldu = 0;
  const uint8_t* v = nullptr;
  int64_t ldv = 0;
  YuvMatrix matrix = YuvMatrix::kBt601;
  bool full_range = false;  ///< else luma is 16 to 235, chroma 16 to 240
  uint8_t* rgb = nullptr;   ///< rows of 3·width bytes, stride ldrgb bytes
  int64_t ldrgb = 0;
};

size_t yuv_scratch(const YuvArgs& args, int threads);
void yuv_cpu(const YuvArgs& args, void* scratch, Parallel& parallel);
/// Oracle in plain integer code; rgb dense [height, width, 3].
void yuv_ref(const YuvArgs& args, uint8_t* rgb);

}  // namespace sns
