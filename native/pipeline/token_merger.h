#pragma once

#include "pipeline/compressor.h"
#include "pipeline/config.h"

namespace sns {

/// Repeated bipartite soft matching (ToMe, ops/token_merge): rounds that merge half of the tokens, and a last
/// one that merges just enough, until min(num_latents, limit) are left; sizes are carried along, so that a
/// latent is the mean of the tokens in it. The metric is the tokens themselves. With protect_first a
/// sequence's first token (cls) is never merged and stays the first; only one can be, because a round moves
/// the other tokens. A sequence without tokens gives no latents.
class TokenMerger final : public Compressor {
 public:
  TokenMerger(const MergeConfig& config, int64_t d_model) : config_(config), d_(d_model) {}

  int64_t dim() const override { return d_; }
  int64_t max_latents() const override { return config_.num_latents; }
  int64_t latents(int64_t tokens, int64_t limit) const override;
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits& limits) const override;
  void prepare(const CompressorMemory&) const override {}
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  /// Most rows that a request is merged to.
  int64_t max_rows(const CompressorLimits& limits) const;
  /// What the last run left.
  struct Merged {
    const float* y = nullptr;         ///< [cu_latents[sequences], d]
    const float* size = nullptr;      ///< [cu_latents[sequences]] tokens in each
    const int32_t* latent = nullptr;  ///< [cu_tokens[sequences]] of its sequence, that each token is in
  };
  Merged merged(const CompressorMemory& memory) const;
  /// Each token went to one latent: 1/size there, 0 elsewhere.
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

 private:
  struct Buffers {
    float* half[2] = {};        ///< [⌈(max_tokens + protected)/2⌉, d]: what rounds but the last give
    float* half_size[2] = {};   ///< [⌈(max_tokens + protected)/2⌉]
    int32_t* index = nullptr;   ///< [max_tokens] of one round
    int32_t* latent = nullptr;  ///< [max_tokens] of its sequence, that each token is in
    float* y = nullptr;
    float* size = nullptr;
  };
  Buffers lay_out(Carver& carver, const CompressorLimits& limits) const;

  MergeConfig config_;
  int64_t d_;
};

}  // namespace sns
