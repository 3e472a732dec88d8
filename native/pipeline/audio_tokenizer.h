#pragma once

#include <optional>

#include "pipeline/blocks.h"
#include "pipeline/config.h"
#include "pipeline/weights.h"

namespace sns {

struct AudioTensors {
  const float *weight = nullptr, *bias = nullptr, *prefix = nullptr, *position = nullptr;
  Precision precision = Precision::kStrict;
  const float *weight2 = nullptr, *bias2 = nullptr;  ///< of the second convolution
  Affine norm;
};
AudioTensors take_audio(const AudioConfig& config, int64_t d_model, WeightReader& reader);

/// Both convolutions are over a frame and its two neighbours.
constexpr int64_t kConvolutionTaps = 3;
/// A convolution's weight [out, in, taps] as that of a linear layer over rows that lie one after the other.
AlignedArray<float> turned_convolution(const float* weight, int64_t out, int64_t in);

/// Sound → log-mel features [frames, n_mels] → one token a frame, one a (frequency, time) patch, or one for
/// two convolved frames. The modality embedding is folded as in ImageTokenizer.
class AudioTokenizer {
 public:
  struct Shape {
    int64_t frames;       ///< that the sound itself gives
    int64_t used_frames;  ///< after cutting or padding to fixed_frames
    int64_t grid_f, grid_t;
    int64_t duration_x2;  ///< in half samples, from the sound's first sample on
    int64_t before;       ///< frames of the sound before these
    int64_t tokens() const { return grid_f * grid_t; }
  };

  AudioTokenizer(const AudioConfig& config, int64_t d_model, const AudioTensors& tensors,
                 const float* modality);
  const AudioConfig& config() const { return config_; }
  const LogMelPlan& plan() const { return plan_; }
  const LinearWeights& frame() const { return frame_; }
  const PatchEmbedWeights& patch() const { return patch_; }
  /// Learned positions with the modality, or null.
  const float* position() const { return position_.data(); }
  int64_t positions() const { return position_.size() / d_model_; }
  const float* prefix() const { return prefix_.data(); }
  bool patches() const { return config_.tokens == AudioTokens::kPatches; }
  bool convolved() const { return config_.tokens == AudioTokens::kConvolved; }
  /// Frames from one token to the next, and that one token covers.
  int64_t step() const { return patches() ? config_.stride_time : convolved() ? 2 : 1; }
  int64_t width() const { return patches() ? config_.patch_time : step(); }

  /// Of a sound of `samples`; throws kInvalidShape when it is too short for a frame or a patch,
  /// kLimitExceeded when it has more frames than there are learned positions.
  Shape shape_of_samples(int64_t samples) const;
  /// Of `frames` finished features that follow `before` others of the same sound. Its length is unknown: it
  /// is taken to end with the last frame's tile.
  Shape shape_of_features(int64_t frames, int64_t before) const;

  /// Half samples where the tile of `frame` begins: one hop around the window's centre, clipped to the sound.
  /// The tile of frame f ends where that of f+1 begins.
  int64_t tile_start_x2(int64_t frame, int64_t duration_x2) const;
  /// Half samples → microseconds, rounded down.
  int64_t micros(int64_t half_samples) const {
    return half_samples * 1000000 / (2 * config_.log_mel.sample_rate);
  }

  /// Rows of features that a session must hold.
  int64_t max_feature_rows(int64_t max_samples) const;
  /// Upper bound of one axis of the token grid, and of the whole grid, within the limits.
  int64_t max_tokens(int64_t limit) const;
  /// Most frames that become so many tokens.
  int64_t max_used_frames(int64_t max_tokens) const;
  size_t scratch(int64_t max_samples, int64_t max_tokens, int threads) const;

  /// `data` is PCM or features, as `format` says, `count` its samples or frames. `features` has
  /// max_feature_rows rows. `sincos` [tokens, d_model] already carries the modality. Writes y [tokens,
  /// d_model].
  void run(Format format, const void* data, int64_t count, const Shape& shape, float* features,
           const float* sincos, float* y, void* scratch, Parallel& parallel) const;

 private:
  Shape finish(int64_t frames, int64_t duration_x2, const char* field) const;
  /// What the convolutions need for so many frames: both inputs with a row of zeros around them.
  struct Convolved {
    float *features = nullptr, *hidden = nullptr;
    void* scratch = nullptr;
  };
  Convolved lay_out(Carver& carver, int64_t frames, int threads) const;
  void convolve(const float* features, int64_t frames, const float* position, float* y, void* scratch,
                Parallel& parallel) const;

  AudioConfig config_;
  int64_t d_model_;
  LogMelPlan plan_;
  LinearWeights frame_, conv1_, conv2_;
  PatchEmbedWeights patch_;
  std::optional<Norm> norm_;
  AlignedArray<float> prefix_, position_;
};

}  // namespace sns
