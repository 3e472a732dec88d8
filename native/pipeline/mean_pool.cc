#include "pipeline/mean_pool.h"

#include <algorithm>

namespace sns {

Affine take_mean_pool(const PoolConfig& config, int64_t d_model, WeightReader& reader) {
  return config.norm ? take_norm(reader, "pool.norm", d_model) : Affine();
}

MeanPool::MeanPool(const PoolConfig& config, int64_t d_model, const Affine& norm)
    : d_(d_model), count_(config.count), prefix_(config.kind == PoolKind::kPrefix) {
  if (config.norm) norm_.emplace(norm, d_model, config.norm_eps);
}

int64_t MeanPool::latents(int64_t tokens, int64_t limit) const {
  return prefix_ ? 1 : std::max<int64_t>(1, std::min({count_, limit, tokens}));
}

MeanPool::Buffers MeanPool::lay_out(Carver& carver, const CompressorLimits& limits) const {
  // A sequence has no more latents than tokens, but for one that has none.
  const int64_t most = checked_mul(limits.max_sequences, max_latents(), "max_sequences");
  const int64_t rows = std::min(most, checked_add(limits.max_tokens, limits.max_sequences, "max_tokens"));
  Buffers b;
  b.segments = carver.take<Segment>(rows);
  b.y = carver.take<float>(checked_mul(rows, d_, "max_sequences"));
  return b;
}

size_t MeanPool::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, limits);
  return carver.bytes();
}

Segment MeanPool::segment(int64_t i, int64_t latents, int64_t tokens) const {
  if (prefix_) return {0, std::min(count_, tokens)};
  const int64_t first = i * tokens / latents;
  return {first, (i + 1) * tokens / latents - first};
}

const float* MeanPool::run(const CompressorInput& in, const CompressorMemory& memory,
                           Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  for (int64_t s = 0; s < in.sequences; ++s) {
    const int64_t first = in.cu_latents[s], latents = in.cu_latents[s + 1] - first;
    for (int64_t i = 0; i < latents; ++i) {
      b.segments[first + i] = segment(i, latents, in.cu_tokens[s + 1] - in.cu_tokens[s]);
      b.segments[first + i].first += in.cu_tokens[s];
    }
  }
  SegmentMeanArgs a;
  a.x = in.tokens;
  a.dim = a.ldx = a.ldy = d_;
  a.segments = b.segments;
  a.segment_count = in.latents_count();
  a.y = b.y;
  segment_mean_cpu(a, parallel);
  if (norm_) norm_->run(b.y, a.segment_count, b.y, parallel);
  return b.y;
}

void MeanPool::attention(const CompressorInput& in, const CompressorMemory&, int64_t s, float* out,
                         Parallel&) const {
  const int64_t tokens = in.cu_tokens[s + 1] - in.cu_tokens[s];
  const int64_t latents = in.cu_latents[s + 1] - in.cu_latents[s];
  std::fill(out, out + latents * tokens, 0.0f);
  for (int64_t i = 0; i < latents; ++i) {
    const Segment g = segment(i, latents, tokens);
    if (g.count == 0) continue;
    float* row = out + i * tokens + g.first;
    std::fill(row, row + g.count, 1.0f / static_cast<float>(g.count));
  }
}

}  // namespace sns
