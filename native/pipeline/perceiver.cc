#include "pipeline/perceiver.h"

#include <algorithm>

#include "pipeline/fold.h"

namespace sns {

PerceiverCross::Shape cross_shape(const PerceiverConfig& c, int64_t d_model) {
  PerceiverCross::Shape s;
  s.rows = c.num_latents;
  s.dim = c.d_latents;
  s.in = d_model;
  s.heads = c.cross_heads;
  s.qk = c.cross_qk;
  s.v = c.cross_v;
  s.hidden = checked_mul(c.cross_widening, c.d_latents, "perceiver.widening");
  s.activation = c.activation;
  s.query_residual = c.query_residual;
  s.norm_eps = c.norm_eps;
  return s;
}

PerceiverCross::Shape decoder_shape(const PerceiverDecoderConfig& c, int64_t d_latents) {
  PerceiverCross::Shape s;
  s.rows = c.num_queries;
  s.dim = c.d_queries;
  s.in = d_latents;
  s.heads = c.heads;
  s.qk = c.qk;
  s.v = c.v;
  s.hidden = checked_mul(c.widening, c.d_queries, "perceiver_decoder.widening");
  s.activation = c.activation;
  s.query_residual = c.query_residual;
  s.norm_eps = c.norm_eps;
  return s;
}

namespace {

PerceiverLayerTensors take_layer(WeightReader& reader, const std::string& stem, int64_t dim, int64_t in,
                                 int64_t qk, int64_t v, int64_t hidden) {
  PerceiverLayerTensors t;
  t.q = take_linear(reader, stem + "q", qk, dim);
  t.k = take_linear(reader, stem + "k", qk, in);
  t.v = take_linear(reader, stem + "v", v, in);
  t.o = take_linear(reader, stem + "o", dim, v);
  t.norm_mlp = take_norm(reader, stem + "norm_mlp", dim);
  t.up = take_linear(reader, stem + "mlp.up", hidden, dim);
  t.down = take_linear(reader, stem + "mlp.down", dim, hidden);
  return t;
}

PerceiverLayerTensors take_cross(WeightReader& reader, const std::string& stem, const std::string& start,
                                 const std::string& norm, const std::string& norm_inputs,
                                 const PerceiverCross::Shape& s) {
  PerceiverLayerTensors t = take_layer(reader, stem, s.dim, s.in, s.qk, s.v, s.hidden);
  t.start = reader.take(start, {s.rows, s.dim});
  t.norm = take_norm(reader, stem + norm, s.dim);
  t.norm_inputs = take_norm(reader, stem + norm_inputs, s.in);
  return t;
}

/// latents += MLP(norm(latents)).
void add_mlp(const Norm& norm, const LinearWeights& up, const LinearWeights& down, Activation activation,
             int64_t rows, float* latents, float* normed, void* scratch, Parallel& parallel) {
  norm.run(latents, rows, normed, parallel);
  MlpArgs mlp;
  mlp.x = normed;
  mlp.rows = rows;
  mlp.ldx = mlp.ldy = mlp.ld_residual = up.in();
  mlp.y = latents;
  mlp.activation = activation;
  mlp.residual = latents;
  mlp_cpu(up, down, mlp, scratch, parallel);
}

}  // namespace

PerceiverTensors take_perceiver(const PerceiverConfig& c, const PerceiverDecoderConfig* decoder,
                                int64_t d_model, WeightReader& reader) {
  PerceiverTensors t;
  t.cross = take_cross(reader, "perceiver.cross.", "perceiver.latents", "norm_latents", "norm_inputs",
                       cross_shape(c, d_model));
  const int64_t hidden = checked_mul(c.self_widening, c.d_latents, "perceiver.widening");
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string stem = "perceiver.self." + std::to_string(i) + ".";
    t.self.push_back(take_layer(reader, stem, c.d_latents, c.d_latents, c.self_qk, c.self_v, hidden));
    t.self.back().norm = take_norm(reader, stem + "norm", c.d_latents);
  }
  if (decoder) {
    t.decoder = take_cross(reader, "perceiver.decoder.", "perceiver.decoder.queries", "norm_queries",
                           "norm_latents", decoder_shape(*decoder, c.d_latents));
  }
  return t;
}

AlignedArray<float> projected_queries(const PerceiverCross::Shape& s, const PerceiverLayerTensors& t,
                                      Parallel& parallel) {
  AlignedArray<float> normed(checked_mul(s.rows, s.dim, "perceiver.latents"));
  AlignedArray<float> q(checked_mul(s.rows, s.qk, "perceiver.cross_qk"));
  Norm(t.norm, s.dim, s.norm_eps).run(t.start, s.rows, normed.data(), parallel);
  const LinearWeights w(t.q.weight, t.q.bias, s.qk, s.dim);
  AlignedArray<unsigned char> scratch(static_cast<int64_t>(linear_scratch(w, s.rows, parallel.threads())));
  linear(w, normed.data(), s.dim, s.rows, q.data(), s.qk, nullptr, scratch.data(), parallel);
  return q;
}

