#pragma once

#include <memory>

#include "ops/log_mel/log_mel.h"
#include "pipeline/resample_stream.h"

namespace sns {

class CudaDevice;

/// Log-mel features of sound that comes in chunks of any size and at any rate, to the bits that the device's
/// resampler and log-mel give for the whole sound. A frame can be read as soon as nothing that may still come
/// can change it. Memory is fixed, nothing is allocated after construction, and all work is done on the
/// caller's thread or in a stream of the GPU of its own. One thread at a time.
class AudioStream {
 public:
  static constexpr int64_t kMaxHop = int64_t{1} << 20;  ///< of hop and frame_span
  static constexpr int64_t kMaxCapacity = int64_t{1} << 28;

  /// `capacity`: input samples that may always be pushed before frames must be read; 0 = a second of sound.
  /// `cuda`: the GPU that computes; null: the host. Throws kInvalidArgument naming `clip` or `norm` where a
  /// frame depends on the whole sound, kLimitExceeded on rates and hops that would need too much memory,
  /// kUnavailable naming `n_fft` where it needs cuFFT and there is none.
  AudioStream(const LogMelConfig& config, int64_t input_rate, int64_t capacity,
              const std::shared_ptr<const CudaDevice>& cuda = nullptr);

  const LogMelConfig& config() const { return plan_.config(); }
  int64_t capacity() const { return capacity_; }
  /// A frame can be read when this many input samples past its window's centre were pushed.
  int64_t latency() const { return latency_; }
  int64_t bytes() const { return device_->bytes(); }

  /// Takes mono samples (int16 counts as value/32768), at most capacity(); returns how many. Fewer than that
  /// are taken only while frames() > 0. Throws kOutOfRange on NaN or infinity, kIllegalState after finish(),
  /// and takes nothing then.
  int64_t push(const void* samples, bool s16, int64_t count);
  /// The sound ends here: its last frames see the padding.
  void finish();
  bool finished() const { return finished_; }
  /// Frames that can be read now.
  int64_t frames() const;
  /// Frames that were read.
  int64_t position() const { return next_; }
  /// Reads at most `count` frames into the host's y [count, n_mels]; returns how many. mel_major does not
  /// matter here.
  int64_t read(float* y, int64_t count);
  /// As new.
  void clear();

 private:
  int64_t final_frames(int64_t samples, bool ended) const {
    return ended ? plan_.frames(samples) : log_mel_final_frames(plan_, samples);
  }
  int64_t measure_latency() const;
  void pump();

  LogMelPlan plan_;
  int64_t capacity_;
  ResampleFilter filter_;
  std::unique_ptr<StreamDevice> device_;
  ResampleStream resampler_;
  SampleWindow samples_;  ///< at the rate of the features
  int64_t latency_, next_ = 0;
  bool finished_ = false;
};

}  // namespace sns
