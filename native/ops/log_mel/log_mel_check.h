#pragma once

#include <functional>
#include <vector>

#include "check/check.h"
#include "ops/log_mel/log_mel.h"
#include "pipeline/cuda/device.h"

namespace sns {

// Published front ends.
LogMelConfig whisper_log_mel(int64_t n_mels);  ///< openai/whisper
LogMelConfig kaldi_log_mel(int64_t n_mels);    ///< Kaldi's fbank, no dither
LogMelConfig librosa_log_mel();                ///< librosa.feature.melspectrogram, 128 mels of power

/// Runs one clip; false if something around its scratch was touched.
using LogMelKernel = std::function<bool(const LogMelPlan& plan, const LogMelArgs& args)>;

/// A random front end over a random clip, computed by `kernel` and compared with log_mel_ref.
Parity log_mel_parity(uint64_t seed, const LogMelKernel& kernel);

/// Clips of one kind of sample on the GPU, in one batch: by the fused kernel, or with `through_fft` by the
/// device's cuFFT between two others. False if something around what it may write was touched.
bool log_mel_on_cuda(const CudaDevicePtr& device, const LogMelPlan& plan,
                     const std::vector<LogMelArgs>& clips, bool through_fft);

}  // namespace sns
