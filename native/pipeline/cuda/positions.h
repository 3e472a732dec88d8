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

/// The features of a grid's axes, tabled on the host.
struct FourierTables {
  const float *rows = nullptr, *columns = nullptr;  ///< [grid_h] and [grid_w] of fourier_width(bands)
};
FourierTables put_fourier(int64_t grid_h, int64_t grid_w, int64_t resolution_h, int64_t resolution_w,
                          int64_t bands, DeviceBlock& block);

/// fourier_2d of grids one after the other on the device, spread from their tables by six launches of pack.
struct FourierGrids {
  PackSegment* host = nullptr;
  const PackSegment* segments = nullptr;
  int64_t count = 0;    ///< rows of all grids at most
  int64_t longest = 0;  ///< at least the columns of any grid
  int64_t used = 0;     ///< rows of grids so far
  /// Room for grids of `rows` rows together, all of them empty.
  void reserve(DeviceBlock& block, int64_t rows, int64_t longest_row);
  /// added [fourier_width(bands)]: to every row, or null.
  void add(const FourierTables& tables, int64_t bands, int64_t grid_h, int64_t grid_w, const float* added);
  /// Rows of ldy floats.
  void run(const CudaStream& stream, int64_t bands, float* y, int64_t ldy) const;
  static int64_t parcel_bytes(int64_t rows);
};

}  // namespace sns
