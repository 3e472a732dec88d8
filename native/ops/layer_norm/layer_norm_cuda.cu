#include "backend/cuda/kernel.h"
#include "ops/layer_norm/layer_norm_cuda.h"

namespace sns {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;

/// Sum over the block; every thread gets it. `partial` has kWarps floats and may be reused after the next
/// barrier.
__device__ float block_sum(float v, float* partial) {
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, d);
  __syncthreads();  // the previous sum has been read by all
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  float sum = 0;
  for (int w = 0; w < kWarps; ++w) sum += partial[w];
  return sum;
}

/// One block a row. Two passes over x: the second reads come from L1/L2, and no cancellation as in E[x²] −
/// E[x]².
__global__ void __launch_bounds__(kThreads) layer_norm_kernel(LayerNormArgs args) {
  SNS_SHARED(float, partial, kWarps);
  const int64_t row = blockIdx.x;
  const float* x = args.x + row * args.ldx;
  float* y = args.y + row * args.ldy;
  float sum = 0;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) sum += x[i];
  const float mean = block_sum(sum, partial) / static_cast<float>(args.dim);
  float square = 0;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) square += (x[i] - mean) * (x[i] - mean);
  const float variance = block_sum(square, partial) / static_cast<float>(args.dim);
  const float scale = 1.0f / sqrtf(variance + args.eps);
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) {
    y[i] = (x[i] - mean) * scale * args.gamma[i] + (args.beta ? args.beta[i] : 0.0f);
  }
}

}  // namespace

int layer_norm_cuda(const LayerNormArgs& args, void* stream) {
  if (args.rows == 0 || args.dim == 0) return 0;
  return gpu::gpu_launch(layer_norm_kernel, dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
