#pragma once

#include "ops/resample/resample.h"

namespace sns {

/// A ResampleFilter on the device.
struct ResampleCudaFilter {
  int64_t orig = 1, target = 1, taps_per_phase = 0;
  const float* taps = nullptr;     ///< [target, taps_per_phase]
  const int64_t* first = nullptr;  ///< [target]
};
size_t resample_cuda_bytes(const ResampleFilter& filter);
ResampleCudaFilter pack_resample_cuda(const ResampleFilter& filter, void* host, void* device);
/// resample_cpu on the GPU: x [n] → y [⌈target·n/orig⌉].
int resample_cuda(const ResampleCudaFilter& filter, const float* x, int64_t n, float* y, void* stream);

}  // namespace sns
