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

}  // namespace sns
