#pragma once

#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// y = x/√(mean(x²) + eps)·gamma over the last dimension (Zhang & Sennrich 2019; LlamaRMSNorm). y may be x.
/// Strides in elements.
struct RmsNormArgs {
  const float* x = nullptr;
  int64_t rows = 0, dim = 0;
  int64_t ldx = 0;
  const float* gamma = nullptr;  ///< [dim]
  float eps = 1e-6f;
  float* y = nullptr;
  int64_t ldy = 0;
};

constexpr double kRmsNormNmse = 1e-12;

/// A row's result does not depend on the other rows or on threads.
void rms_norm_cpu(const RmsNormArgs& args, Parallel& parallel);
/// float64 oracle; y is dense [rows, dim].
void rms_norm_ref(const RmsNormArgs& args, double* y);

}  // namespace sns
