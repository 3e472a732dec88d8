#include "ops/resample/resample_cuda.h"

#include "backend/cuda/kernel.h"

namespace sns {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kStrip = 256;  // taps summed by themselves: the rounding of 100k in a row would show

/// One thread an output. Neighbouring outputs read nearly the same samples, and all periods the same taps.
__global__ void __launch_bounds__(kThreads) resample_kernel(ResampleCudaFilter f, ResampleCudaArgs args) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= args.count) return;
  const int64_t o = args.first + i;
  if (f.orig == f.target) {
    args.y[i] = args.x[o - args.x_begin];
    return;
  }
  const int64_t phase = o % f.target, start = o / f.target * f.orig + f.first[phase];
  const float* taps = f.taps + phase * f.taps_per_phase;
  const int64_t begin = start < 0 ? -start : 0;
  const int64_t end = args.x_end - start < f.taps_per_phase ? args.x_end - start : f.taps_per_phase;
  const float* x = args.x;
  const int64_t at = start - args.x_begin;
  float sum = 0;
  for (int64_t strip = begin; strip < end; strip += kStrip) {
    const int64_t last = end - strip < kStrip ? end : strip + kStrip;
    float even = 0, odd = 0;
    int64_t t = strip;
    for (; t + 2 <= last; t += 2) {
      even += taps[t] * x[at + t];
      odd += taps[t + 1] * x[at + t + 1];
    }
    if (t < last) even += taps[t] * x[at + t];
    sum += even + odd;
  }
  args.y[i] = sum;
}

}  // namespace

int resample_cuda(const ResampleCudaFilter& filter, const ResampleCudaArgs& args, void* stream) {
  if (args.count == 0) return 0;
  return gpu::gpu_launch(resample_kernel, dim3(static_cast<unsigned>(ceil_div(args.count, kThreads))),
                         dim3(kThreads), 0, static_cast<gpu::Stream>(stream), filter, args);
}

}  // namespace sns
