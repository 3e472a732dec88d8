#pragma once

#include <mutex>

#include "pipeline/align.h"
#include "pipeline/cuda/device.h"

namespace sns {

/// Alignment on the GPU: logits and training steps, one at a time, from the host's memory and back to it. The
/// device memory of the largest so far is kept.
class CudaAlign {
 public:
  explicit CudaAlign(const CudaDevicePtr& device);
  /// contrastive_logits_cpu on the GPU.
  void logits(const float* a, int64_t n, const float* b, int64_t m, int64_t dim, float logit_scale,
              float logit_bias, float* out);
  /// align_step on the GPU, in fp32 accuracy whatever the engine's precision.
  ContrastiveResult step(const AlignConfig& config, const AlignSide& x, const AlignSide& y);

 private:
  std::mutex mutex_;
  CudaStream stream_;
  CudaBlock host_, device_;
};

}  // namespace sns
