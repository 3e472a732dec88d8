#pragma once

#include "ops/linear/linear.h"

namespace sns {

/// Two linear layers: y = W₂·act(W₁x + b₁) + b₂ + residual (null = none; may be y).
/// x is [rows, up.in()], y and residual [rows, down.out()]; strides in elements.
struct MlpArgs {
  const float* x = nullptr;
  int64_t rows = 0;
  int64_t ldx = 0;
  float* y = nullptr;
  int64_t ldy = 0;
  Activation activation = Activation::kGelu;
  const float* residual = nullptr;
  int64_t ld_residual = 0;
};

constexpr double kMlpNmse = 1e-10;

/// The hidden layer lives in scratch, a block of rows at a time: it never reaches main memory as a whole.
size_t mlp_scratch(const LinearWeights& up, const LinearWeights& down, int64_t rows, int threads);
void mlp_cpu(const LinearWeights& up, const LinearWeights& down, const MlpArgs& args, void* scratch,
             Parallel& parallel);

/// float64 oracle on unpacked weights ([hidden, in], [out, hidden]; biases may be null); y is dense.
void mlp_ref(const float* up, const float* up_bias, const float* down, const float* down_bias, int64_t in,
             int64_t hidden, int64_t out, const MlpArgs& args, double* y);

}  // namespace sns
