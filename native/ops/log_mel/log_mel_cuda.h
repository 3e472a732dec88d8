#pragma once

#include "ops/linear/linear_cuda.h"
#include "ops/log_mel/log_mel_plan.h"

namespace sns {

/// A LogMelPlan on the device.
struct LogMelCudaPlan {
  static constexpr int kMaxPasses = 16;
  LogMelConfig config;
  bool wide = false;  ///< the spectrum is in double
  int32_t passes = 0;
  FftPass pass[kMaxPasses] = {};
  int64_t half = 0, span = 0, bin_begin = 0, bin_end = 0;
  const void *window = nullptr, *twiddle = nullptr, *split = nullptr;  ///< double if wide, else float
  const int32_t* row = nullptr;
  const LogMelPlan::Tables::Filter* filter = nullptr;
  const float* weight = nullptr;
};
size_t log_mel_cuda_bytes(const LogMelPlan& plan);
LogMelCudaPlan pack_log_mel_cuda(const LogMelPlan& plan, void* host, void* device);

/// One clip of a batch; its frames are rows first_frame, first_frame + 1 … of the batch.
struct LogMelCudaItem {
  const void* samples = nullptr;
  int64_t sample_count = 0;
  int64_t frames = 0;  ///< plan.frames(sample_count)
  int64_t first_frame = 0;
  float* y = nullptr;
  int64_t ldy = 0;
  /// Where a signal is held from its sample b on only, all that its frames f, f + 1 … see: sample_count
  /// counts from b, too, and this is hop·f − b.
  int64_t shift = 0;
};
struct LogMelCudaArgs {
  const LogMelCudaItem* items = nullptr;  ///< device array [count], first_frame ascending from 0
  int64_t count = 0;
  int64_t max_frames = 0;  ///< at least the frames of all clips together
  bool s16 = false;        ///< int16 samples (value/32768), else float
};

/// Whether log_mel_cuda serves this configuration (n_fft ≤ 4096, a product of 2, 3 and 5). The others go
/// log_mel_frames_cuda, a real to complex FFT of every row, log_mel_spectrum_cuda.
inline bool log_mel_cuda_fused(const LogMelConfig& config) {
  int64_t rest = config.n_fft;
  for (int64_t p : {2, 3, 5}) {
    while (rest % p == 0) rest /= p;
  }
  return config.n_fft <= 4096 && rest == 1;
}
/// Statistics of whole clips.
size_t log_mel_cuda_workspace(const LogMelCudaPlan& plan, int64_t count);
/// log_mel_cpu of every clip, one kernel; two more where the clip's maximum or a z-score is asked for.
int log_mel_cuda(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, void* workspace, void* stream);

/// Whether log_mel_linear_cuda serves this plan: as log_mel_cuda_fused, nothing that needs a whole clip, and
/// tables that fit shared memory.
bool log_mel_linear_cuda_serves(const LogMelCudaPlan& plan);
/// One token a frame in one kernel, the features never in device memory: an item's y is [frames, w.out]
/// tokens = features·Wᵀ + b + position[frame], w.in = n_mels; `position` [frames of the longest, w.out]
/// dense, or null.
int log_mel_linear_cuda(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, const LinearCudaWeights& w,
                        const float* position, Precision precision, void* stream);

/// Windowed frames, dense [max_frames, 2·half] of double (plan.wide) or float; rows past the last are zeros.
int log_mel_frames_cuda(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, void* frames, void* stream);
/// `spectrum` is dense [max_frames, half + 1] of complex double or float; the rest as log_mel_cuda.
int log_mel_spectrum_cuda(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, const void* spectrum,
                          void* workspace, void* stream);

}  // namespace sns
