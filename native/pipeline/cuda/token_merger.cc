#include "pipeline/token_merger.h"

#include <algorithm>

#include "pipeline/cuda/bucket.h"
#include "pipeline/cuda/compressors.h"

namespace sns {
namespace {

/// Both: alone where `then` is null.
struct Weights final : CudaCompressor {
  Weights(const CudaDevicePtr& device, const MergeConfig& config, int64_t d_model,
          std::unique_ptr<const CudaCompressor> compressor)
      : host(config, d_model),
        d(d_model),
        protect(config.protect_first ? 1 : 0),
        then(std::move(compressor)) {
    const float host_one = 1;
    one = CudaArray<float>(device, &host_one, 1);
  }
  std::unique_ptr<CudaCompression> session() const override;

  TokenMerger host;  ///< says how many tokens are left
  int64_t d, protect;
  std::unique_ptr<const CudaCompressor> then;
  CudaArray<float> one;  ///< the sizes of a sequence that is left as it is
};

/// Every sequence has as many rounds as the longest one of its bucket needs, launched for that one's rows; a
/// round reads on the device how many there are, and where. A shorter sequence may have nothing to do in the
/// last rounds, and one that is left as it is has nothing to do in any: it is copied.
class Compression final : public CudaCompression {
 public:
  explicit Compression(const Weights& weights) : w_(weights) {
    if (w_.then) then_ = w_.then->session();
  }

  void lay_out(Carver& carver, const CudaLimits& limits) override {
    const int64_t half = left_of(limits.max_tokens), rows = max_rows(limits);
    for (int i = 0; i < 2; ++i) {
      half_[i] = carver.take<float>(checked_mul(half, w_.d, "max_tokens"));
      half_size_[i] = carver.take<float>(half);
    }
    y_ = carver.take<float>(checked_mul(rows, w_.d, "max_tokens"));
    size_ = carver.take<float>(rows);
    limits_ = limits;
    key_ = AlignedArray<int64_t>(2 * limits.max_sequences + 2);
    if (!then_) return;
    cu_merged_host_ = AlignedArray<int64_t>(limits.max_sequences + 1);
    then_->lay_out(carver, limits_then(limits));
  }
  int64_t parcel_bytes(const CudaLimits& limits) const override {
    const int64_t align = static_cast<int64_t>(kAlign), s = limits.max_sequences;
    const int64_t rounds = checked_mul(s, rounds_of(limits.max_tokens, 1 + w_.protect), "max_sequences");
    const int64_t own = rounds * static_cast<int64_t>(sizeof(TokenMergeCudaRound)) + align +
                        2 * (s * static_cast<int64_t>(sizeof(PackSegment)) + align);
    if (!then_) return own;
    return own + (s + 1) * static_cast<int64_t>(sizeof(int64_t)) + align +
           then_->parcel_bytes(limits_then(limits));
  }
  void put(const CudaCompressorInput& in, DeviceBlock& parcel) override {
    const int64_t sequences = in.cu_tokens.count;
    sequences_ = sequences;
    cu_merged_ = in.cu_latents;
    if (then_) put_merged(in.cu_tokens, parcel);
    int64_t rounds = 0;
    longest_copy_ = 0;
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t tokens = length(in.cu_tokens, s), wanted = length(cu_merged_, s);
      const int64_t most = bucket(tokens, limits_.max_tokens);
      key_[2 * s] = most;
      rounds += key_[2 * s + 1] = rounds_of(most, tokens > wanted ? wanted : max_latents());
      if (most > bucket(max_latents(), limits_.max_tokens)) continue;  // all of the bucket are merged
      longest_copy_ = std::max(longest_copy_, std::min(most, max_latents()));
    }
    key_[2 * sequences] = cu_merged_.rows;
    key_[2 * sequences + 1] = cu_merged_.longest;
    TokenMergeCudaRound* round = parcel.take(rounds, &rounds_);
    PackSegment* copies = parcel.take(sequences, &copies_);
    PackSegment* sizes = parcel.take(sequences, &size_copies_);
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t tokens = length(in.cu_tokens, s), wanted = length(cu_merged_, s);
      const float* x = in.tokens + in.cu_tokens.host[s] * w_.d;
      float *y = y_ + cu_merged_.host[s] * w_.d, *size = size_ + cu_merged_.host[s];
      const int64_t copied = tokens == wanted ? tokens : 0;
      copies[s] = {x, w_.d, copied, nullptr, nullptr, y};
      sizes[s] = {w_.one.data(), 0, copied, nullptr, nullptr, size};
      put_rounds(x, tokens, wanted, y, size, round, key_[2 * s + 1]);
      round += key_[2 * s + 1];
    }
    if (then_) then_->put(merged(in), parcel);
  }
  Key key() const override { return {key_.data(), 2 * sequences_ + 2}; }
  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const override {
    const auto own = static_cast<int64_t>(device.ops().token_merge_workspace(limits.max_tokens, w_.d));
    return then_ ? std::max(own, then_->scratch(device, limits_then(limits))) : own;
  }

