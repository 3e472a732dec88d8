#pragma once

#include <vector>

#include "ops/resize/resize.h"
#include "pipeline/config.h"

namespace sns {

/// What a picture becomes before it is cut into patches.
struct ResizePlan {
  int64_t in_h = 0, in_w = 0;
  int64_t resized_h = 0, resized_w = 0;  ///< after the resize
  int64_t crop_y = 0, crop_x = 0;        ///< the window of it that is kept …
  int64_t kept_h = 0, kept_w = 0;
  int64_t pad_y = 0, pad_x = 0;   ///< … lies here in the result, black around it
  int64_t height = 0, width = 0;  ///< of the result
  bool unchanged() const { return resized_h == in_h && resized_w == in_w; }
  bool padded() const { return kept_h != height || kept_w != width; }
};

/// The reference processors' sizes, operation by operation. Throws kInvalidShape for a picture without
/// pixels, one that becomes one without, or (kSmart) one more than 200 times as long as wide.
ResizePlan plan_resize(const ResizeConfig& config, int64_t height, int64_t width);

ResizeU8Args resize_args(const ResizeConfig& config, const ResizePlan& plan, int64_t channels);
/// x: bytes [in_h, in_w, channels] → y: bytes [height, width, channels], both dense.
void run_resize(const ResizeConfig& config, const ResizePlan& plan, int64_t channels, const uint8_t* x,
                uint8_t* y, void* scratch, Parallel& parallel);

/// The largest pictures of many proportions: the need of memory grows with the picture and changes slowly
/// with its proportions, so that a quarter more than the most of these is enough for those in between.
std::vector<ResizePlan> extreme_resizes(const ResizeConfig& config, int64_t max_pixels);

/// What a session must hold for any picture of up to max_pixels whose sides differ by up to 200 times.
struct ResizeSpace {
  int64_t bytes = 0;   ///< of the result
  size_t scratch = 0;  ///< of the op
};
ResizeSpace resize_space(const ResizeConfig& config, int64_t channels, int64_t max_pixels, int threads);

}  // namespace sns
