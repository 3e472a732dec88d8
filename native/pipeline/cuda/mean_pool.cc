#include <algorithm>
#include <optional>

#include "pipeline/cuda/bucket.h"
#include "pipeline/cuda/compressors.h"

namespace sns {
namespace {

struct Weights final : CudaCompressor {
  Weights(const CudaDevicePtr& device, const PoolConfig& config, int64_t d_model, const MeanPoolTensors& t)
      : host(config, d_model, t), d(d_model), activation(config.activation) {
    if (config.norm) norm.emplace(device, t.norm, d_model, config.norm_eps);
    if (config.dense > 0) dense = CudaLinear(device, t.dense, config.dense, d_model);
  }
  std::unique_ptr<CudaCompression> session() const override;

  MeanPool host;  ///< says which tokens a latent is the mean of
  int64_t d;
  Activation activation;
  std::optional<CudaNorm> norm;
  CudaLinear dense;
};

class Compression final : public CudaCompression {
 public:
  explicit Compression(const Weights& weights) : w_(weights) {}

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const int64_t rows = max_rows(limits);
    y_ = carver.take<float>(checked_mul(rows, w_.d, "max_sequences"));
    const int64_t out = w_.dense.out();
    if (out > 0) dense_ = carver.take<float>(checked_mul(rows, out, "max_sequences"));
  }
  int64_t parcel_bytes(const CudaLimits& limits) const override {
    return max_rows(limits) * static_cast<int64_t>(sizeof(Segment)) + static_cast<int64_t>(kAlign);
  }
  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    Segment* segments = parcel.take(in.cu_latents.rows, &segments_);
    std::fill(segments + in.cu_latents.host[in.cu_latents.count], segments + in.cu_latents.rows, Segment());
    for (int64_t s = 0; s < in.cu_latents.count; ++s) {
      const int64_t *t = in.cu_tokens.host + s, *l = in.cu_latents.host + s;
      for (int64_t i = 0; i < l[1] - l[0]; ++i) {
        Segment& segment = segments[l[0] + i] = w_.host.segment(i, l[1] - l[0], t[1] - t[0]);
        segment.first += t[0];
      }
    }
  }
  int64_t scratch(const CudaDevice&, const CudaLimits&) const override { return 0; }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in, const CudaScratch&) override {
    const int64_t rows = in.cu_latents.rows, out = w_.dense.out();
    if (rows == 0) return out > 0 ? dense_ : y_;
    const SegmentMeanArgs a{in.tokens, w_.d, w_.d, segments_, rows, y_, w_.d};
    stream.check(stream.ops().segment_mean(a, stream.get()), "segment_mean");
    if (w_.norm) w_.norm->run(stream, y_, rows, y_);
    if (out == 0) return y_;
    LinearArgs dense;
    dense.x = y_;
    dense.rows = rows;
    dense.ldx = w_.d;
    dense.y = dense_;
    dense.ldy = out;
    dense.activation = w_.activation;
    stream.check(stream.ops().linear(w_.dense.weights(), dense, stream.precision(), stream.get()), "linear");
    return dense_;
  }

 private:
  /// A sequence has no more latents than tokens, but for one that has none.
  int64_t max_rows(const CudaLimits& limits) const {
    return bucket(checked_add(limits.max_tokens, limits.max_sequences, "max_tokens"),
                  checked_mul(limits.max_sequences, w_.host.max_latents(), "max_sequences"));
  }
  const Weights& w_;
  const Segment* segments_ = nullptr;
  float *y_ = nullptr, *dense_ = nullptr;
};

std::unique_ptr<CudaCompression> Weights::session() const { return std::make_unique<Compression>(*this); }

}  // namespace

std::unique_ptr<const CudaCompressor> make_cuda_mean_pool(const CudaDevicePtr& device,
                                                          const PoolConfig& config, int64_t d_model,
                                                          const MeanPoolTensors& tensors) {
  return std::make_unique<const Weights>(device, config, d_model, tensors);
}

}  // namespace sns
