#pragma once

#include "ops/linear/linear_cuda.h"
#include "ops/top_k/top_k.h"

namespace sns {

/// TopKVectors on the device, in groups of a warp's width: a lane reads its own vector, a warp whole lines.
struct TopKCudaVectors {
  static constexpr int kLanes = 32;
  const float* groups = nullptr;  ///< [ceil(count / kLanes), dim, kLanes]; lanes behind the last are 0
  int64_t count = 0, dim = 0;
  double longest = 0;  ///< the longest vector's length
};
size_t top_k_cuda_bytes(int64_t count, int64_t dim);
/// vectors [count, dim] dense is host memory.
TopKCudaVectors pack_top_k_cuda(const float* vectors, int64_t count, int64_t dim, void* host, void* device);

/// The best of each part of the vectors, for a block of queries at a time.
size_t top_k_cuda_workspace(const TopKCudaVectors& vectors, const TopKArgs& args);
/// top_k_cpu on the GPU: the oracle's ids and scores.
int top_k_cuda(const TopKCudaVectors& vectors, const TopKArgs& args, void* workspace, void* stream);

}  // namespace sns
