#pragma once

#include <algorithm>
#include <optional>

#include "pipeline/cuda/compressor.h"
#include "pipeline/cuda/fft.h"
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
  const CudaLinear& frame() const { return frame_; }
  const PatchEmbedCudaWeights& patch() const { return patch_; }
  const float* position() const { return position_.data(); }
  /// Of projected patches, or null.
  const CudaNorm* norm() const { return norm_ ? &*norm_ : nullptr; }
  const CudaLinear& conv1() const { return conv1_; }
  const CudaLinear& conv2() const { return conv2_; }
  /// [n_mels] of pad_value, and of zeros.
  const float* pad() const { return pad_.data(); }
  const float* zero() const { return zero_.data(); }

 private:
  const AudioTokenizer& host_;
  CudaBlock plan_block_, patch_block_;
  LogMelCudaPlan plan_;
  std::shared_ptr<const CudaFft> fft_;
  CudaLinear frame_;             ///< one token a frame
  CudaLinear conv1_, conv2_;     ///< or one for two frames
  PatchEmbedCudaWeights patch_;  ///< or one a patch
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
  /// Rows of features that the sound takes, with those around it where it is convolved.
  int64_t rows(const ItemPlan& plan) const;
  /// Whether it can be computed together with a batch of `used` rows whose last sound is `before`.
  bool joins(int64_t used, const ItemPlan& before, const ItemPlan& plan) const;
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
    PackSegment* added_host = nullptr;  ///< positions of normed patches, one segment a sound
    const PackSegment* added = nullptr;
    const PackSegment *columns = nullptr, *column_rows = nullptr;  ///< sine-cosine grid of the first sound
  };
  void reserve(DeviceBlock& parcel, Batch& batch) const;
  void fill(Batch& batch) const;
  void run(const CudaStream& stream, const Batch& batch, const CudaScratch& scratch) const;

 private:
  /// Added to the tokens of a frame each; or null.
  const float* position() const { return frames_.data() ? frames_.data() : audio_.position(); }
  bool padded(const ItemPlan& plan) const { return plan.audio.used_frames > plan.audio.frames; }
  /// Rows before and behind a sound's features.
  int64_t margin() const { return audio_.host().convolved() ? 1 : 0; }
  int64_t segments() const { return 2 + 2 * margin(); }
  void convolve(const CudaStream& stream, const Batch& batch) const;
  void transform(const CudaStream& stream, const Batch& batch, const CudaScratch& scratch) const;
  const float* source(const Batch& batch, int64_t i, int64_t row) const;

  const CudaAudio& audio_;
  CudaDevicePtr device_;
  SessionLimits limits_;
  int64_t row_capacity_ = 0, hidden_rows_ = 0, d_model_ = 0;
  const float* added_;
  CudaArray<float> frames_, axis_;  ///< sine-cosine tables
  std::optional<CudaFftPlan> fft_;
  unsigned char *windows_ = nullptr, *spectrum_ = nullptr;  ///< [row_capacity_, n_fft] and its transform
  float* features_ = nullptr;                               ///< [row_capacity_, n_mels]
  float* hidden_ = nullptr;     ///< [rows of one sound, d_model] between two convolutions
  float* positions_ = nullptr;  ///< the grid of one sound
};

}  // namespace sns
