#pragma once

#include <cmath>
#include <cstdint>

namespace sns {

// Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", 2023, in the form that published
// tokenizers use (vector-quantize-pytorch): half range (L−1)/2·(1+ε), and for an even L a shift of
// atanh(½ / half range), so that 0 falls on a step. (The paper's appendix has (1−ε) and tan.)

constexpr int64_t kFiniteScalarMaxDim = 16;

/// Step = round(tanh(z + shift)·half − offset).
struct FiniteScalarBound {
  double half = 0, shift = 0, offset = 0;
};

inline FiniteScalarBound finite_scalar_bound(int32_t levels) {
  constexpr double kEpsilon = 1e-3;
  const double half = (levels - 1) * (1 + kEpsilon) / 2, offset = levels % 2 == 0 ? 0.5 : 0.0;
  return {half, offset == 0 ? 0.0 : std::atanh(offset / half), offset};
}

}  // namespace sns
