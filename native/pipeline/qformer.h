#pragma once

#include <vector>

#include "ops/mlp/mlp.h"
#include "pipeline/blocks.h"
#include "pipeline/compressor.h"
#include "pipeline/config.h"

namespace sns {

struct QFormerTensors {
  struct Attention {
    Affine q, k, v, o, norm;
  };
  struct Layer {
    Attention self, cross /* of layers that read the inputs only */;
    Affine up, down, norm_mlp;
  };
  const float* queries = nullptr;
  Affine norm;
  std::vector<Layer> layers;
};
QFormerTensors take_qformer(const QFormerConfig& config, int64_t d_model, WeightReader& reader);

/// Q-Former (BLIP-2, Li et al. 2023), image path: layer-normed queries; in each layer self-attention, in
/// every `cross_frequency`-th (0, n, 2n, …) cross-attention to the inputs, and an MLP; each followed by its
/// residual and then a layer norm (post-norm). A limit takes the first queries.
class QFormer final : public Compressor {
 public:
  QFormer(const QFormerConfig& config, int64_t d_model, const QFormerTensors& tensors, Parallel& parallel);

  int64_t dim() const override { return config_.d_latents; }
  int64_t max_latents() const override { return config_.num_latents; }
  int64_t latents(int64_t tokens, int64_t limit) const override;
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits& limits) const override;
  void prepare(const CompressorMemory&) const override {}
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  /// Of the last layer that reads the inputs.
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

 private:
  struct Layer {
    bool reads = false;
    LinearWeights qkv, self_out, cross_q, cross_kv, cross_out, up, down;
    Norm self_norm, cross_norm, norm_mlp;
  };
  struct Buffers {
    float* x = nullptr;         ///< [max_latents, d]
    float* qkv = nullptr;       ///< [max_latents, 3·d]
    float* q = nullptr;         ///< [max_latents, d]
    float* attended = nullptr;  ///< [max_latents, d]
    float* kv = nullptr;        ///< [max_tokens, 2·d]
  };
  Buffers lay_out(Carver& carver, const CompressorLimits& limits) const;
  AttentionArgs cross(const CompressorInput& in, const Buffers& buffers) const;

  QFormerConfig config_;
  int64_t d_model_;
  AttentionShape shape_;
  AlignedArray<float> queries_;  ///< after their norm
  std::vector<Layer> layers_;
};

}  // namespace sns
