#pragma once

#include <algorithm>

#include "ops/log_mel/log_mel_plan.h"

namespace sns {

/// The signal as the kernel reads it: samples [begin, end) of `total`, float or int16.
struct MelSignal {
  const void* samples = nullptr;  ///< sample `begin` stands at element 0
  bool s16 = false;
  int64_t begin = 0, end = 0, total = 0;
};

/// Where features go: frame f of [first, first + count) is row (mel_major: column) f − first of y.
struct MelTarget {
  float* y = nullptr;
  int64_t ldy = 0;
  bool mel_major = false;
  int64_t first = 0, count = 0;
};

/// One worker's scratch.
struct MelWorkspace {
  void* fft = nullptr;              ///< [half + 1 + spare_rows] rows of one vector real, one imaginary
  float* spectrum = nullptr;        ///< [half + 1][lanes] power or magnitude
  float* stage = nullptr;           ///< samples of one vector of frames where they cannot be read in place
  float* stage_previous = nullptr;  ///< the sample before each, for preemphasis_signal
};

/// Where a vector of frames is read: frame l starts at current + l·stride.
struct FrameSource {
  const float* current = nullptr;
  const float* previous = nullptr;  ///< likewise, one sample earlier; only for preemphasis_signal
  int64_t stride = 0;
};

/// Frames that overlap are staged as one run of samples, others each by itself.
inline bool staged_as_run(const LogMelConfig& config) { return config.hop <= config.win_length; }

/// Floats of one staging buffer for a vector of `lanes` frames.
inline int64_t stage_size(const LogMelConfig& config, const LogMelPlan::Tables& t, int64_t lanes) {
  return staged_as_run(config) ? (lanes - 1) * config.hop + t.span : lanes * t.span;
}

}  // namespace sns
