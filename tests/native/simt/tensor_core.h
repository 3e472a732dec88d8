#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace simt {

/// c += a·b of bfloat16 values as tensor cores do it, at their coarsest: kTerms products at a time and the
/// sum so far are shifted to the largest one's exponent and cut off kExtraBits below its last bit, added, and
/// the sum cut off, not rounded. (Fasi et al., Numerical behavior of NVIDIA tensor cores, 2021; Khattak and
/// Mikaitis, Accurate models of NVIDIA tensor cores, 2025. One more bit is kept, and 16 products are taken at
/// a time, from compute capability 9.0 on.)
template <int kM, int kN, int kK>
void tensor_core(const float (&a)[kM][kK], const float (&b)[kK][kN], float (&c)[kM][kN]) {
  constexpr int kTerms = 8, kExtraBits = 1, kColumns = 8;  // columns at a time, for the stack and for SIMD
  constexpr uint32_t kExponent = 0x7F800000u, kLeast = 26u << 23;
  static_assert(kK % kTerms == 0 && kN % kColumns == 0);
  const auto bits_of = [](float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    return bits;
  };
  for (int r = 0; r < kM; ++r) {
    for (int n0 = 0; n0 < kN; n0 += kColumns) {
      for (int k0 = 0; k0 < kK; k0 += kTerms) {
        float terms[kTerms + 1][kColumns];
        uint32_t top[kColumns] = {};
        std::copy_n(&c[r][n0], kColumns, terms[kTerms]);
        for (int k = 0; k < kTerms; ++k) {
          for (int n = 0; n < kColumns; ++n) terms[k][n] = a[r][k0 + k] * b[k0 + k][n0 + n];
        }
        for (const auto& term : terms) {
          for (int n = 0; n < kColumns; ++n) top[n] = std::max(top[n], bits_of(term[n]) & kExponent);
        }
        int32_t sum[kColumns] = {};
        float scale[kColumns], unit[kColumns];  // 2^±(23 + kExtraBits - exponent)
        bool finite = true;
        for (int n = 0; n < kColumns; ++n) {
          finite = finite && top[n] < kExponent;
          const uint32_t exponent = std::clamp(top[n], kLeast, kExponent - (1u << 23));
          const uint32_t up = ((2 * 127 + 23 + kExtraBits) << 23) - exponent, down = (2u * 127 << 23) - up;
          std::memcpy(&scale[n], &up, sizeof(up));
          std::memcpy(&unit[n], &down, sizeof(down));
        }
        if (!finite) {
          for (int k = 0; k < kTerms; ++k) {
            for (int n = 0; n < kColumns; ++n) c[r][n0 + n] += terms[k][n];
          }
          continue;
        }
        for (const auto& term : terms) {
          for (int n = 0; n < kColumns; ++n) sum[n] += static_cast<int32_t>(term[n] * scale[n]);
        }
        for (int n = 0; n < kColumns; ++n) {
          double kept = sum[n];
          uint64_t bits;
          std::memcpy(&bits, &kept, sizeof(bits));
          bits &= ~uint64_t{0} << (52 - 23);
          std::memcpy(&kept, &bits, sizeof(bits));
          c[r][n0 + n] = static_cast<float>(kept) * unit[n];
        }
      }
    }
  }
}

}  // namespace simt
