#pragma once

#include <cstdint>
#include <cstring>

namespace simt {

/// The nearest float on the side of zero.
inline float truncated(double x) {
  auto f = static_cast<float>(x);
  const double back = f;
  if ((x > 0 && back > x) || (x < 0 && back < x)) {
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof(bits));
    --bits;
    std::memcpy(&f, &bits, sizeof(bits));
  }
  return f;
}

/// c += a·b of bfloat16 values as tensor cores do it, at their coarsest: the products and the sum so far are
/// added exactly, and the result is cut off, not rounded. (Fasi et al., Numerical behavior of NVIDIA tensor
/// cores, 2021.)
template <int kM, int kN, int kK>
void tensor_core(const float (&a)[kM][kK], const float (&b)[kK][kN], float (&c)[kM][kN]) {
  for (int r = 0; r < kM; ++r) {
    double sum[kN] = {};
    for (int k = 0; k < kK; ++k) {
      for (int n = 0; n < kN; ++n) sum[n] += static_cast<double>(a[r][k]) * static_cast<double>(b[k][n]);
    }
    for (int n = 0; n < kN; ++n) c[r][n] = truncated(static_cast<double>(c[r][n]) + sum[n]);
  }
}

}  // namespace simt
