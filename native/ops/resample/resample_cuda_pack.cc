#include <algorithm>

#include "core/device_block.h"
#include "ops/resample/resample_cuda.h"

namespace sns {
namespace {

ResampleCudaFilter pack(const ResampleFilter& filter, DeviceBlock& block) {
  ResampleCudaFilter f;
  f.orig = filter.orig(), f.target = filter.target(), f.taps_per_phase = filter.taps_per_phase();
  const bool copies = f.orig == f.target;  // no taps at all
  const int64_t count = copies ? 0 : checked_mul(f.target, f.taps_per_phase, "taps");
  float* taps = block.take(count, &f.taps);
  int64_t* first = block.take(copies ? 0 : f.target, &f.first);
  if (copies || !taps) return f;
  std::copy(filter.taps(), filter.taps() + count, taps);
  for (int64_t p = 0; p < f.target; ++p) first[p] = filter.first(p);
  return f;
}

}  // namespace

size_t resample_cuda_bytes(const ResampleFilter& filter) {
  DeviceBlock block(nullptr, nullptr);
  pack(filter, block);
  return block.bytes();
}

ResampleCudaFilter pack_resample_cuda(const ResampleFilter& filter, void* host, void* device) {
  DeviceBlock block(host, device);
  return pack(filter, block);
}

}  // namespace sns
