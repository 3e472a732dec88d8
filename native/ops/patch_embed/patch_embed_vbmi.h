#pragma once

#include <cstdint>

namespace sns {

/// 32 outputs of PatchEmbedBytes, one byte a weight with spares, and where they go.
struct VbmiBlock {
  static constexpr int64_t kOutputs = 32;
  /// Of the weights for 16 bytes of a patch: [4][2][16][4] digits for as many groups of four bytes and panels
  /// of 16 outputs, then for each panel [16][4] bytes that say which of the slice's 64 pixels the spares
  /// take, and their [16][4] digits.
  static constexpr int64_t kQuarterBytes = 4 * 2 * 64 + 2 * 2 * 64;
  const int8_t* quarters;    ///< [patch_bytes/16][kQuarterBytes]
  const int32_t* start;      ///< [32]
  const float *step, *bias;  ///< [32]
  int64_t outputs;           ///< ≤ 32 that exist
  const float* position;     ///< [rows, ld_position] or null
  int64_t ld_position;
  float* y;
  int64_t ldy;
};

/// y[r] = step·(start + Σ digits·patches[r]) + bias + position[r] for `rows` patches of `patch_bytes` (a
/// multiple of 64). Call only where has_avx512_vbmi().
void vbmi_multiply(const VbmiBlock& block, const uint8_t* patches, int64_t rows, int64_t patch_bytes);

}  // namespace sns
