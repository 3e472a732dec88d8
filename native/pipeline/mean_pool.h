#pragma once

#include <optional>

#include "ops/segment_mean/segment_mean.h"
#include "pipeline/blocks.h"
#include "pipeline/compressor.h"
#include "pipeline/config.h"

namespace sns {

/// Means of tokens, optionally layer-normed afterwards. MeanPool: a sequence of n tokens is cut into k equal
/// runs (run i is tokens [⌊i·n/k⌋, ⌊(i+1)·n/k⌋)), k = min(count, limit, n) but at least 1; each gives its
/// mean. PrefixPool: the mean of the first min(count, n) tokens (ViT, CLIP: cls, count 1; AST: cls and
/// distillation, count 2), one latent a sequence, whatever the limit. A sequence without tokens gives a mean
/// of zeros.
class MeanPool final : public Compressor {
 public:
  /// `norm` is used if config.norm.
  MeanPool(const PoolConfig& config, int64_t d_model, const Affine& norm);

  int64_t dim() const override { return d_; }
  int64_t max_latents() const override { return prefix_ ? 1 : count_; }
  int64_t latents(int64_t tokens, int64_t limit) const override;
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits&) const override { return 0; }
  void prepare(const CompressorMemory&) const override {}
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

 private:
  struct Buffers {
    Segment* segments = nullptr;
    float* y = nullptr;
  };
  Buffers lay_out(Carver& carver, const CompressorLimits& limits) const;
  /// Tokens of latent `i` of `latents` in a sequence of `tokens`, counted from the sequence's first.
  Segment segment(int64_t i, int64_t latents, int64_t tokens) const;

  int64_t d_, count_;
  bool prefix_;
  std::optional<Norm> norm_;
};

/// pool.norm, if the configuration asks for it.
Affine take_mean_pool(const PoolConfig& config, int64_t d_model, WeightReader& reader);

}  // namespace sns