PerceiverCross::PerceiverCross(const Shape& s, const PerceiverLayerTensors& t, Parallel& parallel)
    : shape_(s),
      start_(folded(t.start, s.rows, s.dim, nullptr)),
      norm_inputs_(t.norm_inputs, s.in, s.norm_eps),
      norm_mlp_(t.norm_mlp, s.dim, s.norm_eps),
      out_(packed(t.o, s.dim, s.v)),
      up_(packed(t.up, s.hidden, s.dim)),
      down_(packed(t.down, s.dim, s.hidden)) {
  const AlignedArray<float> q = projected_queries(s, t, parallel);
  attention_ = LearnedCrossAttention(q.data(), s.rows, s.in, s.heads, s.qk, s.v, {t.k, t.v});
}

PerceiverCross::Buffers PerceiverCross::lay_out(Carver& carver, int64_t max_inputs,
                                                int64_t max_sequences) const {
  const char* field = "max_sequences";
  const int64_t rows = checked_mul(max_sequences, shape_.rows, field);
  Buffers b;
  if (shape_.query_residual) b.start = RepeatedRows::lay_out(carver, rows, shape_.dim, max_sequences);
  b.normed_inputs = carver.take<float>(checked_mul(max_inputs, shape_.in, "max_tokens"));
  b.attention = attention_.lay_out(carver, max_inputs, max_sequences);
  b.attended = carver.take<float>(checked_mul(rows, shape_.v, field));
  b.normed = carver.take<float>(checked_mul(rows, shape_.dim, field));
  b.y = carver.take<float>(checked_mul(rows, shape_.dim, field));
  return b;
}

void PerceiverCross::prepare(const Buffers& b) const {
  if (shape_.query_residual) b.start.reset();
  attention_.prepare(b.attention);
}

size_t PerceiverCross::scratch(int64_t max_inputs, int64_t max_sequences, int threads) const {
  const int64_t rows = checked_mul(max_sequences, shape_.rows, "max_sequences");
  return std::max({attention_.scratch(max_inputs, max_sequences, threads),
                   linear_scratch(out_, rows, threads), mlp_scratch(up_, down_, rows, threads)});
}

void PerceiverCross::run(const Inputs& inputs, const int64_t* cu_rows, int64_t sequences, const Buffers& b,
                         void* scratch, Parallel& parallel) const {
  const int64_t rows = cu_rows[sequences];
  norm_inputs_.run(inputs.rows, inputs.cu[sequences], b.normed_inputs, parallel);
  attention_.run({b.normed_inputs, inputs.cu, inputs.sizes}, cu_rows, sequences, b.attention, b.attended,
                 scratch, parallel);
  if (shape_.query_residual) b.start.fill(start_.data(), shape_.dim, cu_rows, sequences);
  linear(out_, b.attended, shape_.v, rows, b.y, shape_.dim, shape_.query_residual ? b.start.rows : nullptr,
         scratch, parallel);
  add_mlp(norm_mlp_, up_, down_, shape_.activation, rows, b.y, b.normed, scratch, parallel);
}

void PerceiverCross::weights(const Inputs& inputs, const int64_t* cu_rows, int64_t sequences,
                             const Buffers& b, int64_t sequence, float* out, Parallel& parallel) const {
  attention_.weights({b.normed_inputs, inputs.cu, inputs.sizes}, cu_rows, sequences, b.attention, sequence,
                     out, parallel);
}

Perceiver::Perceiver(const PerceiverConfig& c, const PerceiverDecoderConfig* decoder, int64_t d_model,
                     const PerceiverTensors& t, Parallel& parallel)
    : config_(c), cross_(cross_shape(c, d_model), t.cross, parallel) {
  const int64_t d = c.d_latents, hidden = c.self_widening * d;
  self_.reserve(t.self.size());
  for (const PerceiverLayerTensors& l : t.self) {
    Layer layer;
    layer.norm = Norm(l.norm, d, c.norm_eps);
    layer.norm_mlp = Norm(l.norm_mlp, d, c.norm_eps);
    layer.in = side_by_side({l.q, l.k, l.v}, {c.self_qk, c.self_qk, c.self_v}, d);
    layer.out = packed(l.o, d, c.self_v);
    layer.up = packed(l.up, hidden, d);
    layer.down = packed(l.down, d, hidden);
    self_.push_back(std::move(layer));
  }
  if (decoder) decoder_.emplace(decoder_shape(*decoder, d), t.decoder, parallel);
}

int64_t Perceiver::latents(int64_t, int64_t limit) const { return std::min(limit, last().rows); }

