#pragma once

#include "backend/cuda/kernel.h"

namespace sns::gpu {

/// Every lane gets op over the warp.
template <class T, class Op>
__device__ inline T warp_reduce(T v, Op op) {
  for (int d = 16; d > 0; d /= 2) v = op(v, __shfl_xor_sync(0xFFFFFFFFu, v, d));
  return v;
}

/// Sum over a block of kThreads; every thread gets it. `partial` [kThreads / 32] may be used again at once.
template <int kThreads, class T>
__device__ inline T block_sum(T v, T* partial) {
  v = warp_reduce(v, [](T a, T b) { return a + b; });
  __syncthreads();  // the previous sum has been read by all
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  T sum = 0;
  for (int w = 0; w < kThreads / 32; ++w) sum += partial[w];
  return sum;
}

}  // namespace sns::gpu
