#pragma once

#include "backend/cuda/kernel.h"

namespace sns::gpu {

/// The last i in [0, count) with start(i) ≤ at, for ascending starts of which the first is ≤ at. Of items
/// that start together (all but the last are empty) it is the last.
template <class Start>
__device__ inline int64_t last_not_after(int64_t count, int64_t at, Start start) {
  int64_t low = 0, high = count;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (start(middle) <= at) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace sns::gpu
