#pragma once

#include "ops/resample/resample_cuda.h"
#include "pipeline/cuda/fft.h"
#include "pipeline/image_resize.h"

namespace sns {

// Single stages on the GPU, from the host's memory and back to it; any number of threads at once. Device
// memory and a stream are taken from the runtime's pools per call.

/// Samples to features: the fused kernel, or with `fft` the transforms of cuFFT between two others. `windows`
/// and `spectrum` are for the latter: rows up to a whole number of transforms.
void run_log_mel(const CudaStream& stream, const LogMelCudaPlan& plan, const CudaFftPlan* fft,
                 const LogMelCudaArgs& clips, void* windows, void* spectrum, void* scratch);

class CudaLogMel {
 public:
  /// Throws kUnavailable where n_fft needs cuFFT and there is none.
  CudaLogMel(CudaDevicePtr device, const LogMelPlan& plan);
  /// y as log_mel_cpu gives it, `size` floats.
  void run(const LogMelArgs& args, int64_t frames, int64_t size) const;

 private:
  CudaDevicePtr device_;
  CudaBlock block_;
  LogMelCudaPlan plan_;
  std::shared_ptr<const CudaFft> fft_;
};
/// cuFFT if this configuration needs it, else null; throws kUnavailable naming `field` where there is none.
std::shared_ptr<const CudaFft> fft_for(const CudaDevice& device, const LogMelConfig& config,
                                       const std::string& field);

class CudaResampler {
 public:
  CudaResampler(CudaDevicePtr device, const ResampleFilter& filter);
  /// x [count] → y [length].
  void run(const float* x, int64_t count, float* y, int64_t length) const;

 private:
  CudaDevicePtr device_;
  CudaBlock block_;
  ResampleCudaFilter filter_;
};

/// run_resize on the GPU.
void run_resize_cuda(const CudaDevicePtr& device, const ResizeConfig& config, const ResizePlan& plan,
                     int64_t channels, const uint8_t* x, uint8_t* y);

}  // namespace sns
