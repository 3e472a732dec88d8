#pragma once

#include <cstdint>

namespace sns {

/// 16 outputs of PatchEmbedBytes and where they go.
struct VnniPanel {
  int digit_count;           ///< of a weight: 2 or 3
  const int8_t* digits;      ///< [patch_bytes/4][digit_count][16][4]
  const int32_t* start;      ///< [digit_count][16]
  const float *step, *bias;  ///< [16]
  int64_t outputs;           ///< ≤ 16 that exist
  const float* position;     ///< [rows, ld_position] or null
  int64_t ld_position;
  float* y;
  int64_t ldy;
};

/// y[r] = step·Σ digits·patches[r] + bias + position[r] for `rows` patches of `patch_bytes` (a multiple of
/// 4). Call only where has_avx512_vnni().
void vnni_multiply(const VnniPanel& panel, const uint8_t* patches, int64_t rows, int64_t patch_bytes);

}  // namespace sns
