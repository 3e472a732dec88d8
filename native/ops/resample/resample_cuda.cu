#include "ops/resample/resample_cuda.h"

#include "backend/cuda/kernel.h"

namespace sns {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kStrip = 256;  // taps summed by themselves: the rounding of 100k in a row would show

/// One thread an output. Neighbouring outputs read nearly the same samples, and all periods the same taps.
__global__ void __launch_bounds__(kThreads)
    resample_kernel(ResampleCudaFilter f, const float* x, int64_t n, float* y, int64_t outputs) {
  const int64_t o = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (o >= outputs) return;
  if (f.orig == f.target) {
    y[o] = x[o];
    return;
  }
  const int64_t phase = o % f.target, start = o / f.target * f.orig + f.first[phase];
  const float* taps = f.taps + phase * f.taps_per_phase;
  const int64_t begin = start < 0 ? -start : 0;
  const int64_t end = n - start < f.taps_per_phase ? n - start : f.taps_per_phase;
  float sum = 0;
  for (int64_t strip = begin; strip < end; strip += kStrip) {
    const int64_t last = end - strip < kStrip ? end : strip + kStrip;
    float even = 0, odd = 0;
    int64_t t = strip;
    for (; t + 2 <= last; t += 2) {
      even += taps[t] * x[start + t];
      odd += taps[t + 1] * x[start + t + 1];
    }
    if (t < last) even += taps[t] * x[start + t];
    sum += even + odd;
  }
  y[o] = sum;
}

}  // namespace

int resample_cuda(const ResampleCudaFilter& filter, const float* x, int64_t n, float* y, void* stream) {
  const int64_t outputs = ceil_div(checked_mul(filter.target, n, "n"), filter.orig);
  if (outputs == 0) return 0;
  return gpu::gpu_launch(resample_kernel, dim3(static_cast<unsigned>(ceil_div(outputs, kThreads))),
                         dim3(kThreads), 0, static_cast<gpu::Stream>(stream), filter, x, n, y, outputs);
}

}  // namespace sns
