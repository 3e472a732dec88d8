#pragma once

#include "ops/top_k/top_k_cuda.h"
#include "pipeline/cuda/device.h"

namespace sns {

/// Vectors on the GPU and the search for the k nearest of them, one search at a time.
class CudaSearch {
 public:
  /// vectors [count, dim] dense; copied.
  CudaSearch(CudaDevicePtr device, const float* vectors, int64_t count, int64_t dim);
  /// args' pointers are the host's.
  void run(const TopKArgs& args);

 private:
  TopKCudaVectors vectors_;
  CudaBlock memory_;
  std::mutex mutex_;
  CudaStream stream_;
  CudaBlock host_, device_, workspace_;  ///< of the largest search so far
};

}  // namespace sns
