#include "pipeline/cuda/adapter.h"

namespace sns {

CudaAdapter::CudaAdapter(CudaDevicePtr device, int64_t d, int64_t bottleneck, Activation activation,
                         const float* down, const float* down_bias, const float* up, const float* up_bias)
    : device_(std::move(device)), activation_(activation) {
  device_->enter();
  down_ = CudaLinear(device_, down, down_bias, bottleneck, d);
  up_ = CudaLinear(device_, up, up_bias, d, bottleneck);
}

void CudaAdapter::run(const CudaStream& stream, const float* x, int64_t count, float* y,
                      const CudaScratch& scratch) const {
  cuda_mlp(stream, down_, up_, activation_, x, count, y, x, scratch);
}

}  // namespace sns
