#pragma once

#include <cmath>
#include <cstdint>

#include "core/bfloat16.h"

namespace sns {

/// Bound on what rounding a float32 sum of `dim` products may cost (Higham 2002, 3.5), in any order, for a
/// query and a vector of these lengths; if products may overflow, nothing is thrown out.
SNS_HOST_DEVICE inline double score_error(double query, double vector, int64_t dim) {
  if (query * vector > 1e37) return static_cast<double>(INFINITY);
  const double n = static_cast<double>(dim) + 2;
  return 1.01 * n * 0x1p-24 * query * vector + n * 0x1p-126;
}

/// float32 scores below it cannot be among the k best, of which `least` is the last. Rounded down: a
/// threshold too low only costs time.
SNS_HOST_DEVICE inline float score_threshold(double least, double error) {
  return nextafterf(static_cast<float>(least - error), -INFINITY);
}

}  // namespace sns
