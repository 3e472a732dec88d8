#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// Interpolation filters; values are PIL's (and so those of `resample` in preprocessor_config.json).
enum class ResizeFilter : int32_t {
  kNearest = 0,
  kLanczos = 1,   ///< a = 3
  kBilinear = 2,  ///< triangle
  kBicubic = 3,   ///< a = −0.5 antialiased; the non-antialiased float form uses a = −0.75 (see below)
  kBox = 4,       ///< bytes only, as the next
  kHamming = 5,
};

/// The image is resized to out_height × out_width, of which only the window [crop_y, crop_y + crop_h) ×
/// [crop_x, crop_x + crop_w) is computed; the result is that of resizing everything and cropping then.
struct ResizeGeometry {
  int64_t in_height = 0, in_width = 0;
  int64_t out_height = 0, out_width = 0;
  int64_t crop_y = 0, crop_x = 0, crop_h = 0, crop_w = 0;
};

/// Bytes, HWC interleaved, 1 to 4 channels: bit-equal to PIL.Image.resize (always antialiased): horizontal
/// pass then vertical pass, weights in 22-bit fixed point, rounding to bytes between the passes; a pass that
/// changes nothing is skipped (in images over 100 times as tall as wide that shrink in height the vertical
/// pass comes first), nearest takes ⌊(x + 0.5)·scale⌋ with the position summed up step by step.
/// Channels are independent, as in PIL's modes L, RGB, CMYK, RGBa (PIL multiplies RGBA and LA by alpha before
/// and divides after, which is not done here). Source: Pillow, src/libImaging/Resample.c and Geometry.c.
struct ResizeU8Args {
  ResizeGeometry geometry;
  ResizeFilter filter = ResizeFilter::kBilinear;
  int64_t channels = 3;
  const uint8_t* x = nullptr;  ///< rows of in_width·channels bytes, stride ldx bytes
  int64_t ldx = 0;
  uint8_t* y = nullptr;  ///< rows of crop_w·channels bytes, stride ldy bytes
  int64_t ldy = 0;
};

size_t resize_u8_scratch(const ResizeU8Args& args, int threads);
void resize_u8_cpu(const ResizeU8Args& args, void* scratch, Parallel& parallel);
/// Oracle in plain integer code, bit-equal to PIL; y dense [crop_h, crop_w, channels].
void resize_u8_ref(const ResizeU8Args& args, uint8_t* y);

/// Floats, [channels, height, width] planes or any strides: torch.nn.functional.interpolate with
/// align_corners=False. antialias = true: as `antialias=True` (bilinear, bicubic a = −0.5); false: as
/// `antialias=False` (bilinear, bicubic a = −0.75, edge samples repeated). Position tables are [h, w, d]
/// with stride_c = 1.
struct ResizeF32Args {
  ResizeGeometry geometry;
  ResizeFilter filter = ResizeFilter::kBilinear;  ///< kBilinear or kBicubic
  bool antialias = true;
  /// Source step per output pixel; 0 = in/out. (Some families interpolate by a given scale factor instead.)
  /// As in torch it is ignored on an axis that keeps its size, unless bicubic without antialiasing.
  double scale_y = 0, scale_x = 0;
  int64_t channels = 3;
  const float* x = nullptr;  ///< element (c, y, x) at c·x_stride_c + y·x_stride_y + x·x_stride_x
  int64_t x_stride_c = 0, x_stride_y = 0, x_stride_x = 0;
  float* y = nullptr;
  int64_t y_stride_c = 0, y_stride_y = 0, y_stride_x = 0;
};

constexpr double kResizeNmse = 1e-12;

size_t resize_f32_scratch(const ResizeF32Args& args, int threads);
void resize_f32_cpu(const ResizeF32Args& args, void* scratch, Parallel& parallel);
/// float64 oracle; y dense [channels, crop_h, crop_w].
void resize_f32_ref(const ResizeF32Args& args, double* y);

}  // namespace sns
