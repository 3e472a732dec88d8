#include <algorithm>
#include <vector>

#include "pipeline/cuda/compressors.h"

namespace sns {
namespace {

struct Weights final : CudaCompressor {
  struct Layer {
    CudaNorm norm_latents, norm_context, norm_mlp;
    CudaLinear q, kv, out, gate, up, down;
  };
  Weights(const CudaDevicePtr& device, const LatentResamplerConfig& c, int64_t d_model,
          const LatentResamplerTensors& t)
      : config(c),
        d(d_model),
        shape{c.heads, c.kv_heads, c.head_dim, c.head_dim},
        latents(device, t.latents, c.num_latents * d_model) {
    const std::vector<float> host_ones(static_cast<size_t>(c.num_latents), 1.0f);
    ones = CudaArray<float>(device, host_ones.data(), c.num_latents);
    const Norm::Kind kind = c.rms_norm ? Norm::Kind::kRms : Norm::Kind::kLayer;
    for (const LatentResamplerTensors::Layer& l : t.layers) {
      Layer layer;
      layer.norm_latents = CudaNorm(device, l.norm_latents, d, c.norm_eps, kind);
      layer.norm_context = CudaNorm(device, l.norm_context, d, c.norm_eps, kind);
      layer.norm_mlp = CudaNorm(device, l.norm_mlp, d, c.norm_eps, kind);
      layer.q = CudaLinear(device, l.q, shape.q_width(), d);
      layer.kv = CudaLinear::side_by_side(device, {l.k, l.v}, {shape.k_width(), shape.v_width()}, d);
      layer.out = CudaLinear(device, l.o, d, shape.y_width());
      if (c.gated_mlp) layer.gate = CudaLinear(device, l.gate, c.mlp_hidden, d, 3);
      layer.up = CudaLinear(device, l.up, c.mlp_hidden, d, c.gated_mlp ? 3 : 2);
      layer.down = CudaLinear(device, l.down, d, c.mlp_hidden);
      layers.push_back(std::move(layer));
    }
    norm = CudaNorm(device, t.norm, d, c.norm_eps, kind);
  }
  std::unique_ptr<CudaCompression> session() const override;

