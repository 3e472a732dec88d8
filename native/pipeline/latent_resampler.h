#pragma once

#include <optional>
#include <vector>

#include "ops/gated_mlp/gated_mlp.h"
#include "ops/mlp/mlp.h"
#include "pipeline/blocks.h"
#include "pipeline/compressor.h"
#include "pipeline/config.h"

namespace sns {

struct LatentResamplerTensors {
  struct Layer {
    Affine norm_latents, norm_context, q, k, v, o, norm_mlp, gate /* gated only */, up, down;
  };
  const float* latents = nullptr;
  std::vector<Layer> layers;
  Affine norm;
};
LatentResamplerTensors take_latent_resampler(const LatentResamplerConfig& config, int64_t d_model,
                                             WeightReader& reader);

/// The resamplers of Idefics2 (RMS norms, grouped heads, gated MLP) and of Flamingo and IDEFICS-1 (layer
/// norms, plain MLP). In every layer the latents attend to [context; latents], both normed separately; no
/// biases but those of layer norms; a norm at the end. A limit takes the first latents.
class LatentResampler final : public Compressor {
 public:
  LatentResampler(const LatentResamplerConfig& config, int64_t d_model, const LatentResamplerTensors& tensors,
                  Parallel& parallel);

  int64_t dim() const override { return d_; }
  int64_t max_latents() const override { return config_.num_latents; }
  int64_t latents(int64_t tokens, int64_t limit) const override;
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits& limits) const override;
  void prepare(const CompressorMemory&) const override {}
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  /// Of the last layer. The weights that went to latents are not among them: rows add up to less than 1.
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

 private:
  struct Layer {
    Norm norm_latents, norm_context, norm_mlp;
    LinearWeights q, kv, out, gate, up, down;
  };
  struct Buffers {
    float* latents = nullptr;   ///< [max_latents, d]
    float* normed = nullptr;    ///< [max_latents, d]
    float* q = nullptr;         ///< [max_latents, q_width]
    float* attended = nullptr;  ///< [max_latents, y_width]
    float* context = nullptr;   ///< [max_tokens + max_latents, d]: normed [context; latents] of each sequence
    float* kv = nullptr;        ///< [max_tokens + max_latents, k_width + v_width]
    int64_t* cu_context = nullptr;  ///< [max_sequences + 1]
    float* sizes = nullptr;         ///< of the context's rows; only where the tokens have sizes
  };
  Buffers lay_out(Carver& carver, const CompressorLimits& limits) const;
  AttentionArgs args(const CompressorInput& in, const Buffers& buffers) const;

  LatentResamplerConfig config_;
  int64_t d_;
  AttentionShape shape_;
  AlignedArray<float> latents_;
  AlignedArray<float> normed_, q_;  ///< of the first layer: the same for every request
  std::vector<Layer> layers_;
  Norm norm_;
};

}  // namespace sns
