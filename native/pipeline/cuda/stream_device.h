#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ops/resample/resample_cuda.h"
#include "pipeline/cuda/fft.h"
#include "pipeline/stream_device.h"

namespace sns {

/// Sound that comes in chunks, on a GPU: samples go there as they come and are resampled there, features come
/// back. Everything runs in a stream of its own; put, move and resample return before it is done.
class CudaStreamDevice final : public StreamDevice {
 public:
  /// Throws kUnavailable where n_fft needs cuFFT and there is none.
  CudaStreamDevice(const CudaDevicePtr& device, const ResampleFilter& filter, const LogMelPlan& plan);
  float* allocate(int64_t count) override;
  int64_t bytes() const override;
  void put(float* to, const void* samples, bool s16, int64_t count) override;
  void move(float* to, const float* from, int64_t count) override;
  void resample(const SignalPart& input, int64_t first, int64_t count, float* y) override;
  void features(const SignalPart& signal, int64_t first, int64_t count, float* y) override;

 private:
  CudaBlock take(CudaBlock::Place place, int64_t bytes);

  CudaDevicePtr device_;
  int64_t bytes_ = 0;
  CudaBlock filter_block_, plan_block_;
  ResampleCudaFilter filter_;
  LogMelCudaPlan plan_;
  std::optional<CudaFftPlan> fft_;
  std::vector<CudaBlock> samples_;
  CudaBlock staging_;  ///< page-locked: samples on their way, the first staged_ of them taken
  CudaBlock item_, item_host_, features_, windows_, spectrum_;
  int64_t staged_ = 0;
  CudaStream stream_;  ///< goes first, and waits then
};

}  // namespace sns