  LatentResamplerConfig config;
  int64_t d;
  AttentionShape shape;
  CudaArray<float> latents, ones;
  std::vector<Layer> layers;
  CudaNorm norm;
};

class Compression final : public CudaCompression {
 public:
  explicit Compression(const Weights& weights) : w_(weights) {}

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const char* field = "max_sequences";
    const int64_t rows = checked_mul(limits.max_sequences, w_.config.num_latents, field);
    const int64_t keys = checked_add(limits.max_tokens, rows, "max_tokens");
    const auto take = [&](int64_t count, int64_t width) {
      return carver.take<float>(checked_mul(count, width, field));
    };
    latents_ = take(rows, w_.d);
    normed_ = take(rows, w_.d);
    q_ = take(rows, w_.shape.q_width());
    attended_ = take(rows, w_.shape.y_width());
    normed_tokens_ = take(limits.max_tokens, w_.d);
    context_ = take(keys, w_.d);
    kv_ = take(keys, w_.shape.k_width() + w_.shape.v_width());
    sizes_ = carver.take<float>(keys);
    cu_context_host_ = AlignedArray<int64_t>(limits.max_sequences + 1);
  }
  int64_t parcel_bytes(const CudaLimits& limits) const override {
    const int64_t align = static_cast<int64_t>(kAlign);
    return limits.max_sequences * static_cast<int64_t>(5 * sizeof(PackSegment) + sizeof(int64_t)) + 6 * align;
  }
  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    const int64_t sequences = in.cu_latents.count;
    repeat_.put(parcel, w_.latents.data(), w_.d, in.cu_latents);
    segment_count_ = 2 * sequences;
    PackSegment* segments = parcel.take(segment_count_, &segments_);
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t *t = in.cu_tokens.host + s, *l = in.cu_latents.host + s;
      segments[2 * s] = {normed_tokens_ + t[0] * w_.d, w_.d, t[1] - t[0], nullptr, nullptr};
      segments[2 * s + 1] = {normed_ + l[0] * w_.d, w_.d, l[1] - l[0], nullptr, nullptr};
    }
    if (in.sizes) {
      PackSegment* sizes = parcel.take(segment_count_, &size_segments_);
      for (int64_t s = 0; s < sequences; ++s) {
        sizes[2 * s] = {in.sizes + in.cu_tokens.host[s], 1, segments[2 * s].count, nullptr, nullptr};
        sizes[2 * s + 1] = {w_.ones.data(), 1, segments[2 * s + 1].count, nullptr, nullptr};
      }
    }
    for (int64_t s = 0; s <= sequences; ++s) {
      cu_context_host_[s] = in.cu_tokens.host[s] + in.cu_latents.host[s];
    }
    cu_context_ =
        put_offsets(parcel, cu_context_host_.data(), sequences, in.cu_tokens.rows + in.cu_latents.rows,
                    in.cu_tokens.longest + in.cu_latents.longest);
  }
  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const override {
    if (w_.layers.empty()) return 0;
    const int64_t rows = checked_mul(limits.max_sequences, w_.config.num_latents, "max_sequences");
    const Weights::Layer& l = w_.layers[0];
    checked_mul(checked_mul(rows, w_.config.mlp_hidden, "max_sequences"), 2 * sizeof(float), "max_sequences");
    const int64_t mlp = w_.config.gated_mlp
                            ? static_cast<int64_t>(device.ops().gated_mlp_workspace(l.gate.weights(), rows))
                            : cuda_mlp_scratch(device, l.up, rows);
    return std::max(
        mlp, cuda_attention_scratch(device, w_.shape, rows, limits.max_tokens + rows, limits.max_sequences));
  }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                   const CudaScratch& scratch) override {
    const int64_t rows = in.cu_latents.rows, d = w_.d, ldkv = w_.shape.k_width() + w_.shape.v_width();
    if (rows == 0) return latents_;
    repeat_.run(stream, latents_);
    if (in.sizes) {
      stream.check(stream.ops().pack({size_segments_, segment_count_, 1, sizes_, 1, cu_context_.longest},
                                     stream.get()),
                   "pack");
    }
    for (const Weights::Layer& layer : w_.layers) {
      layer.norm_latents.run(stream, latents_, rows, normed_);
      layer.q.run(stream, normed_, d, rows, q_, w_.shape.q_width());
      layer.norm_context.run(stream, in.tokens, in.cu_tokens.rows, normed_tokens_);
      stream.check(
          stream.ops().pack({segments_, segment_count_, d, context_, d, cu_context_.longest}, stream.get()),
          "pack");
      layer.kv.run(stream, context_, d, cu_context_.rows, kv_, ldkv);
      cuda_attention(stream, w_.shape, q_, w_.shape.q_width(), kv_, ldkv, attended_, in.cu_latents,
                     cu_context_, scratch, {false, in.sizes ? sizes_ : nullptr});
      layer.out.run(stream, attended_, w_.shape.y_width(), rows, latents_, d, latents_);
      layer.norm_mlp.run(stream, latents_, rows, normed_);
      if (!w_.config.gated_mlp) {
        cuda_mlp(stream, layer.up, layer.down, w_.config.activation, normed_, rows, latents_, latents_,
                 scratch);
        continue;
      }
      const GatedMlpArgs mlp{normed_, rows, d, latents_, d, w_.config.activation, latents_, d};
      stream.check(stream.ops().gated_mlp(layer.gate.weights(), layer.up.weights(), layer.down.weights(), mlp,
                                          stream.precision(), scratch.data, stream.get()),
                   "gated_mlp");
    }
    w_.norm.run(stream, latents_, rows, latents_);
    return latents_;
  }

 private:
  const Weights& w_;
  float *latents_ = nullptr, *normed_ = nullptr, *q_ = nullptr, *attended_ = nullptr;
  float *normed_tokens_ = nullptr, *context_ = nullptr, *kv_ = nullptr;
  float* sizes_ = nullptr;  ///< of the context's rows
  AlignedArray<int64_t> cu_context_host_;
  CudaRepeat repeat_;
  CudaOffsets cu_context_;
  const PackSegment* segments_ = nullptr;       ///< [context; latents] of each sequence
  const PackSegment* size_segments_ = nullptr;  ///< [sizes; ones] likewise
  int64_t segment_count_ = 0;
};

std::unique_ptr<CudaCompression> Weights::session() const { return std::make_unique<Compression>(*this); }

}  // namespace

std::unique_ptr<const CudaCompressor> make_cuda_latent_resampler(const CudaDevicePtr& device,
                                                                 const LatentResamplerConfig& config,
                                                                 int64_t d_model,
                                                                 const LatentResamplerTensors& tensors) {
  return std::make_unique<const Weights>(device, config, d_model, tensors);
}

}  // namespace sns
