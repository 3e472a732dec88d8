#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "pipeline/cuda/compressor.h"
#include "pipeline/cuda/fft.h"
#include "pipeline/cuda/positions.h"
#include "pipeline/sequence.h"

namespace sns {

/// AudioTokenizer's weights on the GPU.
class CudaAudio {
 public:
  /// Throws kUnavailable for a front end whose n_fft needs cuFFT where there is none.
  CudaAudio(const CudaDevicePtr& device, const AudioTokenizer& host, const AudioTensors& tensors,
            int64_t d_model);
  const AudioTokenizer& host() const { return host_; }
  const LogMelCudaPlan& plan() const { return plan_; }
  /// For an n_fft that the fused kernel does not serve; else null.
  const std::shared_ptr<const CudaFft>& fft() const { return fft_; }
  /// Of tokens that are patches or single frames, which are patches of all bins.
  const PatchEmbedCudaWeights& patch() const { return patch_; }
  const float* position() const { return position_.data(); }
  /// Of projected patches, or null.
  const CudaNorm* norm() const { return norm_ ? &*norm_ : nullptr; }
  const CudaLinear& conv1() const { return conv1_; }
  const CudaLinear& conv2() const { return conv2_; }
  /// [n_mels] of pad_value; [n_mels] and [d_model] of zeros.
  const float* pad() const { return pad_.data(); }
  const float* zero() const { return zero_.data(); }

 private:
  const AudioTokenizer& host_;
  CudaBlock plan_block_, patch_block_;
  LogMelCudaPlan plan_;
  std::shared_ptr<const CudaFft> fft_;
  PatchEmbedCudaWeights patch_;  ///< one token a frame or a patch
  CudaLinear conv1_, conv2_;     ///< or one for two frames
  std::optional<CudaNorm> norm_;
  CudaArray<float> position_, pad_, zero_;
};

/// Where one sound of a request is.
struct CudaSound {
  const ItemPlan* plan = nullptr;
  const void* data = nullptr;  ///< on the device
  float* y = nullptr;          ///< its tokens
};

/// Sounds → features → tokens, many at once.
class CudaSounds {
 public:
  /// `added` [d_model] is what sine-cosine positions carry, on the host and on the device; or null.
  CudaSounds(const CudaAudio& audio, const CudaDevicePtr& device, const SessionLimits& limits,
             const float* added, const float* added_on_device);
  void lay_out(Carver& carver);
  int64_t scratch() const;
  /// Frames of a sound that are read: of finished features no more than are used.
  static int64_t frames(const ItemPlan& plan) {
    return plan.item.format == Format::kF32Features ? std::min(plan.audio.frames, plan.audio.used_frames)
                                                    : plan.audio.frames;
  }
  /// Whether all sounds become the same number of tokens.
  bool fixed() const { return audio_.host().config().fixed_frames > 0; }
  /// Rows of features that the sound takes, with those around it where it is convolved.
  int64_t rows(const ItemPlan& plan) const;
  /// Whether it can be computed together with a batch of `used` rows.
  bool room(int64_t used, const ItemPlan& plan) const { return used + rows(plan) <= row_capacity_; }
  int64_t parcel_bytes() const;

  struct Batch {
    Format format = Format::kS16Pcm;
    const CudaSound* sounds = nullptr;
    int64_t count = 0;
    LogMelCudaItem* clips_host = nullptr;
    LogMelCudaArgs clips;
    bool fused = false;  ///< samples to tokens in one kernel: the clips' y are tokens
    PatchEmbedCudaItem* patches_host = nullptr;
    PatchEmbedCudaArgs patches;
    PackSegment* pad_host = nullptr;  ///< features as they are, then rows of pad_value; rows of zeros around
    const PackSegment* pad = nullptr;
    int64_t pad_count = 0, pad_rows = 0;
    int64_t rows = 0;                  ///< of features, if they are convolved
    PackSegment* ends_host = nullptr;  ///< zeros around what the first convolution gives
    const PackSegment* ends = nullptr;
    PackSegment* place_host = nullptr;  ///< of bodies_: positions are added, and each sound goes to its place
    const PackSegment* place = nullptr;
    int64_t longest = 0;  ///< body
    SinCosGrids grids;
    /// All that decides which work the batch is.
    std::array<int64_t, 8> key() const {
      return {fused, clips.max_frames, patches.max_rows, pad_count, pad_rows, rows, longest, grids.longest};
    }
  };
  void reserve(DeviceBlock& parcel, Batch& batch) const;
  void fill(Batch& batch) const;
  void run(const CudaStream& stream, const Batch& batch, const CudaScratch& scratch) const;

 private:
  /// Added to the tokens of a sound if it is not made for each grid; or null.
  const float* position() const { return frames_.data() ? frames_.data() : audio_.position(); }
  bool padded(const ItemPlan& plan) const { return plan.audio.used_frames > plan.audio.frames; }
  /// Rows before and behind a sound's features.
  int64_t margin() const { return audio_.host().convolved() ? 1 : 0; }
  int64_t segments() const { return 2 + 2 * margin(); }
  void convolve(const CudaStream& stream, const Batch& batch) const;
  const float* source(const Batch& batch, int64_t i, int64_t row) const;

  const CudaAudio& audio_;
  CudaDevicePtr device_;
  SessionLimits limits_;
  int64_t row_capacity_ = 0, d_model_ = 0;
  const float* added_;
  CudaArray<float> frames_, axis_;  ///< sine-cosine tables
  std::optional<CudaFftPlan> fft_;
  unsigned char *windows_ = nullptr, *spectrum_ = nullptr;  ///< [row_capacity_, n_fft] and its transform
  float* features_ = nullptr;                               ///< [row_capacity_, n_mels]
  float* hidden_ = nullptr;     ///< [row_capacity_, d_model] between two convolutions
  float* bodies_ = nullptr;     ///< tokens of a batch side by side, if they are not finished at once
  float* positions_ = nullptr;  ///< [max_tokens, d_model] the grids of a batch
};

}  // namespace sns
