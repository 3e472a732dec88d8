#pragma once

#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// A run of rows of the packed sequence that come from one place: y = rows + modality + position.
struct PackSegment {
  const float* rows = nullptr;  ///< [count, dim], stride ld; may be the very rows of y (in place)
  int64_t ld = 0;
  int64_t count = 0;
  const float* modality = nullptr;  ///< [dim], added to every row; or null
  const float* position = nullptr;  ///< [count, dim] dense; or null
  float* y = nullptr;               ///< where its rows go if PackArgs::y is null
};

/// Segments follow each other without gaps: segment s starts at the row where s−1 ended. A special token
/// (begin, end) is a segment of one row. In-place segments must lie exactly where they land.
struct PackArgs {
  const PackSegment* segments = nullptr;
  int64_t segment_count = 0;
  int64_t dim = 0;
  float* y = nullptr;  ///< [Σcount, dim], stride ldy; null: every segment has its own place
  int64_t ldy = 0;
  int64_t max_count = 0;  ///< at least the rows of any segment; 0: unknown. The GPU starts no more blocks
};

/// Exact up to the order of two fp32 additions: (row + modality) + position.
void pack_cpu(const PackArgs& args, Parallel& parallel);
/// float64 oracle; y is dense.
void pack_ref(const PackArgs& args, double* y);

}  // namespace sns
