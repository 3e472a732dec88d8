#pragma once

#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// Rows [first, first + count) of x.
struct Segment {
  int64_t first = 0, count = 0;
};

/// y[s, :] = mean of the rows of segment s; an empty segment gives zeros. Strides in elements; y overlaps
/// nothing.
struct SegmentMeanArgs {
  const float* x = nullptr;
  int64_t dim = 0, ldx = 0;
  const Segment* segments = nullptr;
  int64_t segment_count = 0;
  float* y = nullptr;  ///< [segment_count, dim]
  int64_t ldy = 0;
};

constexpr double kSegmentMeanNmse = 1e-10;

/// Summed in three levels (64 rows, 64 of those sums, the rest), so that the rounding of 64k rows is that of
/// about 150. A segment's result does not depend on the other segments or on threads.
void segment_mean_cpu(const SegmentMeanArgs& args, Parallel& parallel);
/// float64 oracle; y is dense [segment_count, dim].
void segment_mean_ref(const SegmentMeanArgs& args, double* y);

}  // namespace sns
