#pragma once

#include "core/device_block.h"
#include "pipeline/cuda/device.h"

namespace sns {

/// sincos_2d of grids one after the other on the device, out of two launches of pack: row r·grid_w + c of a
/// grid is [axis(c), axis(r)] + add, so that grid_h runs of the axis table fill the left halves and grid_h
/// repeated rows of it the right ones.
struct SinCosGrids {
  PackSegment *columns_host = nullptr, *rows_host = nullptr;
  const PackSegment *columns = nullptr, *rows = nullptr;
  int64_t count = 0;    ///< rows of all grids at most
  int64_t longest = 0;  ///< at least the columns of any grid
  int64_t used = 0;     ///< rows of grids so far
  /// Room for grids of `rows` rows together, all of them empty.
  void reserve(DeviceBlock& block, int64_t rows, int64_t longest_row);
  void add(const float* axis, int64_t dim, int64_t grid_h, int64_t grid_w, const float* added);
  void run(const CudaStream& stream, int64_t dim, float* y) const;
};

/// fourier_2d on the device, in ldy floats a row: the features of both axes are tabled on the host and spread
/// by six launches of pack. `add` [fourier_width(bands)] is added to every row, or null.
void put_fourier(int64_t grid_h, int64_t grid_w, int64_t resolution_h, int64_t resolution_w, int64_t bands,
                 const float* add, DeviceBlock& block, const PackSegment** segments);
void run_fourier(const CudaStream& stream, const PackSegment* segments, int64_t bands, int64_t grid_h,
                 int64_t grid_w, float* y, int64_t ldy);

}  // namespace sns
