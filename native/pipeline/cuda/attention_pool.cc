#include <algorithm>

#include "pipeline/cuda/compressors.h"

namespace sns {
namespace {

struct Weights final : CudaCompressor {
  Weights(const CudaDevicePtr& device, const PoolConfig& c, int64_t d_model, const AttentionPoolTensors& t,
          Parallel& parallel)
      : config(c),
        d(d_model),
        shape(AttentionShape::of_channels(c.heads, d_model, d_model)),
        q(device, projected_probe(t, d_model, parallel).data(), d_model),
        kv(device, t.in_weight + d_model * d_model, t.in_bias + d_model, 2 * d_model, d_model),
        out(device, t.o, d_model, d_model),
        up(device, t.up, c.mlp_hidden, d_model),
        down(device, t.down, d_model, c.mlp_hidden),
        norm(device, t.norm, d_model, c.norm_eps) {}
  std::unique_ptr<CudaCompression> session() const override;

  PoolConfig config;
  int64_t d;
  AttentionShape shape;
  CudaArray<float> q;
  CudaLinear kv, out, up, down;
  CudaNorm norm;
};

class Compression final : public CudaCompression {
 public:
  explicit Compression(const Weights& weights) : w_(weights) {}

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const int64_t size = checked_mul(limits.max_sequences, w_.d, "max_sequences");
    q_ = carver.take<float>(size);
    attended_ = carver.take<float>(size);
    normed_ = carver.take<float>(size);
    y_ = carver.take<float>(size);
    kv_ = carver.take<float>(checked_mul(limits.max_tokens, 2 * w_.d, "max_tokens"));
  }
  int64_t parcel_bytes(const CudaLimits& limits) const override {
    return limits.max_sequences * static_cast<int64_t>(sizeof(PackSegment)) +
           2 * static_cast<int64_t>(kAlign);
  }
  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    repeat_.put(parcel, w_.q.data(), w_.d, in.cu_latents);
  }
  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const override {
    return std::max(cuda_attention_scratch(device, w_.shape, limits.max_sequences, limits.max_tokens,
                                           limits.max_sequences),
                    cuda_mlp_scratch(device, w_.up, limits.max_sequences));
  }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                   const CudaScratch& scratch) override {
    const int64_t rows = in.cu_latents.total(), d = w_.d;
    if (rows == 0) return y_;
    repeat_.run(stream, q_);
    w_.kv.run(stream, in.tokens, d, in.cu_tokens.total(), kv_, 2 * d);
    cuda_attention(stream, w_.shape, q_, d, kv_, 2 * d, attended_, in.cu_latents, in.cu_tokens, scratch,
                   {false, in.sizes});
    w_.out.run(stream, attended_, d, rows, y_, d);
    w_.norm.run(stream, y_, rows, normed_);
    cuda_mlp(stream, w_.up, w_.down, w_.config.activation, normed_, rows, y_, y_, scratch);
    return y_;
  }

 private:
  const Weights& w_;
  float *q_ = nullptr, *kv_ = nullptr, *attended_ = nullptr, *normed_ = nullptr, *y_ = nullptr;
  CudaRepeat repeat_;
};

std::unique_ptr<CudaCompression> Weights::session() const { return std::make_unique<Compression>(*this); }

}  // namespace

std::unique_ptr<const CudaCompressor> make_cuda_attention_pool(const CudaDevicePtr& device,
                                                               const PoolConfig& config, int64_t d_model,
                                                               const AttentionPoolTensors& tensors,
                                                               Parallel& parallel) {
  return std::make_unique<const Weights>(device, config, d_model, tensors, parallel);
}

}  // namespace sns
