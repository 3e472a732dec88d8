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
/// Outputs [first, first + count) of an input of which samples [x_begin, x_end) are held at x, as
/// resample_range_cpu; of the whole input n, x_begin is 0, x_end n and count ⌈target·n/orig⌉.
struct ResampleCudaArgs {
  const float* x = nullptr;
  int64_t x_begin = 0, x_end = 0;
  float* y = nullptr;
  int64_t first = 0, count = 0;
};
/// resample_cpu on the GPU. An output's bits do not depend on what else is asked for.
int resample_cuda(const ResampleCudaFilter& filter, const ResampleCudaArgs& args, void* stream);

}  // namespace sns
