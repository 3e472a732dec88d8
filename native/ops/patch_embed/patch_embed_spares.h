#pragma once

// One byte a weight is enough for FAST once the largest weights may have more. An output's weights are
// rounded to integers q at a step far below largest/127; |q| > 127 is a sum of several signed bytes, the
// first in the weight's own place, the others in "spares": 16 more products for every slice of 64 bytes of a
// patch, whose pixels are fetched by a permutation. That is 20 products where two bytes take 32.
//
// The least step whose q fit into the spares is about 1.4σ/127 for normal weights, NMSE 1.0e-5, and Laplace's
// and Student's (5 degrees of freedom) need no more. Two things that real pictures and filters ask for:
// - A filter's large weights lie together. Groups of four bytes of a patch are therefore dealt out to the
//   slices, so that every slice has a share of each region.
// - Neighbouring pixels are alike, so that what counts are sums of the weights' errors. Of each channel, 4×4
//   weights at a time are rounded such that the sum so far is off by half a step at most: some of those near
//   the middle go the other way. In a flat picture nearly nothing is left of the errors, in photographs a
//   tenth (less than bfloat16 leaves); in noise they grow by a twentieth.

#include <vector>

#include "core/memory.h"

namespace sns {

struct PatchGeometry;

constexpr int64_t kSlice = 64;   ///< bytes of a patch that share spares
constexpr int64_t kSpares = 16;  ///< of a slice and output

/// Where the bytes of a patch of this geometry go, and which weights are rounded together.
struct SpareLayout {
  SpareLayout() = default;
  SpareLayout(const PatchGeometry& geometry, int64_t row_bytes);
  std::vector<int32_t> slot;  ///< [bytes/4]: where a group of four bytes lies
  std::vector<std::vector<int32_t>>
      tiles;  ///< places of 4×4 weights of one channel, a channel after the other
  std::vector<int32_t> tile_channel;
};

/// Rounds one output's weights (in slots, whole slices) to step·q and returns the step, 0 if they are zeros.
/// nmse = Σ(step·q − w)²/Σw², infinite if a weight is not finite.
float round_with_spares(const SpareLayout& layout, const std::vector<double>& w, std::vector<int32_t>& q,
                        double& nmse);

}  // namespace sns
