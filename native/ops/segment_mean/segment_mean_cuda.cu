#include "backend/cuda/grid.h"
#include "core/checked.h"
#include "ops/segment_mean/segment_mean_cuda.h"

namespace sns {
namespace {

constexpr int kColumns = 32, kLines = 8;

/// A block 32 columns of a segment; a warp is a line of 32 columns that takes every kLines-th run of 64 rows,
/// so that no sum is long.
__global__ void __launch_bounds__(kColumns* kLines) segment_mean_kernel(SegmentMeanArgs args) {
  SNS_SHARED(float, sums, kColumns* kLines);
  const gpu::BlockAt at(ceil_div(args.dim, kColumns));
  const Segment segment = args.segments[at.y];
  const int line = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t column = at.x * kColumns + threadIdx.x % kColumns;
  float sum = 0;
  if (column < args.dim) {
    for (int64_t run = line * 64; run < segment.count; run += kLines * 64) {
      const float* x = args.x + (segment.first + run) * args.ldx + column;
      const int64_t rows = segment.count - run < 64 ? segment.count - run : 64;
      float part = 0;
      for (int64_t r = 0; r < rows; ++r) part += x[r * args.ldx];
      sum += part;
    }
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (line != 0 || column >= args.dim) return;
  for (int l = 1; l < kLines; ++l) sum += sums[l * kColumns + static_cast<int>(threadIdx.x)];
  args.y[at.y * args.ldy + column] = segment.count > 0 ? sum / static_cast<float>(segment.count) : 0.0f;
}

}  // namespace

int segment_mean_cuda(const SegmentMeanArgs& args, void* stream) {
  if (args.segment_count == 0 || args.dim == 0) return 0;
  const dim3 grid = gpu::grid_of(ceil_div(args.dim, kColumns), args.segment_count);
  return gpu::gpu_launch(segment_mean_kernel, grid, dim3(kColumns * kLines), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
