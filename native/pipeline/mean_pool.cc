#include "pipeline/mean_pool.h"

#include <algorithm>

namespace sns {

MeanPoolTensors take_mean_pool(const PoolConfig& c, int64_t d, WeightReader& reader) {
  MeanPoolTensors t;
  if (c.norm) t.norm = take_norm(reader, "pool.norm", d);
  if (c.dense > 0) t.dense = take_linear(reader, "pool.dense", c.dense, d, c.dense_bias);
  return t;
}

MeanPool::MeanPool(const PoolConfig& c, int64_t d, const MeanPoolTensors& t)
    : d_(d), count_(c.count), kind_(c.kind), activation_(c.activation) {
  if (c.norm) norm_.emplace(t.norm, d, c.norm_eps);
  if (c.dense > 0) dense_ = LinearWeights(t.dense.weight, t.dense.bias, c.dense, d, t.dense.precision);
}

int64_t MeanPool::latents(int64_t tokens, int64_t limit) const {
  return kind_ == PoolKind::kMean ? std::max<int64_t>(1, std::min({count_, limit, tokens})) : 1;
}

int64_t MeanPool::max_rows(const CompressorLimits& limits) const {
  // A sequence has no more latents than tokens, but for one that has none.
  const int64_t most = checked_mul(limits.max_sequences, max_latents(), "max_sequences");
  return std::min(most, checked_add(limits.max_tokens, limits.max_sequences, "max_tokens"));
}

MeanPool::Buffers MeanPool::lay_out(Carver& carver, const CompressorLimits& limits) const {
  const int64_t rows = max_rows(limits);
  Buffers b;
  b.segments = carver.take<Segment>(rows);
  b.y = carver.take<float>(checked_mul(rows, d_, "max_sequences"));
  if (dense_.out() > 0) b.dense = carver.take<float>(checked_mul(rows, dense_.out(), "max_sequences"));
  return b;
}

size_t MeanPool::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, limits);
  return carver.bytes();
}

size_t MeanPool::scratch(const CompressorLimits& limits) const {
  return dense_.out() > 0 ? linear_scratch(dense_, max_rows(limits), limits.threads) : 0;
}

Segment MeanPool::segment(int64_t i, int64_t latents, int64_t tokens) const {
  const int64_t few = std::min(count_, tokens);
  if (kind_ == PoolKind::kPrefix) return {0, few};
  if (kind_ == PoolKind::kSuffix) return {tokens - few, few};
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
  if (dense_.out() == 0 || a.segment_count == 0) return b.y;
  LinearArgs dense;
  dense.x = b.y;
  dense.rows = a.segment_count;
  dense.ldx = d_;
  dense.y = b.dense;
  dense.ldy = dense_.out();
  dense.activation = activation_;
  linear_cpu(dense_, dense, memory.scratch, parallel);
  return b.dense;
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
