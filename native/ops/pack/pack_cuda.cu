#include "backend/cuda/grid.h"
#include "backend/cuda/reduce.h"
#include "ops/pack/pack_cuda.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

/// `blocks` blocks a segment stride over its rows. A row is read and written by the same thread, so that
/// in-place segments are safe.
__global__ void __launch_bounds__(kThreads) pack_kernel(PackArgs args, int64_t blocks) {
  const gpu::BlockAt at(blocks);
  SNS_SHARED(int64_t, partial, kThreads / 32);
  const PackSegment segment = args.segments[at.y];
  if (at.x >= segment.count) return;
  float* to = segment.y;
  if (args.y) {
    int64_t start = 0;
    for (int64_t s = threadIdx.x; s < at.y; s += kThreads) start += args.segments[s].count;
    to = args.y + gpu::block_sum<kThreads>(start, partial) * args.ldy;
  }
  if (to == segment.rows && !segment.modality && !segment.position) return;  // there as it is
  for (int64_t row = at.x; row < segment.count; row += blocks) {
    const float* from = segment.rows + row * segment.ld;
    const float* position = segment.position ? segment.position + row * args.dim : nullptr;
    float* y = to + row * args.ldy;
    for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) {
      float v = from[i];
      if (segment.modality) v += segment.modality[i];
      if (position) v += position[i];
      y[i] = v;
    }
  }
}

}  // namespace

int pack_cuda(const PackArgs& args, void* stream) {
  if (args.segment_count == 0 || args.dim == 0) return 0;
  constexpr int64_t kRowBlocks = 256;  // rows of long segments are strided over
  const int64_t blocks = args.max_count > 0 && args.max_count < kRowBlocks ? args.max_count : kRowBlocks;
  return gpu::gpu_launch(pack_kernel, gpu::grid_of(blocks, args.segment_count), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args, blocks);
}

}  // namespace sns
