#include <algorithm>
#include <cmath>

#include "core/device_block.h"
#include "ops/top_k/top_k_cuda.h"

namespace sns {
namespace {

constexpr int64_t kLanes = TopKCudaVectors::kLanes;

float* lay_out(DeviceBlock& block, int64_t count, int64_t dim, const float** on_device) {
  const int64_t rows = checked_mul(ceil_div(count, kLanes), kLanes, "count");
  return block.take(checked_mul(rows, dim, "count"), on_device);
}

}  // namespace

size_t top_k_cuda_bytes(int64_t count, int64_t dim) {
  DeviceBlock block(nullptr, nullptr);
  const float* groups;
  lay_out(block, count, dim, &groups);
  return block.bytes();
}

TopKCudaVectors pack_top_k_cuda(const float* vectors, int64_t count, int64_t dim, void* host, void* device) {
  DeviceBlock block(host, device);
  TopKCudaVectors v;
  v.count = count, v.dim = dim;
  float* out = lay_out(block, count, dim, &v.groups);
  std::fill_n(out, ceil_div(count, kLanes) * kLanes * dim, 0.0f);
  for (int64_t j = 0; j < count; ++j) {
    double square = 0;
    for (int64_t i = 0; i < dim; ++i) {
      const float x = vectors[j * dim + i];
      out[(j / kLanes * dim + i) * kLanes + j % kLanes] = x;
      square += static_cast<double>(x) * x;
    }
    v.longest = std::max(v.longest, std::sqrt(square));
  }
  return v;
}

}  // namespace sns
