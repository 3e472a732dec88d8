#pragma once

#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// y = x / max(‖x‖₂, eps), row by row (torch.nn.functional.normalize). Strides in elements; y may be x.
struct L2NormalizeArgs {
  const float* x = nullptr;
  int64_t rows = 0, dim = 0, ldx = 0;
  float eps = 1e-12f;
  float* y = nullptr;
  int64_t ldy = 0;
};

/// Bound on NMSE against l2_normalize_ref.
constexpr double kL2NormalizeNmse = 1e-12;

void l2_normalize_cpu(const L2NormalizeArgs& args, Parallel& parallel);
void l2_normalize_ref(const L2NormalizeArgs& args, double* y);

/// Its gradient: dx = (dy − ŷ(ŷ·dy))/‖x‖, or dy/eps where ‖x‖ ≤ eps. args.y is dx (may be dy, not x); dy has
/// stride lddy. The error is bounded relative to dy/max(‖x‖, eps), which is what the projection cancels
/// against: Σ(dx−ref)² ≤ kL2NormalizeNmse·Σ(dy/max(‖x‖, eps))².
void l2_normalize_grad_cpu(const L2NormalizeArgs& args, const float* dy, int64_t lddy, Parallel& parallel);
void l2_normalize_grad_ref(const L2NormalizeArgs& args, const float* dy, int64_t lddy, double* dx);

}  // namespace sns
