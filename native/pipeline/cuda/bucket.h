#pragma once

#include <algorithm>

#include "core/checked.h"

namespace sns {

/// `n` rounded up to the bounds of its bucket: multiples of 16 up to 128, then four steps from one power of
/// two to the next (160, 192, 224, 256, 320 …). Requests whose sizes fall into the same buckets are one
/// graph: launches are made for the bounds, and the kernels read the sizes themselves on the device. 16 rows
/// is what a tile of tensor cores takes at once; beyond 64 no more than a quarter of the work is for nothing.
/// Nothing is a bucket of its own.
constexpr int64_t bucket(int64_t n) {
  if (n <= 0) return 0;
  int64_t below = 64;
  while (2 * below < n) below *= 2;
  return round_up(n, below / 4);
}
/// Likewise, where there are never more than `most`, at least n.
constexpr int64_t bucket(int64_t n, int64_t most) { return std::min(bucket(n), most); }

}  // namespace sns
