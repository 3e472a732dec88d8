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

/// Where element (o, i) of weights lies: in tiles of kOut × kIn, along `in` first. A row of a tile is 128
/// bytes in eight pieces of 16; piece p of row r stands at p ^ r % 8. That is shared memory as wgmma reads it
/// with its 128-byte swizzle, so that one bulk copy brings a tile.
struct LinearTiles {
  static constexpr int kOut = 128, kIn = 64, kElements = kOut * kIn;
  static constexpr int64_t padded(int64_t in) { return round_up(in, kIn); }
  static constexpr int64_t at(int64_t o, int64_t i, int64_t in_padded) {
    return (o / kOut * (in_padded / kIn) + i / kIn) * kElements + o % kOut * kIn +
           ((i % kIn / 8) ^ (o % 8)) * 8 + i % 8;
  }
};

/// Weights split so that tensor cores give fp32 accuracy: W = hi + lo + O(2⁻¹⁷·W), both bfloat16, padded with
/// zeros to whole LinearTiles. A third part is for products whose errors multiply.
struct LinearCudaWeights {
  const uint16_t* hi = nullptr;  ///< [out, in_padded] in LinearTiles, as are the other parts
  const uint16_t* lo = nullptr;
  const uint16_t* rest = nullptr;  ///< or null
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
