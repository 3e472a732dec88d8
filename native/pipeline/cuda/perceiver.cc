#include "pipeline/cuda/perceiver.h"

#include <algorithm>

namespace sns {

CudaPerceiverCross::CudaPerceiverCross(const CudaDevicePtr& device, const PerceiverCross::Shape& s,
                                       const PerceiverLayerTensors& t, Parallel& parallel)
    : shape_(s),
      start_(device, t.start, s.rows * s.dim),
      attention_(device, projected_queries(s, t, parallel).data(), s.rows, s.in, s.heads, s.qk, s.v,
                 {t.k, t.v}),
      norm_inputs_(device, t.norm_inputs, s.in, s.norm_eps),
      norm_mlp_(device, t.norm_mlp, s.dim, s.norm_eps),
      out_(device, t.o, s.dim, s.v),
      up_(device, t.up, s.hidden, s.dim),
      down_(device, t.down, s.dim, s.hidden) {}

void CudaPerceiverCross::lay_out(Carver& carver, int64_t max_inputs, int64_t max_sequences,
                                 Buffers& b) const {
  const char* field = "max_sequences";
  const int64_t rows = checked_mul(max_sequences, shape_.rows, field);
  const auto take = [&](int64_t count, int64_t width, const char* limit) {
    return carver.take<float>(checked_mul(count, width, limit));
  };
  if (shape_.query_residual) b.start = take(rows, shape_.dim, field);
  b.normed_inputs = take(max_inputs, shape_.in, "max_tokens");
  attention_.lay_out(carver, max_inputs, max_sequences, b.attention);
  b.attended = take(rows, shape_.v, field);
  b.normed = take(rows, shape_.dim, field);
  b.y = take(rows, shape_.dim, field);
}

void CudaPerceiverCross::put(const CudaOffsets& cu_inputs, const CudaOffsets& cu_rows, DeviceBlock& parcel,
                             Buffers& b) const {
  if (shape_.query_residual) b.repeat_start.put(parcel, start_.data(), shape_.dim, cu_rows);
  attention_.put(cu_inputs, cu_rows, b.attended, parcel, b.attention);
}

int64_t CudaPerceiverCross::scratch(const CudaDevice& device, int64_t max_inputs,
                                    int64_t max_sequences) const {
  const int64_t rows = checked_mul(max_sequences, shape_.rows, "max_sequences");
  return std::max(attention_.scratch(device, max_inputs, max_sequences), cuda_mlp_scratch(device, up_, rows));
}

void CudaPerceiverCross::run(const CudaStream& stream, const float* inputs, const float* sizes,
                             const CudaOffsets& cu_inputs, const CudaOffsets& cu_rows, const Buffers& b,
                             const CudaScratch& scratch) const {
  const int64_t rows = cu_rows.rows;
  norm_inputs_.run(stream, inputs, cu_inputs.rows, b.normed_inputs);
  if (shape_.query_residual) b.repeat_start.run(stream, b.start);
  attention_.run(stream, b.normed_inputs, sizes, cu_inputs, cu_rows, b.attention, b.attended, scratch);
  out_.run(stream, b.attended, shape_.v, rows, b.y, shape_.dim, shape_.query_residual ? b.start : nullptr);
  norm_mlp_.run(stream, b.y, rows, b.normed);
  cuda_mlp(stream, up_, down_, shape_.activation, b.normed, rows, b.y, b.y, scratch);
}

CudaPerceiver::CudaPerceiver(const CudaDevicePtr& device, const PerceiverConfig& c,
                             const PerceiverDecoderConfig* decoder, int64_t d_model,
                             const PerceiverTensors& t, Parallel& parallel)
    : config_(c), cross_(device, cross_shape(c, d_model), t.cross, parallel) {
  const int64_t d = c.d_latents, hidden = c.self_widening * d;
  self_.reserve(t.self.size());
  for (const PerceiverLayerTensors& l : t.self) {
    Layer layer;
    layer.norm = CudaNorm(device, l.norm, d, c.norm_eps);
    layer.norm_mlp = CudaNorm(device, l.norm_mlp, d, c.norm_eps);
    layer.in = CudaLinear::side_by_side(device, {l.q, l.k, l.v}, {c.self_qk, c.self_qk, c.self_v}, d);
    layer.out = CudaLinear(device, l.o, d, c.self_v);
    layer.up = CudaLinear(device, l.up, hidden, d);
    layer.down = CudaLinear(device, l.down, d, hidden);
    self_.push_back(std::move(layer));
  }
  if (decoder) decoder_.emplace(device, decoder_shape(*decoder, d), t.decoder, parallel);
}

class CudaPerceiverSession final : public CudaCompression {
 public:
  explicit CudaPerceiverSession(const CudaPerceiver& weights) : w_(weights) {}

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const PerceiverConfig& c = w_.config_;
    const char* field = "max_sequences";
    const int64_t rows = checked_mul(limits.max_sequences, c.num_latents, field);
    w_.cross_.lay_out(carver, limits.max_tokens, limits.max_sequences, cross_);
    if (!w_.self_.empty()) {
      qkv_ = carver.take<float>(checked_mul(rows, 2 * c.self_qk + c.self_v, field));
      attended_ = carver.take<float>(checked_mul(rows, c.self_v, field));
    }
    if (!w_.decoder_) return;
    w_.decoder_->lay_out(carver, rows, limits.max_sequences, decoder_);
    all_ = AlignedArray<int64_t>(limits.max_sequences + 1);
    for (int64_t s = 0; s <= limits.max_sequences; ++s) all_[s] = s * c.num_latents;
  }

