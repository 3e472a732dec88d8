#pragma once

#include "ops/mlp/mlp.h"
#include "pipeline/compressor.h"
#include "pipeline/config.h"
#include "pipeline/cross_attention.h"

namespace sns {

struct AttentionPoolTensors {
  const float *probe = nullptr, *in_weight = nullptr, *in_bias = nullptr;
  Affine o, norm, up, down;
};
AttentionPoolTensors take_attention_pool(const PoolConfig& config, int64_t d_model, WeightReader& reader);

/// The probe [d_model] projected to the one query.
AlignedArray<float> projected_probe(const AttentionPoolTensors& tensors, int64_t d_model, Parallel& parallel);

/// SigLIP's head (multi-head attention pooling, Lee et al. 2019): a learned probe reads the sequence;
/// y = a + MLP(LayerNorm(a)). One latent a sequence, whatever the limit.
class AttentionPool final : public Compressor {
 public:
  AttentionPool(const PoolConfig& config, int64_t d_model, const AttentionPoolTensors& tensors,
                Parallel& parallel);

  int64_t dim() const override { return d_; }
  int64_t max_latents() const override { return 1; }
  int64_t latents(int64_t, int64_t) const override { return 1; }
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits& limits) const override;
  void prepare(const CompressorMemory& memory) const override;
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  /// `in.tokens` must still hold what was run.
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

 private:
  struct Buffers {
    LearnedCrossAttention::Buffers attention;
    float *attended = nullptr, *normed = nullptr, *y = nullptr;  ///< [max_sequences, d_model]
  };
  Buffers lay_out(Carver& carver, const CompressorLimits& limits) const;

  int64_t d_;
  Activation activation_;
  LearnedCrossAttention attention_;
  Norm norm_;
  LinearWeights out_, up_, down_;
};

}  // namespace sns
