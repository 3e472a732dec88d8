#include "pipeline/cuda/positions.h"

#include "pipeline/positions.h"

namespace sns {
namespace {

/// Features that lie side by side and follow one axis: row, column, then sines of both and cosines of both.
struct Columns {
  int64_t first, count;
  bool of_row;
};
constexpr int64_t kColumns = 6;
Columns columns_of(int64_t i, int64_t bands) {
  return i < 2 ? Columns{i, 1, i == 0} : Columns{2 + (i - 2) * bands, bands, i % 2 == 0};
}

}  // namespace

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

void put_fourier(int64_t grid_h, int64_t grid_w, int64_t resolution_h, int64_t resolution_w, int64_t bands,
                 const float* add, DeviceBlock& block, const PackSegment** segments) {
  const int64_t width = fourier_width(bands);
  const float *rows = nullptr, *columns = nullptr;
  float* host_rows = block.take(grid_h * width, &rows);
  float* host_columns = block.take(grid_w * width, &columns);
  PackSegment* to = block.take(kColumns * grid_h, segments);
  if (!to) return;
  fourier_2d(grid_h, 1, resolution_h, resolution_w, bands, host_rows, width);
  fourier_2d(1, grid_w, resolution_h, resolution_w, bands, host_columns, width);
  for (int64_t i = 0; i < kColumns; ++i) {
    const Columns c = columns_of(i, bands);
    for (int64_t r = 0; r < grid_h; ++r) {
      const float* from = c.of_row ? rows + r * width : columns;
      *to++ = {from + c.first, c.of_row ? 0 : width, grid_w, add ? add + c.first : nullptr, nullptr};
    }
  }
}

void run_fourier(const CudaStream& stream, const PackSegment* segments, int64_t bands, int64_t grid_h,
                 int64_t grid_w, float* y, int64_t ldy) {
  for (int64_t i = 0; i < kColumns; ++i) {
    const Columns c = columns_of(i, bands);
    stream.check(
        stream.ops().pack({segments + i * grid_h, grid_h, c.count, y + c.first, ldy, grid_w}, stream.get()),
        "pack");
  }
}

}  // namespace sns
