#include <algorithm>

#include "core/bfloat16.h"
#include "core/device_block.h"
#include "ops/linear/linear_cuda.h"

namespace sns {
namespace {

LinearCudaWeights pack(const float* weight, const float* bias, bool has_bias, int64_t out, int64_t in,
                       int parts, DeviceBlock& block) {
  LinearCudaWeights w;
  w.out = out, w.in = in, w.in_padded = round_up(in, 32);
  const int64_t count = checked_mul(out, w.in_padded, "weight");
  uint16_t* hi = block.take(count, &w.hi);
  uint16_t* lo = block.take(count, &w.lo);
  uint16_t* rest = parts > 2 ? block.take(count, &w.rest) : nullptr;
  float* b = has_bias ? block.take(out, &w.bias) : nullptr;
  if (!hi) return w;
  for (int64_t r = 0; r < out; ++r) {
    for (int64_t c = 0; c < w.in_padded; ++c) {
      float left = c < in ? weight[r * in + c] : 0.0f;
      for (uint16_t* part : {hi, lo, rest}) {
        if (!part) break;
        part[r * w.in_padded + c] = to_bf16(left);
        left -= from_bf16(part[r * w.in_padded + c]);
      }
    }
  }
  if (b) std::copy(bias, bias + out, b);
  return w;
}

}  // namespace

size_t linear_cuda_bytes(int64_t out, int64_t in, int parts) {
  DeviceBlock block(nullptr, nullptr);
  pack(nullptr, nullptr, true, out, in, parts, block);
  return block.bytes();
}

LinearCudaWeights pack_linear_cuda(const float* weight, const float* bias, int64_t out, int64_t in,
                                   void* host, void* device, int parts) {
  DeviceBlock block(host, device);
  return pack(weight, bias, bias != nullptr, out, in, parts, block);
}

}  // namespace sns
