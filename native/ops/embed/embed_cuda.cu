#include "backend/cuda/kernel.h"
#include "ops/embed/embed_cuda.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) embed_kernel(EmbedArgs args) {
  const int64_t row = blockIdx.x;
  const float* from = args.table + args.ids[row] * args.dim;
  const float* position = args.position ? args.position + row * args.dim : nullptr;
  float* y = args.y + row * args.ldy;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) y[i] = from[i] + (position ? position[i] : 0.0f);
}

}  // namespace

int embed_cuda(const EmbedArgs& args, void* stream) {
  if (args.count == 0 || args.dim == 0) return 0;
  return gpu::gpu_launch(embed_kernel, dim3(static_cast<unsigned>(args.count)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
