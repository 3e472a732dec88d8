#pragma once

#include <cstdint>

#include "backend/cpu/vnni.h"

namespace sns {

/// Of the 16 lanes from output `first` on, those that exist.
inline __mmask16 lanes_of(int64_t outputs, int64_t first) {
  const int64_t left = outputs - first;
  return static_cast<__mmask16>(left >= 16 ? 0xFFFF : left > 0 ? (1u << left) - 1 : 0);
}

/// 16 outputs of a patch from the sums over its weights' digits: y = Σ 256^i·step·sum[i] + bias + position.
template <int kDigits>
SNS_VNNI_INLINE void store(const __m512i* sum, const float* step, const float* bias, const float* position,
                           __mmask16 lanes, float* y) {
  __m512 scale = _mm512_load_ps(step), value = _mm512_load_ps(bias);
#pragma GCC unroll 3
  for (int i = 0; i < kDigits; ++i) {
    value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[i]), scale, value);
    scale = _mm512_mul_ps(scale, _mm512_set1_ps(256.0f));
  }
  if (position) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(lanes, position));
  _mm512_mask_storeu_ps(y, lanes, value);
}

}  // namespace sns
