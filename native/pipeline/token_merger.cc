#include "pipeline/token_merger.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "ops/token_merge/token_merge.h"

namespace sns {

int64_t TokenMerger::latents(int64_t tokens, int64_t limit) const {
  // A protected token has nobody to merge with, and so has its last neighbour.
  const int64_t least = config_.protect_first ? 2 : 1;
  return std::min(tokens, std::max(least, std::min(limit, config_.num_latents)));
}

int64_t TokenMerger::max_rows(const CompressorLimits& limits) const {
  return std::min(limits.max_tokens, checked_mul(limits.max_sequences,
                                                 std::max<int64_t>(2, config_.num_latents), "max_sequences"));
}

TokenMerger::Buffers TokenMerger::lay_out(Carver& carver, const CompressorLimits& limits) const {
  // A protected token has nobody to merge with.
  const int64_t half = (limits.max_tokens + (config_.protect_first ? 2 : 1)) / 2;
  const int64_t rows = max_rows(limits);
  Buffers b;
  for (int i = 0; i < 2; ++i) {
    b.half[i] = carver.take<float>(checked_mul(half, d_, "max_tokens"));
    b.half_size[i] = carver.take<float>(half);
  }
  b.index = carver.take<int32_t>(limits.max_tokens);
  b.latent = carver.take<int32_t>(limits.max_tokens);
  b.y = carver.take<float>(checked_mul(rows, d_, "max_tokens"));
  b.size = carver.take<float>(rows);
  return b;
}

TokenMerger::Merged TokenMerger::merged(const CompressorMemory& memory) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  return {b.y, b.size, b.latent};
}

size_t TokenMerger::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, limits);
  return carver.bytes();
}

size_t TokenMerger::scratch(const CompressorLimits& limits) const {
  TokenMergeArgs a;
  a.rows = limits.max_tokens;
  a.dim = a.ldx = a.ldy = a.metric_dim = a.ld_metric = d_;
  a.merge = a.rows / 2;
  const size_t all = token_merge_scratch(a, limits.threads);
  a.merge = std::min<int64_t>(a.rows / 2, 1);  // more rows are left then
  return std::max(all, token_merge_scratch(a, limits.threads));
}

const float* TokenMerger::run(const CompressorInput& in, const CompressorMemory& memory,
                              Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  const int64_t protect = config_.protect_first ? 1 : 0;
  for (int64_t s = 0; s < in.sequences; ++s) {
    const int64_t tokens = in.cu_tokens[s + 1] - in.cu_tokens[s];
    const int64_t wanted = in.cu_latents[s + 1] - in.cu_latents[s];
    int32_t* latent = b.latent + in.cu_tokens[s];
    float* y = b.y + in.cu_latents[s] * d_;
    float* y_size = b.size + in.cu_latents[s];
    std::iota(latent, latent + tokens, 0);
    const float* x = in.tokens + in.cu_tokens[s] * d_;
    if (tokens == wanted) {
      std::memcpy(y, x, static_cast<size_t>(tokens * d_) * sizeof(float));
      std::fill_n(y_size, tokens, 1.0f);
      continue;
    }
    const float* size = nullptr;
    int64_t rows = tokens;
    for (int turn = 0; rows > wanted; turn ^= 1) {
      TokenMergeArgs a;
      a.x = a.metric = x;
      a.rows = rows;
      a.dim = a.ldx = a.ldy = a.metric_dim = a.ld_metric = d_;
      a.size = size;
      a.protect = protect;
      a.merge = std::min(rows - wanted, (rows - protect) / 2);
      const int64_t left = rows - a.merge;
      a.y = left == wanted ? y : b.half[turn];
      a.y_size = left == wanted ? y_size : b.half_size[turn];
      a.y_index = b.index;
      token_merge_cpu(a, memory.scratch, parallel);
      for (int64_t t = 0; t < tokens; ++t) latent[t] = b.index[latent[t]];
      x = a.y;
      size = a.y_size;
      rows = left;
    }
  }
  return b.y;
}

void TokenMerger::attention(const CompressorInput& in, const CompressorMemory& memory, int64_t s, float* out,
                            Parallel&) const {
  const Merged m = merged(memory);
  const int64_t tokens = in.cu_tokens[s + 1] - in.cu_tokens[s];
  const int64_t latents = in.cu_latents[s + 1] - in.cu_latents[s];
  const int32_t* latent = m.latent + in.cu_tokens[s];
  std::fill(out, out + latents * tokens, 0.0f);
  for (int64_t t = 0; t < tokens; ++t)
    out[latent[t] * tokens + t] = 1.0f / m.size[in.cu_latents[s] + latent[t]];
}

}  // namespace sns
