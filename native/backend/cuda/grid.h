#pragma once

#include "backend/cuda/kernel.h"
#include "core/memory.h"

namespace sns::gpu {

/// `down` rows of `across` blocks, numbered through: of a grid's sizes only x may pass 65,535. More than x
/// can be is an invalid configuration to the launch.
inline dim3 grid_of(int64_t across, int64_t down) {
  constexpr int64_t kMost = 0x7FFFFFFF;
  const bool fits = down == 0 || across <= kMost / down;
  return dim3(fits ? static_cast<unsigned>(across * down) : 0xFFFFFFFFu);
}

/// Enough blocks for `count`, each of which takes `of`.
inline dim3 blocks(int64_t count, int64_t of) { return dim3(static_cast<unsigned>(ceil_div(count, of))); }

/// Where a block stands in grid_of(across, …).
struct BlockAt {
  int64_t x, y;
  __device__ explicit BlockAt(int64_t across)
      : x(blockIdx.x % static_cast<unsigned>(across)), y(blockIdx.x / static_cast<unsigned>(across)) {}
};

}  // namespace sns::gpu
