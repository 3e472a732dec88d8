#include <algorithm>

#include "pipeline/cuda/compressors.h"
#include "pipeline/cuda/cross_attention.h"

namespace sns {
namespace {

struct Weights final : CudaCompressor {
  Weights(const CudaDevicePtr& device, const PoolConfig& c, int64_t d_model, const AttentionPoolTensors& t,
          Parallel& parallel)
      : config(c),
        d(d_model),
        attention(device, projected_probe(t, d_model, parallel).data(), 1, d_model, c.heads, d_model, d_model,
                  {{t.in_weight + d_model * d_model, t.in_bias + d_model},
                   {t.in_weight + 2 * d_model * d_model, t.in_bias + 2 * d_model}}),
        out(device, t.o, d_model, d_model),
        up(device, t.up, c.mlp_hidden, d_model),
        down(device, t.down, d_model, c.mlp_hidden),
        norm(device, t.norm, d_model, c.norm_eps) {}
  std::unique_ptr<CudaCompression> session() const override;

  PoolConfig config;
  int64_t d;
  CudaLearnedCross attention;
  CudaLinear out, up, down;
  CudaNorm norm;
};

class Compression final : public CudaCompression {
 public:
  explicit Compression(const Weights& weights) : w_(weights) {}

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const int64_t size = checked_mul(limits.max_sequences, w_.d, "max_sequences");
    attended_ = carver.take<float>(size);
    normed_ = carver.take<float>(size);
    y_ = carver.take<float>(size);
    w_.attention.lay_out(carver, limits.max_tokens, limits.max_sequences, attention_);
  }
  int64_t parcel_bytes(const CudaLimits& limits) const override {
    return CudaLearnedCross::parcel_bytes(limits.max_sequences);
  }
  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    w_.attention.put(in.cu_tokens, in.cu_latents, attended_, parcel, attention_);
  }
  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const override {
    return std::max(w_.attention.scratch(device, limits.max_tokens, limits.max_sequences),
                    cuda_mlp_scratch(device, w_.up, limits.max_sequences));
  }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                   const CudaScratch& scratch) override {
    const int64_t rows = in.cu_latents.rows, d = w_.d;
    if (rows == 0) return y_;
    w_.attention.run(stream, in.tokens, in.sizes, in.cu_tokens, in.cu_latents, attention_, attended_,
                     scratch);
    w_.out.run(stream, attended_, d, rows, y_, d);
    w_.norm.run(stream, y_, rows, normed_);
    cuda_mlp(stream, w_.up, w_.down, w_.config.activation, normed_, rows, y_, y_, scratch);
    return y_;
  }

 private:
  const Weights& w_;
  float *attended_ = nullptr, *normed_ = nullptr, *y_ = nullptr;
  CudaLearnedCross::Buffers attention_;
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
