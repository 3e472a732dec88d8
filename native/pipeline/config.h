#pragma once

#include <cstdint>

#include "core/activation.h"
#include "ops/log_mel/log_mel.h"
#include "ops/patch_embed/patch_embed.h"
#include "ops/resize/resize.h"

namespace sns {

// Values of these enumerations are part of the ABI.
enum class Modality : int32_t { kImage = 0, kAudio = 1, kText = 2 };
constexpr int32_t kModalities = 3;
/// As tensors are named after it.
constexpr const char* part_name(Modality m) {
  return m == Modality::kImage ? "image" : m == Modality::kAudio ? "audio" : "text";
}
enum class Format : int32_t {
  kU8Hwc = 0,
  kF32Chw = 1,
  kS16Pcm = 2,
  kF32Pcm = 3,
  kF32Features = 4,
  kI64Ids = 5,
  kF32Tokens = 6,
  kU8Thwc = 7,
};
constexpr bool is_image(Format f) {
  return f == Format::kU8Hwc || f == Format::kF32Chw || f == Format::kU8Thwc;
}
/// In which order a sequence's tokens stand.
enum class TokenOrder : int32_t {
  kItems = 0,   ///< as their items were given
  kTime = 1,    ///< by start time, images first on ties
  kChunks = 2,  ///< by chunks of time; in a chunk images first, then sound, each by time
};
enum class Position : int32_t { kNone = 0, kLearned = 1, kSinCos = 2, kFourierAdd = 3, kFourierConcat = 4 };
constexpr bool is_fourier(Position p) { return p == Position::kFourierAdd || p == Position::kFourierConcat; }
/// How a learned table serves other grids than its own.
enum class PositionResize : int32_t {
  kFixed = 0,     ///< not at all
  kBicubic = 1,   ///< a = −0.75, not antialiased: ViT, CLIP, SigLIP
  kBilinear = 2,  ///< antialiased: SigLIP2-NaFlex
};
enum class ResizeMode : int32_t {
  kNone = 0,
  kSquash = 1,
  kShortestEdge = 2,
  kSmart = 3,
  kNaflex = 4,
  kShortestLongest = 5,
  kFit = 6
};
enum class AudioTokens : int32_t { kFrames = 0, kPatches = 1, kConvolved = 2 };

/// Largest size of anything that is counted (tokens, channels, rows): indices of results are 32 bits wide.
constexpr int64_t kMaxCount = INT32_MAX;
/// Largest image (pixels) or sound (samples): times in half samples × 10⁶ then stay inside 64 bits.
constexpr int64_t kMaxExtent = int64_t{1} << 40;

/// The meaning of every field is in sensorium.h (sns_*_config).
struct SequenceConfig {
  int64_t d_model = 0;
  bool modality_embedding = false;
  bool special_tokens = false;
  double ids_per_second = 25;
};

struct ResizeConfig {
  ResizeMode mode = ResizeMode::kNone;
  ResizeFilter filter = ResizeFilter::kBilinear;
  int64_t height = 0, width = 0;
  int64_t crop_h = 0, crop_w = 0;
  int64_t factor = 0, min_pixels = 0, max_pixels = 0, max_patches = 0;
  /// Whether pictures are left alone.
  bool none() const { return mode == ResizeMode::kNone && crop_h == 0; }
};

struct ImageConfig {
  PatchGeometry geometry;
  int64_t grid_h = 0, grid_w = 0;
  int64_t fourier_bands = 0;
  int64_t prefix_tokens = 0;
  Position position = Position::kNone;
  PositionResize position_resize = PositionResize::kFixed;
  bool has_bias = false;
  ResizeConfig resize;
  float mean[PatchEmbedWeights::kMaxChannels] = {}, std[PatchEmbedWeights::kMaxChannels] = {};
};

struct AudioConfig {
  LogMelConfig log_mel;
  int64_t patch_freq = 0, patch_time = 0, stride_freq = 0, stride_time = 0;
  int64_t max_frames = 0;
  int64_t fixed_frames = 0;
  int64_t prefix_tokens = 0;
  AudioTokens tokens = AudioTokens::kFrames;
  Position position = Position::kNone;
  bool has_bias = false;
  float pad_value = 0;
  bool norm = false;  ///< of projected patches
  float norm_eps = 1e-5f;
};

struct TextConfig {
  int64_t vocabulary = 0;
  int64_t max_tokens = 0;
  Position position = Position::kNone;
};

struct PerceiverConfig {
  int64_t num_latents = 0, d_latents = 0;
  int64_t blocks = 0, layers = 0;
  int64_t cross_heads = 1, self_heads = 1;
  int64_t cross_qk = 0, cross_v = 0, self_qk = 0, self_v = 0;
  int64_t cross_widening = 1, self_widening = 1;
  Activation activation = Activation::kGelu;
  bool query_residual = true;
  float norm_eps = 1e-5f;
};

/// Pre-norm transformer over each item's tokens.
struct EncoderConfig {
  int64_t layers = 0, heads = 1;
  int64_t hidden = 0;
  Activation activation = Activation::kGelu;
  bool pre_norm = false, final_norm = true;
  bool qkv_bias = true, bias = true;
  float norm_eps = 1e-5f;
  bool causal = false;  ///< a token reads none that come after it
  bool rotary = false;  ///< queries and keys turn by row and column
};

struct PerceiverDecoderConfig {
  int64_t num_queries = 0, d_queries = 0;
  int64_t heads = 1;
  int64_t qk = 0, v = 0;
  int64_t widening = 1;
  Activation activation = Activation::kGelu;
  bool query_residual = true;
  float norm_eps = 1e-5f;
};

struct LatentResamplerConfig {
  int64_t num_latents = 0, layers = 0;
  int64_t heads = 1, kv_heads = 1, head_dim = 0;
  int64_t mlp_hidden = 0;
  bool rms_norm = true, gated_mlp = true;
  Activation activation = Activation::kSilu;
  float norm_eps = 1e-6f;
};

struct QFormerConfig {
  int64_t num_latents = 0, d_latents = 0;
  int64_t layers = 0, heads = 1, cross_frequency = 1;
  int64_t mlp_hidden = 0;
  Activation activation = Activation::kGelu;
  float norm_eps = 1e-12f;
};

enum class PoolKind : int32_t { kAttention = 0, kMean = 1, kPrefix = 2, kSuffix = 3 };
struct PoolConfig {
  PoolKind kind = PoolKind::kMean;
  int64_t count = 1;
  int64_t heads = 0, mlp_hidden = 0;  // attention only
  Activation activation = Activation::kNone;
  bool norm = false;
  float norm_eps = 1e-6f;
  int64_t dense = 0;  ///< width of a linear layer behind the mean, 0 = none
  bool dense_bias = false;
};

struct MergeConfig {
  int64_t num_latents = 0;
  bool protect_first = false;
};

struct SessionLimits {
  int64_t max_items = 0;
  int64_t max_sequences = 0;
  int64_t max_tokens = 0;
  int64_t max_pixels = 0;
  int64_t max_samples = 0;
};

/// One item of a request (sns_item).
struct Item {
  Modality modality = Modality::kImage;
  Format format = Format::kU8Hwc;
  int64_t sequence = 0;
  const void* data = nullptr;
  int64_t bytes = 0;
  int64_t dims[3] = {};
  int64_t start_us = 0, end_us = 0;
};

// Each throws kInvalidArgument naming the field that can never be right. What only shows together with
// d_model or the tensors is found when the model is made.
void validate(const SequenceConfig& config);
void validate(const ResizeConfig& config);
void validate(const ImageConfig& config);
void validate(const AudioConfig& config);
void validate(const TextConfig& config);
void validate(const PerceiverConfig& config);
void validate(const EncoderConfig& config);
void validate(const PerceiverDecoderConfig& config);
void validate(const LatentResamplerConfig& config);
void validate(const QFormerConfig& config);
void validate(const PoolConfig& config);
void validate(const MergeConfig& config);
void validate(const SessionLimits& limits);

}  // namespace sns
