#pragma once

#include <memory>

#include "pipeline/token_merger.h"

namespace sns {

/// Token merging, then a compressor that attends to what is left: each merged token counts as many times as
/// tokens are in it (log(size) on its scores, ToMe's proportional attention).
class MergeFirst final : public Compressor {
 public:
  MergeFirst(const MergeConfig& config, int64_t d_model, std::unique_ptr<const Compressor> then)
      : merger_(config, d_model), then_(std::move(then)) {}

  int64_t dim() const override { return then_->dim(); }
  int64_t max_latents() const override { return then_->max_latents(); }
  int64_t latents(int64_t tokens, int64_t limit) const override;
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits& limits) const override;
  void prepare(const CompressorMemory& memory) const override;
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  /// A merged token's weight is shared by the tokens in it.
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

 private:
  struct Pieces {
    CompressorMemory merger, then;
    int64_t* cu_merged = nullptr;  ///< [max_sequences + 1]
  };
  Pieces lay_out(Carver& carver, const CompressorMemory& memory) const;
  CompressorLimits limits_then(const CompressorLimits& limits) const;
  /// What the second compressor reads.
  CompressorInput merged(const CompressorInput& in, const Pieces& pieces) const;
  /// Tokens of a sequence that are left.
  int64_t left(int64_t tokens) const { return merger_.latents(tokens, merger_.max_latents()); }

  TokenMerger merger_;
  std::unique_ptr<const Compressor> then_;
};

}  // namespace sns
