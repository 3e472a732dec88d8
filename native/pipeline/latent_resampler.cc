#include "pipeline/latent_resampler.h"

#include <algorithm>
#include <cstring>

#include "pipeline/fold.h"

namespace sns {

LatentResamplerTensors take_latent_resampler(const LatentResamplerConfig& c, int64_t d,
                                             WeightReader& reader) {
  const int64_t q = checked_mul(c.heads, c.head_dim, "resampler.head_dim");
  const int64_t kv = checked_mul(c.kv_heads, c.head_dim, "resampler.head_dim");
  LatentResamplerTensors t;
  t.latents = reader.take("resampler.latents", {c.num_latents, d});
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string stem = "resampler." + std::to_string(i) + ".";
    const auto norm = [&](const char* name) { return take_norm(reader, stem + name, d, !c.rms_norm); };
    const auto matrix = [&](const char* name, int64_t out, int64_t in) {
      return take_linear(reader, stem + name, out, in, false);
    };
    LatentResamplerTensors::Layer l;
    l.norm_latents = norm("norm_latents");
    l.norm_context = norm("norm_context");
    l.q = matrix("q", q, d);
    l.k = matrix("k", kv, d);
    l.v = matrix("v", kv, d);
    l.o = matrix("o", d, q);
    l.norm_mlp = norm("norm_mlp");
    if (c.gated_mlp) l.gate = matrix("mlp.gate", c.mlp_hidden, d);
    l.up = matrix("mlp.up", c.mlp_hidden, d);
    l.down = matrix("mlp.down", d, c.mlp_hidden);
    t.layers.push_back(l);
  }
  t.norm = take_norm(reader, "resampler.norm", d, !c.rms_norm);
  return t;
}

LatentResampler::LatentResampler(const LatentResamplerConfig& c, int64_t d, const LatentResamplerTensors& t,
                                 Parallel& parallel)
    : config_(c),
      d_(d),
      shape_{c.heads, c.kv_heads, c.head_dim, c.head_dim},
      latents_(folded(t.latents, c.num_latents, d, nullptr)) {
  const Norm::Kind kind = c.rms_norm ? Norm::Kind::kRms : Norm::Kind::kLayer;
  layers_.reserve(t.layers.size());
  for (const LatentResamplerTensors::Layer& l : t.layers) {
    Layer layer;
    layer.norm_latents = Norm(l.norm_latents, d, c.norm_eps, kind);
    layer.norm_context = Norm(l.norm_context, d, c.norm_eps, kind);
    layer.norm_mlp = Norm(l.norm_mlp, d, c.norm_eps, kind);
    layer.q = packed(l.q, shape_.q_width(), d);
    layer.kv = side_by_side({l.k, l.v}, {shape_.k_width(), shape_.v_width()}, d);
    layer.out = packed(l.o, d, shape_.y_width());
    if (c.gated_mlp) layer.gate = packed(l.gate, c.mlp_hidden, d);
    layer.up = packed(l.up, c.mlp_hidden, d);
    layer.down = packed(l.down, d, c.mlp_hidden);
    layers_.push_back(std::move(layer));
  }
  norm_ = Norm(t.norm, d, c.norm_eps, kind);
  const Layer& first = layers_[0];
  normed_ = AlignedArray<float>(latents_.size());
  first.norm_latents.run(latents_.data(), c.num_latents, normed_.data(), parallel);
  q_ = AlignedArray<float>(checked_mul(c.num_latents, shape_.q_width(), "resampler.num_latents"));
  AlignedArray<unsigned char> scratch(
      static_cast<int64_t>(linear_scratch(first.q, c.num_latents, parallel.threads())));
  linear(first.q, normed_.data(), d, c.num_latents, q_.data(), shape_.q_width(), nullptr, scratch.data(),
         parallel);
}

int64_t LatentResampler::latents(int64_t, int64_t limit) const {
  return std::min(limit, config_.num_latents);
}

LatentResampler::Buffers LatentResampler::lay_out(Carver& carver, const CompressorLimits& limits) const {
  const char* field = "max_sequences";
  const int64_t rows = checked_mul(limits.max_sequences, config_.num_latents, field);
  const int64_t keys = checked_add(limits.max_tokens, rows, "max_tokens");
  Buffers b;
  b.latents = carver.take<float>(checked_mul(rows, d_, field));
  b.normed = carver.take<float>(checked_mul(rows, d_, field));
  b.q = carver.take<float>(checked_mul(rows, shape_.q_width(), field));
  b.attended = carver.take<float>(checked_mul(rows, shape_.y_width(), field));
  b.context = carver.take<float>(checked_mul(keys, d_, "max_tokens"));
  b.kv = carver.take<float>(checked_mul(keys, shape_.k_width() + shape_.v_width(), "max_tokens"));
  b.cu_context = carver.take<int64_t>(limits.max_sequences + 1);
  b.sizes = carver.take<float>(keys);
  return b;
}

