#include <algorithm>

#include "core/bfloat16.h"
#include "core/device_block.h"
#include "ops/linear/linear_cuda.h"

namespace sns {
namespace {

LinearCudaWeights pack(const float* weight, const float* bias, bool has_bias, int64_t out, int64_t in,
                       int parts, DeviceBlock& block) {
  LinearCudaWeights w;
  w.out = out, w.in = in, w.in_padded = LinearTiles::padded(in);
  const int64_t rows = round_up(out, LinearTiles::kOut);
  const int64_t count = checked_mul(rows, w.in_padded, "weight");
  uint16_t* hi = block.take(count, &w.hi);
  uint16_t* lo = block.take(count, &w.lo);
  uint16_t* rest = parts > 2 ? block.take(count, &w.rest) : nullptr;
  float* b = has_bias ? block.take(out, &w.bias) : nullptr;
  if (!hi) return w;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < w.in_padded; ++c) {
      float left = r < out && c < in ? weight[r * in + c] : 0.0f;
      const int64_t at = LinearTiles::at(r, c, w.in_padded);
      for (uint16_t* part : {hi, lo, rest}) {
        if (!part) break;
        part[at] = to_bf16(left);
        left -= from_bf16(part[at]);
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
