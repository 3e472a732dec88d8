#include "pipeline/qformer.h"

#include <algorithm>
#include <cstring>

#include "pipeline/fold.h"

namespace sns {

QFormerTensors take_qformer(const QFormerConfig& c, int64_t d_model, WeightReader& reader) {
  const int64_t d = c.d_latents;
  QFormerTensors t;
  t.queries = reader.take("qformer.queries", {c.num_latents, d});
  t.norm = take_norm(reader, "qformer.norm", d);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string stem = "qformer." + std::to_string(i) + ".";
    const auto attention = [&](const std::string& name, int64_t in) {
      QFormerTensors::Attention a;
      a.q = take_linear(reader, stem + name + ".q", d, d);
      a.k = take_linear(reader, stem + name + ".k", d, in);
      a.v = take_linear(reader, stem + name + ".v", d, in);
      a.o = take_linear(reader, stem + name + ".o", d, d);
      a.norm = take_norm(reader, stem + name + ".norm", d);
      return a;
    };
    QFormerTensors::Layer l;
    l.self = attention("self", d);
    if (i % c.cross_frequency == 0) l.cross = attention("cross", d_model);
    l.up = take_linear(reader, stem + "mlp.up", c.mlp_hidden, d);
    l.down = take_linear(reader, stem + "mlp.down", d, c.mlp_hidden);
    l.norm_mlp = take_norm(reader, stem + "mlp.norm", d);
    t.layers.push_back(l);
  }
  return t;
}

QFormer::QFormer(const QFormerConfig& c, int64_t d_model, const QFormerTensors& t, Parallel& parallel)
    : config_(c),
      d_model_(d_model),
      shape_(AttentionShape::of_channels(c.heads, c.d_latents, c.d_latents)),
      queries_(folded(t.queries, c.num_latents, c.d_latents, nullptr)) {
  const int64_t d = c.d_latents;
  Norm(t.norm, d, c.norm_eps).run(queries_.data(), c.num_latents, queries_.data(), parallel);
  layers_.reserve(t.layers.size());
  for (const QFormerTensors::Layer& l : t.layers) {
    Layer layer;
    layer.reads = l.cross.q.weight != nullptr;
    layer.qkv = side_by_side({l.self.q, l.self.k, l.self.v}, {d, d, d}, d);
    layer.self_out = packed(l.self.o, d, d);
    layer.self_norm = Norm(l.self.norm, d, c.norm_eps);
    if (layer.reads) {
      layer.cross_q = packed(l.cross.q, d, d);
      layer.cross_kv = side_by_side({l.cross.k, l.cross.v}, {d, d}, d_model);
      layer.cross_out = packed(l.cross.o, d, d);
      layer.cross_norm = Norm(l.cross.norm, d, c.norm_eps);
    }
    layer.up = packed(l.up, c.mlp_hidden, d);
    layer.down = packed(l.down, d, c.mlp_hidden);
    layer.norm_mlp = Norm(l.norm_mlp, d, c.norm_eps);
    layers_.push_back(std::move(layer));
  }
}

int64_t QFormer::latents(int64_t, int64_t limit) const { return std::min(limit, config_.num_latents); }

QFormer::Buffers QFormer::lay_out(Carver& carver, const CompressorLimits& limits) const {
  const char* field = "max_sequences";
  const int64_t d = config_.d_latents;
  const int64_t size = checked_mul(checked_mul(limits.max_sequences, config_.num_latents, field), d, field);
  Buffers b;
  b.x = carver.take<float>(size);
  b.qkv = carver.take<float>(checked_mul(size, 3, field));
  b.q = carver.take<float>(size);
  b.attended = carver.take<float>(size);
  b.kv = carver.take<float>(checked_mul(limits.max_tokens, 2 * d, "max_tokens"));
  return b;
}

size_t QFormer::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, limits);
  return carver.bytes();
}

size_t QFormer::scratch(const CompressorLimits& limits) const {
  const Layer& l = layers_[0];  // it reads the inputs
  const int threads = limits.threads;
  const int64_t rows = checked_mul(limits.max_sequences, config_.num_latents, "max_sequences");
  CompressorInput in;
  in.sequences = limits.max_sequences;
  return std::max(
      {linear_scratch(l.qkv, rows, threads), linear_scratch(l.self_out, rows, threads),
       linear_scratch(l.cross_q, rows, threads), linear_scratch(l.cross_kv, limits.max_tokens, threads),
       attention_scratch(cross(in, Buffers()), threads), mlp_scratch(l.up, l.down, rows, threads)});
}

AttentionArgs QFormer::cross(const CompressorInput& in, const Buffers& b) const {
  const int64_t d = config_.d_latents;
  AttentionArgs a =
      attention_args(shape_, b.q, d, b.kv, 2 * d, b.attended, in.sequences, in.cu_latents, in.cu_tokens);
  a.key_weight = in.sizes;
  return a;
}

const float* QFormer::run(const CompressorInput& in, const CompressorMemory& memory,
                          Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  const int64_t rows = in.latents_count(), d = config_.d_latents;
  void* scratch = memory.scratch;
  for (int64_t s = 0; s < in.sequences; ++s) {
    const int64_t first = in.cu_latents[s], count = in.cu_latents[s + 1] - first;
    std::memcpy(b.x + first * d, queries_.data(), static_cast<size_t>(count * d) * sizeof(float));
  }
  for (const Layer& layer : layers_) {
    linear(layer.qkv, b.x, d, rows, b.qkv, 3 * d, nullptr, scratch, parallel);
    AttentionArgs self = attention_args(shape_, b.qkv, 3 * d, b.qkv + d, 3 * d, b.attended, in.sequences,
                                        in.cu_latents, in.cu_latents);
    self.precision = layer.qkv.precision();
    attention_cpu(self, scratch, parallel);
    linear(layer.self_out, b.attended, d, rows, b.x, d, b.x, scratch, parallel);
    layer.self_norm.run(b.x, rows, b.x, parallel);
    if (layer.reads) {
      linear(layer.cross_q, b.x, d, rows, b.q, d, nullptr, scratch, parallel);
      linear(layer.cross_kv, in.tokens, d_model_, in.tokens_count(), b.kv, 2 * d, nullptr, scratch, parallel);
      AttentionArgs attention = cross(in, b);
      attention.precision = layer.cross_kv.precision();
      attention_cpu(attention, scratch, parallel);
      linear(layer.cross_out, b.attended, d, rows, b.x, d, b.x, scratch, parallel);
      layer.cross_norm.run(b.x, rows, b.x, parallel);
    }
    MlpArgs mlp{b.x, rows, d, b.qkv, d, config_.activation, b.x, d};  // not in place: x is read to the end
    mlp_cpu(layer.up, layer.down, mlp, scratch, parallel);
    layer.norm_mlp.run(b.qkv, rows, b.x, parallel);
  }
  return b.x;
}

void QFormer::attention(const CompressorInput& in, const CompressorMemory& memory, int64_t s, float* out,
                        Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  attention_weights(cross(in, b), s, in.cu_tokens[s + 1] - in.cu_tokens[s], out, parallel);
}

}  // namespace sns
