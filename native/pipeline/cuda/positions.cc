#include "pipeline/cuda/positions.h"

#include <algorithm>

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

void SinCosGrids::reserve(DeviceBlock& block, int64_t grid_rows, int64_t longest_row) {
  count = grid_rows;
  longest = longest_row;
  used = 0;
  columns_host = block.take(count, &columns);
  rows_host = block.take(count, &rows);
  std::fill(columns_host, columns_host + count, PackSegment());
  std::fill(rows_host, rows_host + count, PackSegment());
}

void SinCosGrids::add(const float* axis, int64_t dim, int64_t grid_h, int64_t grid_w, const float* added) {
  const int64_t half = dim / 2;
  for (int64_t i = 0; i < grid_h; ++i, ++used) {
    columns_host[used] = {axis, half, grid_w, added, nullptr};
    rows_host[used] = {axis + i * half, 0, grid_w, added ? added + half : nullptr, nullptr};
  }
}

void SinCosGrids::run(const CudaStream& stream, int64_t dim, float* y) const {
  if (count == 0) return;
  const int64_t half = dim / 2;
  stream.check(stream.ops().pack({columns, count, half, y, dim, longest}, stream.get()), "pack");
  stream.check(stream.ops().pack({rows, count, half, y + half, dim, longest}, stream.get()), "pack");
}

FourierTables put_fourier(int64_t grid_h, int64_t grid_w, int64_t resolution_h, int64_t resolution_w,
                          int64_t bands, DeviceBlock& block) {
  const int64_t width = fourier_width(bands);
  FourierTables tables;
  float* rows = block.take(grid_h * width, &tables.rows);
  float* columns = block.take(grid_w * width, &tables.columns);
  if (rows) fourier_2d(grid_h, 1, resolution_h, resolution_w, bands, rows, width);
  if (columns) fourier_2d(1, grid_w, resolution_h, resolution_w, bands, columns, width);
  return tables;
}

int64_t FourierGrids::parcel_bytes(int64_t rows) {
  return kColumns * rows * static_cast<int64_t>(sizeof(PackSegment)) + static_cast<int64_t>(kAlign);
}

void FourierGrids::reserve(DeviceBlock& block, int64_t grid_rows, int64_t longest_row) {
  count = grid_rows;
  longest = longest_row;
  used = 0;
  host = block.take(kColumns * count, &segments);
  std::fill(host, host + kColumns * count, PackSegment());
}

void FourierGrids::add(const FourierTables& tables, int64_t bands, int64_t grid_h, int64_t grid_w,
                       const float* added) {
  const int64_t width = fourier_width(bands);
  for (int64_t r = 0; r < grid_h; ++r, ++used) {
    for (int64_t i = 0; i < kColumns; ++i) {
      const Columns c = columns_of(i, bands);
      const float* from = c.of_row ? tables.rows + r * width : tables.columns;
      host[i * count + used] = {from + c.first, c.of_row ? 0 : width, grid_w,
                                added ? added + c.first : nullptr, nullptr};
    }
  }
}

void FourierGrids::run(const CudaStream& stream, int64_t bands, float* y, int64_t ldy) const {
  if (count == 0) return;
  for (int64_t i = 0; i < kColumns; ++i) {
    const Columns c = columns_of(i, bands);
    stream.check(
        stream.ops().pack({segments + i * count, count, c.count, y + c.first, ldy, longest}, stream.get()),
        "pack");
  }
}

}  // namespace sns
