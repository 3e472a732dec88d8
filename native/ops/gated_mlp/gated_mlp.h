#pragma once

#include "ops/linear/linear.h"

namespace sns {

/// y = down·(act(gate·x) ⊙ up·x) + residual (null = none; may be y); SwiGLU (Shazeer 2020) with kSilu.
/// x is [rows, gate.in()], y and residual [rows, down.out()]; strides in elements. gate and up have the same
/// shape.
struct GatedMlpArgs {
  const float* x = nullptr;
  int64_t rows = 0;
  int64_t ldx = 0;
  float* y = nullptr;
  int64_t ldy = 0;
  Activation activation = Activation::kSilu;
  const float* residual = nullptr;
  int64_t ld_residual = 0;
};

constexpr double kGatedMlpNmse = 1e-10;

/// The hidden layer lives in scratch, a block of rows at a time. A row's result does not depend on the other
/// rows, on `rows` or on threads.
size_t gated_mlp_scratch(const LinearWeights& gate, const LinearWeights& up, const LinearWeights& down,
                         int64_t rows, int threads);
void gated_mlp_cpu(const LinearWeights& gate, const LinearWeights& up, const LinearWeights& down,
                   const GatedMlpArgs& args, void* scratch, Parallel& parallel);

/// float64 oracle on unpacked weights (gate and up [hidden, in], down [out, hidden], without biases); y is
/// dense.
void gated_mlp_ref(const float* gate, const float* up, const float* down, int64_t in, int64_t hidden,
                   int64_t out, const GatedMlpArgs& args, double* y);

}  // namespace sns
