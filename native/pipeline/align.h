#pragma once

#include "core/activation.h"
#include "ops/contrastive/contrastive.h"
#include "pipeline/engine.h"

namespace sns {

/// One side of the pairs: rows → adapter (optional) → mean of an example's rows → head → L2 normalisation; as
/// a session computes its embeddings. Shapes are in sensorium.h (sns_align_side).
struct AlignSide {
  const float* rows = nullptr;
  int64_t rows_count = 0, d = 0;
  const int64_t* cu_rows = nullptr;  ///< null = one row an example
  int64_t bottleneck = 0;            ///< 0 = no adapter
  Activation activation = Activation::kGelu;
  float scale = 1;
  const float *weight = nullptr, *bias = nullptr;
  const float *down = nullptr, *down_bias = nullptr, *up = nullptr, *up_bias = nullptr;
  float *d_weight = nullptr, *d_bias = nullptr;  ///< gradients; null = not wanted
  float *d_down = nullptr, *d_down_bias = nullptr, *d_up = nullptr, *d_up_bias = nullptr;
};

struct AlignConfig {
  int64_t n = 0, dim = 0;
  ContrastiveLoss loss = ContrastiveLoss::kClip;
  float logit_scale = 0, logit_bias = 0;
};

/// Throws naming the field where sizes do not fit or a value is not finite.
void validate(const AlignConfig& config, const AlignSide& x, const AlignSide& y);

/// Loss of n pairs and its gradients, on the CPU. Throws naming the field where sizes do not fit or a value
/// is not finite. Nothing is written by a call that throws. Numbers do not depend on threads.
ContrastiveResult align_step(Engine& engine, const AlignConfig& config, const AlignSide& x,
                             const AlignSide& y);

}  // namespace sns
