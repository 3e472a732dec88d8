#include <algorithm>
#include <vector>

#include "pipeline/cuda/compressors.h"
#include "pipeline/fold.h"

namespace sns {
namespace {

struct Weights final : CudaCompressor {
  struct Layer {
    bool reads = false;
    CudaLinear qkv, self_out, cross_q, cross_kv, cross_out, up, down;
    CudaNorm self_norm, cross_norm, norm_mlp;
  };
  Weights(const CudaDevicePtr& device, const QFormerConfig& c, int64_t d_model_, const QFormerTensors& t,
          Parallel& parallel)
      : config(c), d_model(d_model_), shape(AttentionShape::of_channels(c.heads, c.d_latents, c.d_latents)) {
    const int64_t d = c.d_latents;
    AlignedArray<float> normed = folded(t.queries, c.num_latents, d, nullptr);
    Norm(t.norm, d, c.norm_eps).run(normed.data(), c.num_latents, normed.data(), parallel);
    queries = CudaArray<float>(device, normed.data(), normed.size());
    for (const QFormerTensors::Layer& l : t.layers) {
      Layer layer;
      layer.reads = l.cross.q.weight != nullptr;
      layer.qkv = CudaLinear::side_by_side(device, {l.self.q, l.self.k, l.self.v}, {d, d, d}, d);
      layer.self_out = CudaLinear(device, l.self.o, d, d);
      layer.self_norm = CudaNorm(device, l.self.norm, d, c.norm_eps);
      if (layer.reads) {
        layer.cross_q = CudaLinear(device, l.cross.q, d, d);
        layer.cross_kv = CudaLinear::side_by_side(device, {l.cross.k, l.cross.v}, {d, d}, d_model);
        layer.cross_out = CudaLinear(device, l.cross.o, d, d);
        layer.cross_norm = CudaNorm(device, l.cross.norm, d, c.norm_eps);
      }
      layer.up = CudaLinear(device, l.up, c.mlp_hidden, d);
      layer.down = CudaLinear(device, l.down, d, c.mlp_hidden);
      layer.norm_mlp = CudaNorm(device, l.norm_mlp, d, c.norm_eps);
      layers.push_back(std::move(layer));
    }
  }
  std::unique_ptr<CudaCompression> session() const override;

  QFormerConfig config;
  int64_t d_model;
  AttentionShape shape;
  CudaArray<float> queries;  ///< after their norm
  std::vector<Layer> layers;
};

class Compression final : public CudaCompression {
 public:
  explicit Compression(const Weights& weights) : w_(weights) {}

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const char* field = "max_sequences";
    const int64_t d = w_.config.d_latents;
    const int64_t size =
        checked_mul(checked_mul(limits.max_sequences, w_.config.num_latents, field), d, field);
    x_ = carver.take<float>(size);
    qkv_ = carver.take<float>(checked_mul(size, 3, field));
    q_ = carver.take<float>(size);
    attended_ = carver.take<float>(size);
    kv_ = carver.take<float>(checked_mul(limits.max_tokens, 2 * d, "max_tokens"));
  }
  int64_t parcel_bytes(const CudaLimits& limits) const override {
    return limits.max_sequences * static_cast<int64_t>(sizeof(PackSegment)) +
           2 * static_cast<int64_t>(kAlign);
  }
  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    repeat_.put(parcel, w_.queries.data(), w_.config.d_latents, in.cu_latents);
  }
  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const override {
    if (w_.layers.empty()) return 0;
    const int64_t rows = checked_mul(limits.max_sequences, w_.config.num_latents, "max_sequences");
    const int64_t keys = std::max(limits.max_tokens, w_.config.num_latents);
    return std::max(cuda_attention_scratch(device, w_.shape, rows, keys, limits.max_sequences),
                    cuda_mlp_scratch(device, w_.layers[0].up, rows));
  }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                   const CudaScratch& scratch) override {
    const int64_t rows = in.cu_latents.rows, d = w_.config.d_latents;
    if (rows == 0) return x_;
    repeat_.run(stream, x_);
    for (const Weights::Layer& layer : w_.layers) {
      layer.qkv.run(stream, x_, d, rows, qkv_, 3 * d);
      cuda_attention(stream, w_.shape, qkv_, 3 * d, qkv_ + d, 3 * d, attended_, in.cu_latents, in.cu_latents,
                     scratch);
      layer.self_out.run(stream, attended_, d, rows, x_, d, x_);
      layer.self_norm.run(stream, x_, rows, x_);
      if (layer.reads) {
        layer.cross_q.run(stream, x_, d, rows, q_, d);
        layer.cross_kv.run(stream, in.tokens, w_.d_model, in.cu_tokens.rows, kv_, 2 * d);
        cuda_attention(stream, w_.shape, q_, d, kv_, 2 * d, attended_, in.cu_latents, in.cu_tokens, scratch,
                       {false, in.sizes});
        layer.cross_out.run(stream, attended_, d, rows, x_, d, x_);
        layer.cross_norm.run(stream, x_, rows, x_);
      }
      cuda_mlp(stream, layer.up, layer.down, w_.config.activation, x_, rows, qkv_, x_, scratch);
      layer.norm_mlp.run(stream, qkv_, rows, x_);
    }
    return x_;
  }

 private:
  const Weights& w_;
  float *x_ = nullptr, *qkv_ = nullptr, *q_ = nullptr, *attended_ = nullptr, *kv_ = nullptr;
  CudaRepeat repeat_;
};

std::unique_ptr<CudaCompression> Weights::session() const { return std::make_unique<Compression>(*this); }

}  // namespace

std::unique_ptr<const CudaCompressor> make_cuda_qformer(const CudaDevicePtr& device,
                                                        const QFormerConfig& config, int64_t d_model,
                                                        const QFormerTensors& tensors, Parallel& parallel) {
  return std::make_unique<const Weights>(device, config, d_model, tensors, parallel);
}

}  // namespace sns
