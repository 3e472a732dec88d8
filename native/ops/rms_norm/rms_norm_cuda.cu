#include "ops/rms_norm/rms_norm_cuda.h"

#include "backend/cuda/reduce.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

/// One block a row.
__global__ void __launch_bounds__(kThreads) rms_norm_kernel(RmsNormArgs args) {
  SNS_SHARED(float, partial, kThreads / 32);
  const int64_t row = blockIdx.x;
  const float* x = args.x + row * args.ldx;
  float* y = args.y + row * args.ldy;
  float square = 0;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) square += x[i] * x[i];
  const float mean = gpu::block_sum<kThreads>(square, partial) / static_cast<float>(args.dim);
  const float scale = 1.0f / sqrtf(mean + args.eps);
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) y[i] = x[i] * scale * args.gamma[i];
}

}  // namespace

int rms_norm_cuda(const RmsNormArgs& args, void* stream) {
  if (args.rows == 0 || args.dim == 0) return 0;
  return gpu::gpu_launch(rms_norm_kernel, dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
