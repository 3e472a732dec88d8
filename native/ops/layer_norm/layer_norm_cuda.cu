#include "ops/layer_norm/layer_norm_cuda.h"

#include "backend/cuda/reduce.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

/// One block a row. Further passes over x come from L1/L2, and there is no cancellation as in E[x²] − E[x]².
/// Σ(x−mean) would be 0 but for the rounding of `mean`: it corrects both the mean and the variance, so a row
/// far from zero loses nothing.
__global__ void __launch_bounds__(kThreads) layer_norm_kernel(LayerNormArgs args) {
  SNS_SHARED(float, partial, kThreads / 32);
  const int64_t row = blockIdx.x;
  const float* x = args.x + row * args.ldx;
  float* y = args.y + row * args.ldy;
  float sum = 0;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) sum += x[i];
  const float mean = gpu::block_sum<kThreads>(sum, partial) / static_cast<float>(args.dim);
  float rest = 0, square = 0;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) {
    const float d = x[i] - mean;
    rest += d;
    square += d * d;
  }
  const float error = gpu::block_sum<kThreads>(rest, partial) / static_cast<float>(args.dim);
  square = gpu::block_sum<kThreads>(square, partial) / static_cast<float>(args.dim);
  const float scale = 1.0f / sqrtf(fmaxf(square - error * error, 0.0f) + args.eps);
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) {
    y[i] = (x[i] - mean - error) * scale * args.gamma[i] + (args.beta ? args.beta[i] : 0.0f);
  }
}

}  // namespace

int layer_norm_cuda(const LayerNormArgs& args, void* stream) {
  if (args.rows == 0 || args.dim == 0) return 0;
  return gpu::gpu_launch(layer_norm_kernel, dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
