#pragma once

#include "core/precision.h"
#include "ops/linear/linear.h"

namespace sns {

// What holds for every <op>_cuda.h: pointers inside arguments are device pointers unless said otherwise,
// `stream` is a cudaStream_t, the result a cudaError_t. A launcher allocates nothing, waits for nothing and
// can be captured into a CUDA graph. Tables and weights are packed on the host into one block of
// <op>_cuda_bytes(); pack_<op>_cuda() fills it at `host` and returns what points into its copy at `device`;
// both are 64-byte aligned. A workspace is device memory of the bytes asked for, private to the call until
// the stream is past it.

/// Weights split so that tensor cores give fp32 accuracy: W = hi + lo + O(2⁻¹⁷·W), both bfloat16, rows padded
/// with zeros to `in_padded` (a multiple of 32). A third part is for products whose errors multiply.
struct LinearCudaWeights {
  const uint16_t* hi = nullptr;    ///< [out, in_padded]
  const uint16_t* lo = nullptr;    ///< [out, in_padded]
  const uint16_t* rest = nullptr;  ///< [out, in_padded] or null
  const float* bias = nullptr;     ///< [out] or null
  int64_t out = 0, in = 0, in_padded = 0;
};

/// parts: 2, or 3 with `rest`.
size_t linear_cuda_bytes(int64_t out, int64_t in, int parts = 2);
/// `weight` [out, in] and `bias` ([out] or null) are host memory.
LinearCudaWeights pack_linear_cuda(const float* weight, const float* bias, int64_t out, int64_t in,
                                   void* host, void* device, int parts = 2);
/// y = activation(x·Wᵀ + b) + residual. kStrict takes three bfloat16 passes (hi·hi + hi·lo + lo·hi), six
/// where the weights have a third part; kFast one.
int linear_cuda(const LinearCudaWeights& w, const LinearArgs& args, Precision precision, void* stream);

}  // namespace sns
