#pragma once

#include "core/device_block.h"
#include "pipeline/cuda/device.h"

namespace sns {

/// sincos_2d on the device, out of two launches of pack: row r·grid_w + c is [axis(c), axis(r)] + add, so
/// that grid_h runs of the axis table fill the left halves and grid_h repeated rows of it the right ones.
void put_sincos(const float* axis, int64_t dim, int64_t grid_h, int64_t grid_w, const float* add,
                DeviceBlock& block, const PackSegment** columns, const PackSegment** rows);
void run_sincos(const CudaStream& stream, const PackSegment* columns, const PackSegment* rows, int64_t dim,
                int64_t grid_h, int64_t grid_w, float* y);

/// fourier_2d on the device, in ldy floats a row: the features of both axes are tabled on the host and spread
/// by six launches of pack. `add` [fourier_width(bands)] is added to every row, or null.
void put_fourier(int64_t grid_h, int64_t grid_w, int64_t resolution_h, int64_t resolution_w, int64_t bands,
                 const float* add, DeviceBlock& block, const PackSegment** segments);
void run_fourier(const CudaStream& stream, const PackSegment* segments, int64_t bands, int64_t grid_h,
                 int64_t grid_w, float* y, int64_t ldy);

}  // namespace sns
