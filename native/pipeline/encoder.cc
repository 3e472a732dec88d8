#include "pipeline/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/attention/attention.h"
#include "ops/mlp/mlp.h"
#include "ops/rotary/rotary.h"

namespace sns {
namespace {

AttentionArgs self_attention(const Encoder::Buffers& b, int64_t d, const EncoderConfig& c, int64_t items) {
  AttentionArgs a =
      attention_args(AttentionShape::of_channels(c.heads, d, d), b.qkv, 3 * d, b.qkv ? b.qkv + d : nullptr,
                     3 * d, b.normed, items, b.cu_items, b.cu_items);
  a.causal = c.causal;
  return a;
}

}  // namespace

EncoderTensors take_encoder(const EncoderConfig& c, const std::string& part, int64_t d,
                            WeightReader& reader) {
  if (d % c.heads != 0) {
    throw Error(Code::kInvalidArgument, part + ".encoder.heads",
                part + ".encoder.heads: d_model of " + std::to_string(d) + " does not divide into " +
                    std::to_string(c.heads) + " heads");
  }
  if (c.rotary && d / c.heads % 4 != 0) {
    throw Error(
        Code::kInvalidArgument, part + ".encoder.rotary",
        part + ".encoder.rotary: heads of " + std::to_string(d / c.heads) + " channels are no multiple of 4");
  }
  const std::string stem = part + ".encoder.";
  EncoderTensors t;
  if (c.pre_norm) t.pre_norm = take_norm(reader, stem + "pre_norm", d);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = stem + std::to_string(i) + ".";
    EncoderTensors::Layer l;
    l.norm1 = take_norm(reader, layer + "norm1", d);
    l.q = take_linear(reader, layer + "q", d, d, c.qkv_bias);
    l.k = take_linear(reader, layer + "k", d, d, c.qkv_bias);
    l.v = take_linear(reader, layer + "v", d, d, c.qkv_bias);
    l.o = take_linear(reader, layer + "o", d, d, c.bias);
    l.norm2 = take_norm(reader, layer + "norm2", d);
    l.up = take_linear(reader, layer + "mlp.up", c.hidden, d, c.bias);
    l.down = take_linear(reader, layer + "mlp.down", d, c.hidden, c.bias);
    t.layers.push_back(l);
  }
  if (c.final_norm) t.final_norm = take_norm(reader, stem + "final_norm", d);
  return t;
}

RotaryAxes rotary_axes(int64_t head_dim) {
  const int64_t pairs = head_dim / 2, half = pairs / 2;
  RotaryAxes r;
  for (int64_t i = 0; i < pairs; ++i) {
    r.axis.push_back(i < half ? 0 : 1);
    r.frequency.push_back(std::pow(10000.0, -static_cast<double>(i % half) / static_cast<double>(half)));
  }
  return r;
}

Encoder::Encoder(const EncoderConfig& c, int64_t d, const EncoderTensors& t) : config_(c), d_model_(d) {
  if (c.pre_norm) pre_norm_ = Norm(t.pre_norm, d, c.norm_eps);
  if (c.final_norm) final_norm_ = Norm(t.final_norm, d, c.norm_eps);
  if (c.rotary) rotary_ = rotary_axes(d / c.heads);
  layers_.reserve(t.layers.size());
  for (const EncoderTensors::Layer& from : t.layers) {
    Layer layer;
    layer.norm1 = Norm(from.norm1, d, c.norm_eps);
    layer.norm2 = Norm(from.norm2, d, c.norm_eps);
    layer.qkv = side_by_side({from.q, from.k, from.v}, {d, d, d}, d);
    layer.out = packed(from.o, d, d);
    layer.up = packed(from.up, c.hidden, d);
    layer.down = packed(from.down, d, c.hidden);
    layers_.push_back(std::move(layer));
  }
}

Encoder::Buffers Encoder::lay_out(Carver& carver, int64_t d, int64_t max_tokens, int64_t max_items,
                                  int64_t head) {
  Buffers b;
  b.x = carver.take<float>(checked_mul(max_tokens, d, "max_tokens"));
  b.normed = carver.take<float>(checked_mul(max_tokens, d, "max_tokens"));
  b.qkv = carver.take<float>(checked_mul(max_tokens, checked_mul(3, d, "d_model"), "max_tokens"));
  b.cu_items = carver.take<int64_t>(max_items + 1);
  if (head > 0) {
    b.grid = carver.take<int32_t>(checked_mul(max_tokens, 2, "max_tokens"));
    b.turns = carver.take<float>(checked_mul(max_tokens, head, "max_tokens"));
  }
  return b;
}

size_t Encoder::scratch(int64_t max_tokens, int64_t max_items, int threads) const {
  if (layers_.empty()) return 0;
  const Layer& layer = layers_[0];
  return std::max({linear_scratch(layer.qkv, max_tokens, threads),
                   attention_scratch(self_attention({}, d_model_, config_, max_items), threads),
                   linear_scratch(layer.out, max_tokens, threads),
                   mlp_scratch(layer.up, layer.down, max_tokens, threads)});
}

void Encoder::run(int64_t items, const Buffers& b, void* scratch, Parallel& parallel) const {
  const int64_t rows = b.cu_items[items], d = d_model_;
  if (rows == 0) return;
  if (config_.pre_norm) pre_norm_.run(b.x, rows, b.x, parallel);
  const int64_t pairs = rotary_.pairs();
  if (config_.rotary) {
    rotary_table_cpu({b.grid, rows, 2, rotary_.axis.data(), rotary_.frequency.data(), pairs, b.turns},
                     parallel);
  }
  for (const Layer& layer : layers_) {
    layer.norm1.run(b.x, rows, b.normed, parallel);
    linear(layer.qkv, b.normed, d, rows, b.qkv, 3 * d, nullptr, scratch, parallel);
    if (config_.rotary) {  // queries and keys stand side by side
      RotaryArgs turn;
      turn.x = turn.y = b.qkv;
      turn.rows = rows;
      turn.heads = 2 * config_.heads;
      turn.head_dim = d / config_.heads;
      turn.ldx = turn.ldy = 3 * d;
      turn.table = b.turns;
      turn.pairs = pairs;
      rotary_cpu(turn, parallel);
    }
    AttentionArgs attention = self_attention(b, d, config_, items);
    attention.precision = layer.qkv.precision();
    attention_cpu(attention, scratch, parallel);
    linear(layer.out, b.normed, d, rows, b.x, d, b.x, scratch, parallel);

    layer.norm2.run(b.x, rows, b.normed, parallel);
    MlpArgs mlp;
    mlp.x = b.normed;
    mlp.rows = rows;
    mlp.ldx = d;
    mlp.y = b.x;
    mlp.ldy = d;
    mlp.activation = config_.activation;
    mlp.residual = b.x;
    mlp.ld_residual = d;
    mlp_cpu(layer.up, layer.down, mlp, scratch, parallel);
  }
}

void Encoder::finish(const float* x, int64_t rows, float* y, Parallel& parallel) const {
  if (config_.final_norm) {
    final_norm_.run(x, rows, y, parallel);
  } else {
    std::memcpy(y, x, static_cast<size_t>(rows * d_model_) * sizeof(float));
  }
}

}  // namespace sns
