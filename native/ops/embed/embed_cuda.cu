#include "ops/embed/embed_cuda.h"

#include "backend/cuda/search.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) embed_kernel(EmbedCudaArgs args) {
  const int64_t row = blockIdx.x;
  if (row >= *args.rows) return;
  const EmbedCudaItem& item =
      args.items[gpu::last_not_after(args.count, row, [&](int64_t i) { return args.items[i].first_row; })];
  const int64_t at = row - item.first_row;
  const float* from = args.table + item.ids[at] * args.dim;
  const float* position = args.position ? args.position + at * args.dim : nullptr;
  float* y = item.y + at * args.ldy;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) y[i] = from[i] + (position ? position[i] : 0.0f);
}

}  // namespace

int embed_cuda(const EmbedCudaArgs& args, void* stream) {
  if (args.count == 0 || args.max_rows == 0 || args.dim == 0) return 0;
  return gpu::gpu_launch(embed_kernel, dim3(static_cast<unsigned>(args.max_rows)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
