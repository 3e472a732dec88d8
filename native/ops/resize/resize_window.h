#pragma once

#include <cmath>
#include <cstdint>

#include "ops/resize/resize.h"

namespace sns {

/// One axis of a resize: output pixel i has its centre at (i + 0.5)·step in source pixels' units.
struct ResizeAxis {
  int64_t in = 0;
  ResizeFilter filter = ResizeFilter::kBilinear;  ///< not kNearest
  bool antialias = true;
  double step = 1;
};

/// The axis of a resize from `in` to `out` pixels. `step` 0 means in/out; another one is ignored, as torch
/// does, where the size stays the same, but for the bicubic that is not antialiased.
ResizeAxis resize_axis(int64_t in, int64_t out, ResizeFilter filter, bool antialias, double step = 0);

/// Source pixels [first, first + count) and their weights, summing to 1, make one output pixel.
struct ResizeWindow {
  int64_t first = 0, count = 0;
};

/// Upper bound of ResizeWindow::count on this axis. The first and the last pixel of the windows never
/// decrease along the axis.
int64_t resize_window_capacity(const ResizeAxis& axis);

/// The window of output pixel i and its weights in float64, operation by operation those of PIL (antialias)
/// or torch.nn.functional.interpolate (not antialias; repeated edge samples are folded into one weight).
ResizeWindow resize_window(const ResizeAxis& axis, int64_t i, double* weights);

/// PIL's fixed point: 22 fractional bits, rounded half away from zero.
constexpr int kResizeWeightBits = 22;
inline int32_t resize_fixed_weight(double w) {
  return static_cast<int32_t>(w * (1 << kResizeWeightBits) + std::copysign(0.5, w));
}

/// PIL resizes an image more than 100 times as tall as wide in two calls, the vertical pass first, and the
/// bytes rounded between the passes show it. If this is such a case, splits it into the two and returns true;
/// the bytes in between are dense, [crop_h, in_width, channels].
bool resize_u8_split(const ResizeU8Args& args, uint8_t* between, ResizeU8Args* vertical,
                     ResizeU8Args* horizontal);

/// PIL's nearest source pixels of outputs [crop, crop + count): the position is carried along by repeated
/// addition of the step, and its rounding errors belong to the result.
void resize_nearest(int64_t in, int64_t out, int64_t crop, int64_t count, int32_t* source);

}  // namespace sns
