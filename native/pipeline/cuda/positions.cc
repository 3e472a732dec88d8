#include "pipeline/cuda/positions.h"

namespace sns {

void put_sincos(const float* axis, int64_t dim, int64_t grid_h, int64_t grid_w, const float* add,
                DeviceBlock& block, const PackSegment** columns, const PackSegment** rows) {
  const int64_t half = dim / 2;
  PackSegment* c = block.take(grid_h, columns);
  PackSegment* r = block.take(grid_h, rows);
  if (!c) return;
  for (int64_t i = 0; i < grid_h; ++i) {
    c[i] = {axis, half, grid_w, add, nullptr};
    r[i] = {axis + i * half, 0, grid_w, add ? add + half : nullptr, nullptr};
  }
}

void run_sincos(const CudaStream& stream, const PackSegment* columns, const PackSegment* rows, int64_t dim,
                int64_t grid_h, int64_t grid_w, float* y) {
  const int64_t half = dim / 2;
  stream.check(stream.ops().pack({columns, grid_h, half, y, dim, grid_w}, stream.get()), "pack");
  stream.check(stream.ops().pack({rows, grid_h, half, y + half, dim, grid_w}, stream.get()), "pack");
}

}  // namespace sns