size_t LatentResampler::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, limits);
  return carver.bytes();
}

size_t LatentResampler::scratch(const CompressorLimits& limits) const {
  if (layers_.empty()) return 0;
  const Layer& l = layers_[0];
  const int threads = limits.threads;
  const int64_t rows = checked_mul(limits.max_sequences, config_.num_latents, "max_sequences");
  CompressorInput in;
  in.sequences = limits.max_sequences;
  return std::max({linear_scratch(l.kv, checked_add(limits.max_tokens, rows, "max_tokens"), threads),
                   linear_scratch(l.q, rows, threads), linear_scratch(l.out, rows, threads),
                   attention_scratch(args(in, Buffers()), threads),
                   config_.gated_mlp ? gated_mlp_scratch(l.gate, l.up, l.down, rows, threads)
                                     : mlp_scratch(l.up, l.down, rows, threads)});
}

AttentionArgs LatentResampler::args(const CompressorInput& in, const Buffers& b) const {
  AttentionArgs a = attention_args(shape_, b.q, shape_.q_width(), b.kv, shape_.k_width() + shape_.v_width(),
                                   b.attended, in.sequences, in.cu_latents, b.cu_context);
  if (in.sizes) a.key_weight = b.sizes;
  return a;
}

const float* LatentResampler::run(const CompressorInput& in, const CompressorMemory& memory,
                                  Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  const int64_t rows = in.latents_count(), ldkv = shape_.k_width() + shape_.v_width();
  for (int64_t s = 0; s <= in.sequences; ++s) b.cu_context[s] = in.cu_tokens[s] + in.cu_latents[s];
  for (int64_t s = 0; s < in.sequences; ++s) {
    const int64_t first = in.cu_latents[s], count = in.cu_latents[s + 1] - first;
    std::copy_n(latents_.data(), count * d_, b.latents + first * d_);
    std::copy_n(normed_.data(), count * d_, b.normed + first * d_);
    std::copy_n(q_.data(), count * shape_.q_width(), b.q + first * shape_.q_width());
    if (!in.sizes) continue;
    float* size =
        std::copy(in.sizes + in.cu_tokens[s], in.sizes + in.cu_tokens[s + 1], b.sizes + b.cu_context[s]);
    std::fill_n(size, count, 1.0f);
  }
  for (const Layer& layer : layers_) {
    if (&layer != &layers_[0]) {
      layer.norm_latents.run(b.latents, rows, b.normed, parallel);
      linear(layer.q, b.normed, d_, rows, b.q, shape_.q_width(), nullptr, memory.scratch, parallel);
    }
    for (int64_t s = 0; s < in.sequences; ++s) {
      const int64_t tokens = in.cu_tokens[s + 1] - in.cu_tokens[s];
      const int64_t first = in.cu_latents[s], count = in.cu_latents[s + 1] - first;
      float* context = b.context + b.cu_context[s] * d_;
      layer.norm_context.run(in.tokens + in.cu_tokens[s] * d_, tokens, context, parallel);
      std::memcpy(context + tokens * d_, b.normed + first * d_,
                  static_cast<size_t>(count * d_) * sizeof(float));
    }
    linear(layer.kv, b.context, d_, b.cu_context[in.sequences], b.kv, ldkv, nullptr, memory.scratch,
           parallel);
    AttentionArgs attention = args(in, b);
    attention.precision = layer.kv.precision();
    attention_cpu(attention, memory.scratch, parallel);
    linear(layer.out, b.attended, shape_.y_width(), rows, b.latents, d_, b.latents, memory.scratch, parallel);
    layer.norm_mlp.run(b.latents, rows, b.normed, parallel);
    if (config_.gated_mlp) {
      GatedMlpArgs mlp{b.normed, rows, d_, b.latents, d_, config_.activation, b.latents, d_};
      gated_mlp_cpu(layer.gate, layer.up, layer.down, mlp, memory.scratch, parallel);
    } else {
      MlpArgs mlp{b.normed, rows, d_, b.latents, d_, config_.activation, b.latents, d_};
      mlp_cpu(layer.up, layer.down, mlp, memory.scratch, parallel);
    }
  }
  norm_.run(b.latents, rows, b.latents, parallel);
  return b.latents;
}

void LatentResampler::attention(const CompressorInput& in, const CompressorMemory& memory, int64_t s,
                                float* out, Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  attention_weights(args(in, b), s, in.cu_tokens[s + 1] - in.cu_tokens[s], out, parallel);
}

}  // namespace sns
