#include "pipeline/token_merger.h"

#include <algorithm>
#include <vector>

#include "pipeline/cuda/compressors.h"

namespace sns {
namespace {

CompressorLimits host_limits(const CudaLimits& limits) { return {limits.max_tokens, limits.max_sequences}; }

/// Both: alone where `then` is null.
struct Weights final : CudaCompressor {
  Weights(const CudaDevicePtr& device, const MergeConfig& config, int64_t d_model,
          std::unique_ptr<const CudaCompressor> compressor)
      : host(config, d_model),
        d(d_model),
        protect(config.protect_first ? 1 : 0),
        then(std::move(compressor)) {
    const std::vector<float> host_ones(static_cast<size_t>(std::max<int64_t>(2, config.num_latents)), 1.0f);
    ones = CudaArray<float>(device, host_ones.data(), static_cast<int64_t>(host_ones.size()));
  }
  std::unique_ptr<CudaCompression> session() const override;

  TokenMerger host;  ///< says how many tokens are left
  int64_t d, protect;
  std::unique_ptr<const CudaCompressor> then;
  CudaArray<float> ones;  ///< sizes of a sequence that is left as it is
};

class Compression final : public CudaCompression {
 public:
  explicit Compression(const Weights& weights) : w_(weights) {
    if (w_.then) then_ = w_.then->session();
  }

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const int64_t half = (limits.max_tokens + 1) / 2, rows = w_.host.max_rows(host_limits(limits));
    for (int i = 0; i < 2; ++i) {
      half_[i] = carver.take<float>(checked_mul(half, w_.d, "max_tokens"));
      half_size_[i] = carver.take<float>(half);
    }
    y_ = carver.take<float>(checked_mul(rows, w_.d, "max_tokens"));
    size_ = carver.take<float>(rows);
    if (!then_) return;
    cu_merged_host_ = AlignedArray<int64_t>(limits.max_sequences + 1);
    then_->lay_out(carver, limits_then(limits));
  }
  int64_t parcel_bytes(const CudaLimits& limits) const override {
    if (!then_) return 0;
    return (limits.max_sequences + 1) * static_cast<int64_t>(sizeof(int64_t)) + static_cast<int64_t>(kAlign) +
           then_->parcel_bytes(limits_then(limits));
  }
  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    cu_merged_ = in.cu_latents;
    if (!then_) return;
    int64_t* cu = cu_merged_host_.data();
    cu[0] = 0;
    int64_t longest = 0;
    for (int64_t s = 0; s < in.cu_tokens.count; ++s) {
      const int64_t tokens = in.cu_tokens.host[s + 1] - in.cu_tokens.host[s];
      cu[s + 1] = cu[s] + w_.host.latents(tokens, w_.host.max_latents());
      longest = std::max(longest, cu[s + 1] - cu[s]);
    }
    cu_merged_ = put_offsets(parcel, cu, in.cu_tokens.count, cu[in.cu_tokens.count], longest);
    then_->put(merged(in), parcel);
  }
  /// A sequence's length says how many rounds there are, and of how many rows each.
  bool exact() const override { return true; }
  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const override {
    TokenMergeArgs a = args(limits.max_tokens);
    a.merge = a.rows / 2;
    const size_t all = device.ops().token_merge_workspace(a);
    a.merge = std::min<int64_t>(a.rows / 2, 1);  // more rows are left then
    const int64_t own = static_cast<int64_t>(std::max(all, device.ops().token_merge_workspace(a)));
    return then_ ? std::max(own, then_->scratch(device, limits_then(limits))) : own;
  }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                   const CudaScratch& scratch) override {
    for (int64_t s = 0; s < in.cu_tokens.count; ++s) merge(stream, in, s, scratch);
    return then_ ? then_->run(stream, merged(in), scratch) : y_;
  }

 private:
  CudaLimits limits_then(const CudaLimits& limits) const {
    return {limits.max_items, w_.host.max_rows(host_limits(limits)), limits.max_sequences};
  }
  /// What the second compressor reads.
  CudaCompressorInput merged(const CudaCompressorInput& in) const {
    return {y_, cu_merged_, in.cu_latents, size_, in.empty};
  }
  TokenMergeArgs args(int64_t rows) const {
    TokenMergeArgs a;
    a.rows = rows;
    a.dim = a.ldx = a.ldy = a.metric_dim = a.ld_metric = w_.d;
    a.protect = w_.protect;
    return a;
  }

  /// TokenMerger::run of one sequence.
  void merge(const CudaStream& stream, const CudaCompressorInput& in, int64_t s, const CudaScratch& scratch) {
    const int64_t first = in.cu_tokens.host[s], tokens = in.cu_tokens.host[s + 1] - first;
    const int64_t to = cu_merged_.host[s], wanted = cu_merged_.host[s + 1] - to;
    const float* x = in.tokens + first * w_.d;
    if (tokens == wanted) {
      stream.copy(y_ + to * w_.d, x, tokens * w_.d * static_cast<int64_t>(sizeof(float)));
      stream.copy(size_ + to, w_.ones.data(), tokens * static_cast<int64_t>(sizeof(float)));
      return;
    }
    const float* size = nullptr;
    int64_t rows = tokens;
    for (int turn = 0; rows > wanted; turn ^= 1) {
      TokenMergeArgs a = args(rows);
      a.x = a.metric = x;
      a.size = size;
      a.merge = std::min(rows - wanted, (rows - w_.protect) / 2);
      const int64_t left = rows - a.merge;
      a.y = left == wanted ? y_ + to * w_.d : half_[turn];
      a.y_size = left == wanted ? size_ + to : half_size_[turn];
      stream.check(stream.ops().token_merge(a, scratch.data, stream.get()), "token_merge");
      x = a.y;
      size = a.y_size;
      rows = left;
    }
  }

  const Weights& w_;
  std::unique_ptr<CudaCompression> then_;
  float *half_[2] = {}, *half_size_[2] = {};  ///< what rounds but the last give
  float *y_ = nullptr, *size_ = nullptr;
  AlignedArray<int64_t> cu_merged_host_;
  CudaOffsets cu_merged_;
};

std::unique_ptr<CudaCompression> Weights::session() const { return std::make_unique<Compression>(*this); }

}  // namespace

std::unique_ptr<const CudaCompressor> make_cuda_token_merger(const CudaDevicePtr& device,
                                                             const MergeConfig& config, int64_t d_model,
                                                             std::unique_ptr<const CudaCompressor> then) {
  return std::make_unique<const Weights>(device, config, d_model, std::move(then));
}

}  // namespace sns