  int64_t parcel_bytes(const CudaLimits& limits) const override {
    const int64_t align = static_cast<int64_t>(kAlign), s = limits.max_sequences + 1;
    return 2 * (CudaLearnedCross::parcel_bytes(s) + s * static_cast<int64_t>(sizeof(PackSegment)) + align) +
           s * static_cast<int64_t>(sizeof(int64_t)) + align;
  }

  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    const int64_t sequences = in.cu_latents.count;
    cu_ = in.cu_latents;
    if (w_.decoder_) {
      cu_ = put_offsets(parcel, all_.data(), sequences, all_[sequences], w_.config_.num_latents);
    }
    w_.cross_.put(in.cu_tokens, cu_, parcel, cross_);
    if (w_.decoder_) w_.decoder_->put(cu_, in.cu_latents, parcel, decoder_);
  }

  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const override {
    const PerceiverConfig& c = w_.config_;
    const int64_t rows = checked_mul(limits.max_sequences, c.num_latents, "max_sequences");
    int64_t most = w_.cross_.scratch(device, limits.max_tokens, limits.max_sequences);
    if (!w_.self_.empty()) {
      const AttentionShape shape = AttentionShape::of_channels(c.self_heads, c.self_qk, c.self_v);
      most = std::max({most, cuda_attention_scratch(device, shape, rows, c.num_latents, limits.max_sequences),
                       cuda_mlp_scratch(device, w_.self_[0].up, rows)});
    }
    if (w_.decoder_) most = std::max(most, w_.decoder_->scratch(device, rows, limits.max_sequences));
    return most;
  }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                   const CudaScratch& scratch) override {
    float* latents = cross_.y;
    float* result = w_.decoder_ ? decoder_.y : latents;
    if (in.cu_latents.count == 0) return result;
    const PerceiverConfig& c = w_.config_;
    const int64_t rows = cu_.rows, d = c.d_latents, ld = 2 * c.self_qk + c.self_v;
    w_.cross_.run(stream, in.tokens, in.sizes, in.cu_tokens, cu_, cross_, scratch);
    const AttentionShape shape = AttentionShape::of_channels(c.self_heads, c.self_qk, c.self_v);
    for (int64_t block = 0; block < c.blocks; ++block) {
      for (const CudaPerceiver::Layer& layer : w_.self_) {
        layer.norm.run(stream, latents, rows, cross_.normed);
        layer.in.run(stream, cross_.normed, d, rows, qkv_, ld);
        cuda_attention(stream, shape, qkv_, ld, qkv_ + c.self_qk, ld, attended_, cu_, cu_, scratch);
        layer.out.run(stream, attended_, c.self_v, rows, latents, d, latents);
        layer.norm_mlp.run(stream, latents, rows, cross_.normed);
        cuda_mlp(stream, layer.up, layer.down, c.activation, cross_.normed, rows, latents, latents, scratch);
      }
    }
    if (w_.decoder_) w_.decoder_->run(stream, latents, nullptr, cu_, in.cu_latents, decoder_, scratch);
    return result;
  }

 private:
  const CudaPerceiver& w_;
  CudaPerceiverCross::Buffers cross_, decoder_;
  float *qkv_ = nullptr, *attended_ = nullptr;
  AlignedArray<int64_t> all_;  ///< with a decoder: offsets of all latents, on the host
  CudaOffsets cu_;             ///< of the encoder's latents in this request
};

std::unique_ptr<CudaCompression> CudaPerceiver::session() const {
  return std::make_unique<CudaPerceiverSession>(*this);
}

}  // namespace sns
