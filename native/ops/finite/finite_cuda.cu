#include "ops/finite/finite_cuda.h"

#include "backend/cuda/kernel.h"
#include "core/checked.h"

namespace sns {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kBlocks = 1024;
using Index = unsigned long long;  // what atomicMin takes; its largest value is −1

__global__ void none_kernel(Index* index) { *index = ~Index{0}; }

__global__ void __launch_bounds__(kThreads) first_non_finite_kernel(const float* x, int64_t n, Index* index) {
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += int64_t{gridDim.x} * kThreads) {
    if (!(fabsf(x[i]) <= 3.402823466e38f)) {
      atomicMin(index, static_cast<Index>(i));
      return;  // this thread's first
    }
  }
}

}  // namespace

int first_non_finite_cuda(const float* x, int64_t n, int64_t* index, void* stream) {
  const auto s = static_cast<gpu::Stream>(stream);
  auto* out = reinterpret_cast<Index*>(index);
  if (const int status = gpu::gpu_launch(none_kernel, dim3(1), dim3(1), 0, s, out)) return status;
  if (n == 0) return 0;
  const int64_t blocks = ceil_div(n, kThreads) < kBlocks ? ceil_div(n, kThreads) : kBlocks;
  return gpu::gpu_launch(first_non_finite_kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, s,
                         x, n, out);
}

}  // namespace sns