  const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                   const CudaScratch& scratch) override {
    const TokenMergeCudaRound* round = rounds_;
    for (int64_t s = 0; s < sequences_; ++s) {
      int64_t rows = key_[2 * s];
      for (int64_t i = 0; i < key_[2 * s + 1]; ++i, ++round) {
        // A sequence's last round merges no more than is wanted.
        const int64_t left = std::max(left_of(rows), std::min(rows, max_latents()));
        stream.check(stream.ops().token_merge(round, rows, left, w_.d, scratch.data, stream.get()),
                     "token_merge");
        rows = left_of(rows);
      }
    }
    copy(stream, copies_, w_.d);
    if (!then_) return y_;
    copy(stream, size_copies_, 1);
    return then_->run(stream, merged(in), scratch);
  }

 private:
  int64_t max_latents() const { return w_.host.max_latents(); }
  static int64_t length(const CudaOffsets& cu, int64_t s) { return cu.host[s + 1] - cu.host[s]; }
  /// What a round leaves that merges all it can.
  int64_t left_of(int64_t rows) const { return rows - (rows - w_.protect) / 2; }
  int64_t rounds_of(int64_t rows, int64_t wanted) const {
    int64_t rounds = 0;
    for (; rows > wanted; rows = left_of(rows)) ++rounds;
    return rounds;
  }
  /// At least the rows that a request is merged to, and those that are launched for.
  int64_t max_rows(const CudaLimits& limits) const {
    return bucket(limits.max_tokens, checked_mul(limits.max_sequences, max_latents(), "max_sequences"));
  }
  CudaLimits limits_then(const CudaLimits& limits) const {
    return {limits.max_items, max_rows(limits), limits.max_sequences};
  }
  /// What the second compressor reads.
  CudaCompressorInput merged(const CudaCompressorInput& in) const {
    return {y_, cu_merged_, in.cu_latents, size_, in.empty};
  }

  /// Offsets of what is left of every sequence.
  void put_merged(const CudaOffsets& cu_tokens, DeviceBlock& parcel) {
    int64_t* cu = cu_merged_host_.data();
    cu[0] = 0;
    int64_t longest = 0;
    for (int64_t s = 0; s < cu_tokens.count; ++s) {
      const int64_t left = w_.host.latents(length(cu_tokens, s), max_latents());
      cu[s + 1] = cu[s] + left;
      longest = std::max(longest, left);
    }
    const int64_t count = cu_tokens.count;
    cu_merged_ = put_offsets(parcel, cu, count, bucket(cu[count], count * max_latents()),
                             bucket(longest, max_latents()));
  }
  /// TokenMerger::run of one sequence, and nothing in the rounds behind.
  void put_rounds(const float* x, int64_t tokens, int64_t wanted, float* y, float* y_size,
                  TokenMergeCudaRound* rounds, int64_t count) const {
    const float* size = nullptr;
    int64_t rows = tokens;
    for (int64_t i = 0; i < count; ++i) {
      TokenMergeArgs a;
      if (rows > wanted) {
        a.rows = rows;
        a.dim = a.ldx = a.ldy = a.metric_dim = a.ld_metric = w_.d;
        a.protect = w_.protect;
        a.x = a.metric = x;
        a.size = size;
        a.merge = std::min(rows - wanted, (rows - w_.protect) / 2);
        rows -= a.merge;
        a.y = rows == wanted ? y : half_[i % 2];
        a.y_size = rows == wanted ? y_size : half_size_[i % 2];
        x = a.y;
        size = a.y_size;
      }
      rounds[i] = token_merge_cuda_round(a);
    }
  }
  /// Of sequences that are left as they are, where their buckets have such.
  void copy(const CudaStream& stream, const PackSegment* segments, int64_t dim) const {
    if (longest_copy_ == 0) return;
    stream.check(stream.ops().pack({segments, sequences_, dim, nullptr, dim, longest_copy_}, stream.get()),
                 "pack");
  }

  const Weights& w_;
  CudaLimits limits_;
  std::unique_ptr<CudaCompression> then_;
  float *half_[2] = {}, *half_size_[2] = {};  ///< what rounds but the last give
  float *y_ = nullptr, *size_ = nullptr;
  AlignedArray<int64_t> cu_merged_host_;

  // Of the current request.
  AlignedArray<int64_t> key_;  ///< [sequences, 2] most tokens and rounds; then rows and longest of cu_merged_
  int64_t sequences_ = 0;
  const TokenMergeCudaRound* rounds_ = nullptr;  ///< of all sequences
  const PackSegment *copies_ = nullptr, *size_copies_ = nullptr;
  int64_t longest_copy_ = 0;
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
