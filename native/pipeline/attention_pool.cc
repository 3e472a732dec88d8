#include "pipeline/attention_pool.h"

#include <algorithm>

namespace sns {

AttentionPoolTensors take_attention_pool(const PoolConfig& c, int64_t d, WeightReader& reader) {
  if (d % c.heads != 0) {
    throw Error(Code::kInvalidArgument, "pool.heads",
                "pool.heads: " + std::to_string(d) + " channels do not divide into " +
                    std::to_string(c.heads) + " heads");
  }
  AttentionPoolTensors t;
  t.probe = reader.take("pool.probe", {1, d});
  t.in_weight = reader.take("pool.in.weight", {checked_mul(3, d, "d_model"), d});
  t.in_bias = reader.take("pool.in.bias", {3 * d});
  t.o = take_linear(reader, "pool.o", d, d);
  t.norm = take_norm(reader, "pool.norm", d);
  t.up = take_linear(reader, "pool.mlp.up", c.mlp_hidden, d);
  t.down = take_linear(reader, "pool.mlp.down", d, c.mlp_hidden);
  return t;
}

AlignedArray<float> projected_probe(const AttentionPoolTensors& t, int64_t d, Parallel& parallel) {
  const LinearWeights w(t.in_weight, t.in_bias, d, d);  // Q comes first, then K and V
  AlignedArray<float> q(d);
  AlignedArray<unsigned char> scratch(static_cast<int64_t>(linear_scratch(w, 1, parallel.threads())));
  linear(w, t.probe, d, 1, q.data(), d, nullptr, scratch.data(), parallel);
  return q;
}

AttentionPool::AttentionPool(const PoolConfig& c, int64_t d, const AttentionPoolTensors& t,
                             Parallel& parallel)
    : d_(d),
      activation_(c.activation),
      norm_(t.norm, d, c.norm_eps),
      out_(packed(t.o, d, d)),
      up_(packed(t.up, c.mlp_hidden, d)),
      down_(packed(t.down, d, c.mlp_hidden)) {
  const AlignedArray<float> q = projected_probe(t, d, parallel);
  attention_ = LearnedCrossAttention(q.data(), 1, d, c.heads, d, d,
                                     {{t.in_weight + d * d, t.in_bias + d, t.o.precision},
                                      {t.in_weight + 2 * d * d, t.in_bias + 2 * d, t.o.precision}});
}

AttentionPool::Buffers AttentionPool::lay_out(Carver& carver, const CompressorLimits& limits) const {
  const int64_t size = checked_mul(limits.max_sequences, d_, "max_sequences");
  Buffers b;
  b.attention = attention_.lay_out(carver, limits.max_tokens, limits.max_sequences);
  b.attended = carver.take<float>(size);
  b.normed = carver.take<float>(size);
  b.y = carver.take<float>(size);
  return b;
}

size_t AttentionPool::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, limits);
  return carver.bytes();
}

size_t AttentionPool::scratch(const CompressorLimits& limits) const {
  return std::max({attention_.scratch(limits.max_tokens, limits.max_sequences, limits.threads),
                   linear_scratch(out_, limits.max_sequences, limits.threads),
                   mlp_scratch(up_, down_, limits.max_sequences, limits.threads)});
}

void AttentionPool::prepare(const CompressorMemory& memory) const {
  Carver carver(memory.workspace);
  attention_.prepare(lay_out(carver, memory.limits).attention);
}

const float* AttentionPool::run(const CompressorInput& in, const CompressorMemory& memory,
                                Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  const int64_t rows = in.latents_count();
  attention_.run({in.tokens, in.cu_tokens, in.sizes}, in.cu_latents, in.sequences, b.attention, b.attended,
                 memory.scratch, parallel);
  linear(out_, b.attended, d_, rows, b.y, d_, nullptr, memory.scratch, parallel);
  norm_.run(b.y, rows, b.normed, parallel);
  MlpArgs mlp;
  mlp.x = b.normed;
  mlp.rows = rows;
  mlp.ldx = mlp.ldy = mlp.ld_residual = d_;
  mlp.y = b.y;
  mlp.activation = activation_;
  mlp.residual = b.y;
  mlp_cpu(up_, down_, mlp, memory.scratch, parallel);
  return b.y;
}

void AttentionPool::attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence,
                              float* out, Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  attention_.weights({in.tokens, in.cu_tokens, in.sizes}, in.cu_latents, in.sequences, b.attention, sequence,
                     out, parallel);
}

}  // namespace sns
