#pragma once

#include <optional>

#include "ops/segment_mean/segment_mean.h"
#include "pipeline/blocks.h"
#include "pipeline/compressor.h"
#include "pipeline/config.h"

namespace sns {

/// pool.norm and pool.dense, if the configuration asks for them.
struct MeanPoolTensors {
  Affine norm, dense;
};
MeanPoolTensors take_mean_pool(const PoolConfig& config, int64_t d_model, WeightReader& reader);

/// Means of tokens, optionally layer-normed afterwards. Mean: a sequence of n tokens is cut into k equal
/// runs (run i is tokens [⌊i·n/k⌋, ⌊(i+1)·n/k⌋)), k = min(count, limit, n) but at least 1; each gives its
/// mean. Prefix: the mean of the first min(count, n) tokens (ViT, CLIP: cls, count 1; AST: cls and
/// distillation, count 2), suffix: of the last (text: the end token), one latent a sequence, whatever the
/// limit. A sequence without tokens gives a mean of zeros. Behind the mean may stand a dense layer (ViT's
/// pooler, CLIP's projection).
class MeanPool final : public Compressor {
 public:
  MeanPool(const PoolConfig& config, int64_t d_model, const MeanPoolTensors& tensors);

  int64_t dim() const override { return dense_.out() > 0 ? dense_.out() : d_; }
  int64_t max_latents() const override { return kind_ == PoolKind::kMean ? count_ : 1; }
  int64_t latents(int64_t tokens, int64_t limit) const override;
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits& limits) const override;
  void prepare(const CompressorMemory&) const override {}
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

  /// Tokens of latent `i` of `latents` in a sequence of `tokens`, counted from the sequence's first.
  Segment segment(int64_t i, int64_t latents, int64_t tokens) const;

 private:
  struct Buffers {
    Segment* segments = nullptr;
    float* y = nullptr;
    float* dense = nullptr;  ///< what the dense layer gives, if there is one
  };
  int64_t max_rows(const CompressorLimits& limits) const;
  Buffers lay_out(Carver& carver, const CompressorLimits& limits) const;

  int64_t d_, count_;
  PoolKind kind_;
  Activation activation_;
  std::optional<Norm> norm_;
  LinearWeights dense_;
};

}  // namespace sns
