#pragma once

#include "pipeline/cuda/blocks.h"

namespace sns {

/// Adapter on the GPU.
class CudaAdapter {
 public:
  /// As Adapter: down [bottleneck, d], up [d, bottleneck] with the scale in it.
  CudaAdapter(CudaDevicePtr device, int64_t d, int64_t bottleneck, Activation activation, const float* down,
              const float* down_bias, const float* up, const float* up_bias);
  const CudaDevicePtr& device() const { return device_; }
  int64_t scratch(int64_t max_rows) const { return cuda_mlp_scratch(*device_, down_, max_rows); }
  /// x [count, d] → y [count, d].
  void run(const CudaStream& stream, const float* x, int64_t count, float* y,
           const CudaScratch& scratch) const;

 private:
  CudaDevicePtr device_;
  Activation activation_;
  CudaLinear down_, up_;
};

}  // namespace sns
