#pragma once

#include <cstdint>

#include "core/activation.h"
#include "core/parallel.h"
#include "ops/segment_mean/segment_mean.h"

namespace sns {

// What stands between matrix products that are trained: their biases and activations, there and back. All
// rows are dense.

/// z = x + scale·bias + residual; y = activation(z).
struct BiasActivationArgs {
  const float* x = nullptr;  ///< [rows, dim]
  int64_t rows = 0, dim = 0;
  const float* bias = nullptr;  ///< [dim], or null: none
  float scale = 1;
  const float* residual = nullptr;  ///< [rows, dim], or null: none
  Activation activation = Activation::kNone;
  float* z = nullptr;  ///< [rows, dim], may be x; or null: not wanted
  float* y = nullptr;  ///< [rows, dim], may be x or residual
};

/// Back through activation and mean: for the rows of segment s, z ← activation'(z)·dy[s, :]/rows of s.
/// Segments do not overlap; rows of none stay as they are.
struct BiasActivationGradArgs {
  float* z = nullptr;  ///< [rows, dim] of the way there
  int64_t dim = 0;
  Activation activation = Activation::kNone;
  const Segment* segments = nullptr;
  int64_t segment_count = 0;
  const float* dy = nullptr;  ///< [segment_count, dim]
};

/// Of a bias that was added to all rows: y = scale·Σ rows of x, in float64.
struct BiasGradArgs {
  const float* x = nullptr;  ///< [rows, dim]
  int64_t rows = 0, dim = 0;
  float scale = 1;
  float* y = nullptr;  ///< [dim]
};

/// Bound on Σ(error)² over Σ(what it is relative to)²: a few roundings of |x| + |scale·bias| + |residual|, of
/// dy/rows, and of |scale|·Σ|x|. All three may cancel.
constexpr double kBiasActivationNmse = 1e-13;

void bias_activation_cpu(const BiasActivationArgs& args, Parallel& parallel);
void bias_activation_grad_cpu(const BiasActivationGradArgs& args, Parallel& parallel);
void bias_grad_cpu(const BiasGradArgs& args, Parallel& parallel);

/// float64 oracles. z and y [rows, dim]; dz [rows, dim] holds z and is written where a segment is; y [dim].
void bias_activation_ref(const BiasActivationArgs& args, double* z, double* y);
void bias_activation_grad_ref(const BiasActivationGradArgs& args, double* dz);
void bias_grad_ref(const BiasGradArgs& args, double* y);

}  // namespace sns
