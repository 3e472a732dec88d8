#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory.h"
#include "core/parallel.h"

namespace sns {

/// Packed tokens of a request and how many latents each sequence is to become.
struct CompressorInput {
  const float* tokens = nullptr;        ///< [cu_tokens[sequences], d_model]
  const int64_t* cu_tokens = nullptr;   ///< [sequences + 1]
  const int64_t* cu_latents = nullptr;  ///< [sequences + 1], differences as Compressor::latents said
  int64_t sequences = 0;
  /// [cu_tokens[sequences]] how many tokens each stands for, as token merging leaves them; null = 1 each.
  const float* sizes = nullptr;

  int64_t tokens_count() const { return cu_tokens[sequences]; }
  int64_t latents_count() const { return cu_latents[sequences]; }
};

/// The largest request of a session.
struct CompressorLimits {
  int64_t max_tokens = 0, max_sequences = 0;
  int threads = 1;
};

/// What a session keeps for its compressor: `workspace` lives from request to request, `scratch` is shared
/// with other stages.
struct CompressorMemory {
  CompressorLimits limits;
  void* workspace = nullptr;
  void* scratch = nullptr;
};

/// Packed tokens → packed latents; immutable, shared by sessions. A sequence's latents do not depend on its
/// neighbours, its place in the batch, or threads.
class Compressor {
 public:
  virtual ~Compressor() = default;
  /// Width of a latent.
  virtual int64_t dim() const = 0;
  /// Most latents that one sequence gives.
  virtual int64_t max_latents() const = 0;
  /// Latents of a sequence of `tokens` of which the caller wants at most `limit` (≥ 1).
  virtual int64_t latents(int64_t tokens, int64_t limit) const = 0;

  /// Bytes of CompressorMemory::workspace and ::scratch.
  virtual size_t workspace(const CompressorLimits& limits) const = 0;
  virtual size_t scratch(const CompressorLimits& limits) const = 0;
  /// Once, before the first run with a new workspace.
  virtual void prepare(const CompressorMemory& memory) const = 0;
  /// Returns latents [cu_latents[sequences], dim] inside the workspace, valid until the next run.
  virtual const float* run(const CompressorInput& in, const CompressorMemory& memory,
                           Parallel& parallel) const = 0;

  /// What each latent of a sequence took from each of its tokens: out [latents, tokens], rows of weights that
  /// are not negative. Attention weights are averaged over heads and recomputed from what the last run left
  /// in the workspace; `in` is that run's. Allocates.
  virtual void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence,
                         float* out, Parallel& parallel) const = 0;
};

}  // namespace sns
