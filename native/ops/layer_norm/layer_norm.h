#pragma once

#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// y = (x − mean(x))/√(var(x) + eps)·gamma + beta over the last dimension; biased variance, two passes
/// (torch.nn.LayerNorm). y may be x. Strides in elements.
struct LayerNormArgs {
  const float* x = nullptr;
  int64_t rows = 0, dim = 0;
  int64_t ldx = 0;
  const float* gamma = nullptr;  ///< [dim]
  const float* beta = nullptr;   ///< [dim] or null
  float eps = 1e-5f;
  float* y = nullptr;
  int64_t ldy = 0;
};

constexpr double kLayerNormNmse = 1e-11;

void layer_norm_cpu(const LayerNormArgs& args, Parallel& parallel);
/// float64 oracle; y is dense [rows, dim].
void layer_norm_ref(const LayerNormArgs& args, double* y);

}  // namespace sns