Perceiver::Buffers Perceiver::lay_out(Carver& carver, const CompressorLimits& limits) const {
  const PerceiverConfig& c = config_;
  const char* field = "max_sequences";
  const int64_t rows = checked_mul(limits.max_sequences, c.num_latents, field);
  Buffers b;
  b.cross = cross_.lay_out(carver, limits.max_tokens, limits.max_sequences);
  if (!self_.empty()) {
    b.qkv = carver.take<float>(checked_mul(rows, 2 * c.self_qk + c.self_v, field));
    b.attended = carver.take<float>(checked_mul(rows, c.self_v, field));
  }
  if (decoder_) {
    b.decoder = decoder_->lay_out(carver, rows, limits.max_sequences);
    b.cu_latents = carver.take<int64_t>(limits.max_sequences + 1);
  }
  return b;
}

size_t Perceiver::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, limits);
  return carver.bytes();
}

void Perceiver::prepare(const CompressorMemory& memory) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  cross_.prepare(b.cross);
  if (!decoder_) return;
  decoder_->prepare(b.decoder);
  for (int64_t s = 0; s <= memory.limits.max_sequences; ++s) b.cu_latents[s] = s * config_.num_latents;
}

size_t Perceiver::scratch(const CompressorLimits& limits) const {
  const PerceiverConfig& c = config_;
  const int64_t rows = checked_mul(limits.max_sequences, c.num_latents, "max_sequences");
  size_t most = cross_.scratch(limits.max_tokens, limits.max_sequences, limits.threads);
  if (!self_.empty()) {
    const AttentionArgs self =
        attention_args(AttentionShape::of_channels(c.self_heads, c.self_qk, c.self_v), nullptr, 0, nullptr, 0,
                       nullptr, limits.max_sequences, nullptr, nullptr);
    most =
        std::max({most, linear_scratch(self_[0].in, rows, limits.threads),
                  attention_scratch(self, limits.threads), linear_scratch(self_[0].out, rows, limits.threads),
                  mlp_scratch(self_[0].up, self_[0].down, rows, limits.threads)});
  }
  if (decoder_) most = std::max(most, decoder_->scratch(rows, limits.max_sequences, limits.threads));
  return most;
}

const float* Perceiver::run(const CompressorInput& in, const CompressorMemory& memory,
                            Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  float* latents = b.cross.y;
  float* result = decoder_ ? b.decoder.y : latents;
  if (in.sequences == 0) return result;
  const PerceiverConfig& c = config_;
  const int64_t* cu = decoder_ ? b.cu_latents : in.cu_latents;
  const int64_t rows = cu[in.sequences], d = c.d_latents, ld = 2 * c.self_qk + c.self_v;
  cross_.run({in.tokens, in.cu_tokens, in.sizes}, cu, in.sequences, b.cross, memory.scratch, parallel);

  const AttentionShape shape = AttentionShape::of_channels(c.self_heads, c.self_qk, c.self_v);
  for (int64_t block = 0; block < c.blocks; ++block) {
    for (const Layer& layer : self_) {
      layer.norm.run(latents, rows, b.cross.normed, parallel);
      linear(layer.in, b.cross.normed, d, rows, b.qkv, ld, nullptr, memory.scratch, parallel);
      AttentionArgs self =
          attention_args(shape, b.qkv, ld, b.qkv + c.self_qk, ld, b.attended, in.sequences, cu, cu);
      self.precision = layer.in.precision();
      attention_cpu(self, memory.scratch, parallel);
      linear(layer.out, b.attended, c.self_v, rows, latents, d, latents, memory.scratch, parallel);
      add_mlp(layer.norm_mlp, layer.up, layer.down, c.activation, rows, latents, b.cross.normed,
              memory.scratch, parallel);
    }
  }
  if (decoder_) {
    decoder_->run({latents, cu}, in.cu_latents, in.sequences, b.decoder, memory.scratch, parallel);
  }
  return result;
}

void Perceiver::attention(const CompressorInput& in, const CompressorMemory& memory, int64_t s, float* out,
                          Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Buffers b = lay_out(carver, memory.limits);
  const PerceiverCross::Inputs inputs = {in.tokens, in.cu_tokens, in.sizes};
  if (!decoder_) {
    cross_.weights(inputs, in.cu_latents, in.sequences, b.cross, s, out, parallel);
    return;
  }
  const int64_t tokens = in.cu_tokens[s + 1] - in.cu_tokens[s], latents = config_.num_latents;
  const int64_t queries = in.cu_latents[s + 1] - in.cu_latents[s];
  AlignedArray<float> encode(checked_mul(latents, tokens, "attention"));
  AlignedArray<float> decode(checked_mul(queries, latents, "attention"));
  cross_.weights(inputs, b.cu_latents, in.sequences, b.cross, s, encode.data(), parallel);
  decoder_->weights({b.cross.y, b.cu_latents}, in.cu_latents, in.sequences, b.decoder, s, decode.data(),
                    parallel);
  for (int64_t q = 0; q < queries; ++q) {
    for (int64_t t = 0; t < tokens; ++t) {
      double sum = 0;
      for (int64_t l = 0; l < latents; ++l) {
        sum += static_cast<double>(decode[q * latents + l]) * encode[l * tokens + t];
      }
      out[q * tokens + t] = static_cast<float>(sum);
    }
  }
}

}  // namespace sns
