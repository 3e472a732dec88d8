#pragma once

#include <vector>

#include "core/memory.h"
#include "ops/log_mel/log_mel.h"
#include "ops/resample/resample.h"

namespace sns {

/// Where sound that comes in chunks is held and computed: the host, or a GPU (pipeline/cuda/stream_device.h).
/// What is held, and what can be computed of it, is counted elsewhere, once for both. Samples are in memory
/// of this device; what it is given is done in the order in which it is given. One thread at a time.
class StreamDevice {
 public:
  virtual ~StreamDevice() = default;
  /// Memory for samples, uninitialised, that lives as long as the device.
  virtual float* allocate(int64_t count) = 0;
  /// All memory that it holds.
  virtual int64_t bytes() const = 0;

  /// Samples of the caller (int16 counts as value/32768), who may change them afterwards.
  virtual void put(float* to, const void* samples, bool s16, int64_t count) = 0;
  /// Samples from one place to another that does not overlap it.
  virtual void move(float* to, const float* from, int64_t count) = 0;
  /// Outputs [first, first + count) of the resampler, as resample_range_cpu.
  virtual void resample(const SignalPart& input, int64_t first, int64_t count, float* y) = 0;
  /// Frames [first, first + count) as log_mel_frames_cpu, into the caller's y [count, n_mels].
  virtual void features(const SignalPart& signal, int64_t first, int64_t count, float* y) = 0;
};

class HostStreamDevice final : public StreamDevice {
 public:
  /// Both must outlive it.
  HostStreamDevice(const ResampleFilter& filter, const LogMelPlan& plan);
  float* allocate(int64_t count) override;
  int64_t bytes() const override;
  void put(float* to, const void* samples, bool s16, int64_t count) override;
  void move(float* to, const float* from, int64_t count) override;
  void resample(const SignalPart& input, int64_t first, int64_t count, float* y) override;
  void features(const SignalPart& signal, int64_t first, int64_t count, float* y) override;

 private:
  const ResampleFilter& filter_;
  const LogMelPlan& plan_;
  std::vector<AlignedArray<float>> samples_;
  AlignedArray<unsigned char> scratch_;
};

/// Samples as floats: int16 counts as value/32768.
void to_floats(const void* samples, bool s16, int64_t count, float* y);

}  // namespace sns
