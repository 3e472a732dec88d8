#include "pipeline/config.h"

#include <cmath>

namespace sns {
namespace {

[[noreturn]] void reject(const char* field, const std::string& what) {
  throw Error(Code::kInvalidArgument, field, std::string(field) + ": " + what);
}

void in_range(const char* field, int64_t value, int64_t low, int64_t high = kMaxCount) {
  if (value < low || value > high) {
    reject(field,
           std::to_string(value) + " is outside [" + std::to_string(low) + ", " + std::to_string(high) + "]");
  }
}

void divides(const char* field, int64_t channels, int64_t heads) {
  if (channels % heads != 0) {
    reject(field,
           std::to_string(channels) + " channels do not divide into " + std::to_string(heads) + " heads");
  }
}

void check_eps(float eps) {
  if (!std::isfinite(eps) || !(eps >= 0)) reject("norm_eps", "not a number of at least 0");
}

}  // namespace

void validate(const SequenceConfig& config) {
  in_range("d_model", config.d_model, 1);
  if (!(config.ids_per_second > 0 && config.ids_per_second <= 1e6)) {
    reject("ids_per_second", "outside (0, 1000000]");
  }
}

void validate(const ResizeConfig& config) {
  // Sizes of at most 2^16 keep products with a picture's sides inside 53 bits.
  constexpr int64_t kMaxSide = 1 << 16;
  const ResizeMode mode = config.mode;
  const auto used = [](const char* field, int64_t value, bool used, int64_t most) {
    in_range(field, value, used ? 1 : 0, used ? most : 0);
  };
  const bool patches = mode == ResizeMode::kSmart || mode == ResizeMode::kNaflex;
  const bool both =
      mode == ResizeMode::kSquash || mode == ResizeMode::kShortestLongest || mode == ResizeMode::kFit;
  used("height", config.height, both || mode == ResizeMode::kShortestEdge, kMaxSide);
  used("width", config.width, both, kMaxSide);
  used("factor", config.factor, patches, kMaxSide);
  used("min_pixels", config.min_pixels, mode == ResizeMode::kSmart, kMaxCount);
  used("max_pixels", config.max_pixels, mode == ResizeMode::kSmart, kMaxCount);
  used("max_patches", config.max_patches, mode == ResizeMode::kNaflex, kMaxCount);
  if (config.min_pixels > config.max_pixels) reject("min_pixels", "above max_pixels");
  const int64_t most = patches ? 0 : kMaxSide;
  in_range("crop_h", config.crop_h, 0, most);
  in_range("crop_w", config.crop_w, config.crop_h > 0 ? 1 : 0, config.crop_h > 0 ? most : 0);
}

void validate(const ImageConfig& config) {
  const PatchGeometry& g = config.geometry;
  in_range("channels", g.channels, 1, PatchEmbedWeights::kMaxChannels);
  in_range("patch_h", g.patch_h, 1);
  in_range("patch_w", g.patch_w, 1);
  in_range("stride_h", g.stride_h, 1);
  in_range("stride_w", g.stride_w, 1);
  in_range("temporal_patch", g.frames, 1, 1 << 16);
  in_range("prefix_tokens", config.prefix_tokens, 0);
  const bool fourier = is_fourier(config.position);
  const bool has_grid = fourier || config.position == Position::kLearned;
  in_range("grid_h", config.grid_h, has_grid ? 1 : 0, has_grid ? kMaxCount : 0);
  in_range("grid_w", config.grid_w, has_grid ? 1 : 0, has_grid ? kMaxCount : 0);
  in_range("fourier_bands", config.fourier_bands, fourier ? 1 : 0, fourier ? 1 << 20 : 0);
  if (config.position_resize != PositionResize::kFixed && config.position != Position::kLearned) {
    reject("position_resize", "only learned positions are interpolated");
  }
  try {
    validate(config.resize);
  } catch (const Error& e) {
    throw Error(e.code(), "resize." + e.field(), std::string("resize.") + e.what(), e.limit());
  }
  if (!config.resize.none()) in_range("channels", g.channels, 1, 4);  // as many as the resize takes
  for (int64_t c = 0; c < g.channels; ++c) {
    if (!std::isfinite(config.mean[c])) reject("mean", "not finite");
    if (!std::isfinite(config.std[c]) || !(config.std[c] > 0)) reject("std", "not a positive number");
  }
}

void validate(const AudioConfig& config) {
  const bool patches = config.tokens == AudioTokens::kPatches;
  const bool learned = config.position == Position::kLearned;
  const int64_t least = patches ? 1 : 0, most = patches ? kMaxCount : 0;
  // Products of a frame's index, the hop and 10^6/rate stay inside 64 bits.
  in_range("log_mel.sample_rate", config.log_mel.sample_rate, 1);
  in_range("log_mel.hop", config.log_mel.hop, 1, 1 << 24);
  in_range("log_mel.n_mels", config.log_mel.n_mels, 1, 1 << 16);
  in_range("patch_freq", config.patch_freq, least, patches ? config.log_mel.n_mels : 0);
  in_range("patch_time", config.patch_time, least, most);
  in_range("stride_freq", config.stride_freq, least, most);
  in_range("stride_time", config.stride_time, least, most);
  in_range("max_frames", config.max_frames, learned && !patches ? 1 : 0, learned && !patches ? kMaxCount : 0);
  in_range("fixed_frames", config.fixed_frames, 0);
  in_range("prefix_tokens", config.prefix_tokens, 0);
  if (patches && learned && config.fixed_frames == 0) {
    reject("fixed_frames", "learned positions of patches need a fixed number of frames");
  }
  if (patches && config.fixed_frames > 0 && config.fixed_frames < config.patch_time) {
    reject("fixed_frames", "shorter than one patch");
  }
  if (!patches && learned && config.fixed_frames > config.max_frames) {
    reject("fixed_frames", "more frames than max_frames has positions for");
  }
  if (!std::isfinite(config.pad_value)) reject("pad_value", "not finite");
  if (config.norm && (!patches || config.position == Position::kNone)) {
    reject("norm", "only patches with positions have one");
  }
  check_eps(config.norm_eps);
}

void validate(const TextConfig& config) {
  in_range("vocabulary", config.vocabulary, 1);
  in_range("max_tokens", config.max_tokens, 1);
}

void validate(const PerceiverConfig& config) {
  in_range("num_latents", config.num_latents, 1);
  in_range("d_latents", config.d_latents, 1);
  in_range("blocks", config.blocks, 0, 1 << 16);
  in_range("layers", config.layers, 0, 1 << 16);
  in_range("cross_heads", config.cross_heads, 1, 1 << 16);
  in_range("self_heads", config.self_heads, 1, 1 << 16);
  struct {
    const char* field;
    int64_t channels, heads;
  } const widths[] = {{"cross_qk", config.cross_qk, config.cross_heads},
                      {"cross_v", config.cross_v, config.cross_heads},
                      {"self_qk", config.self_qk, config.self_heads},
                      {"self_v", config.self_v, config.self_heads}};
  for (const auto& w : widths) {
    in_range(w.field, w.channels, 1);
    if (w.channels % w.heads != 0) {
      reject(w.field, std::to_string(w.channels) + " channels do not divide into " + std::to_string(w.heads) +
                          " heads");
    }
  }
  in_range("cross_widening", config.cross_widening, 1, 1 << 10);
  in_range("self_widening", config.self_widening, 1, 1 << 10);
  if (!std::isfinite(config.norm_eps) || !(config.norm_eps >= 0)) {
    reject("norm_eps", "not a number of at least 0");
  }
}

void validate(const EncoderConfig& config) {
  in_range("layers", config.layers, 0, 1 << 16);
  in_range("heads", config.heads, 1, 1 << 16);
  in_range("hidden", config.hidden, 1);
  check_eps(config.norm_eps);
}

void validate(const PerceiverDecoderConfig& config) {
  in_range("num_queries", config.num_queries, 1);
  in_range("d_queries", config.d_queries, 1);
  in_range("heads", config.heads, 1, 1 << 16);
  in_range("qk", config.qk, 1);
  divides("qk", config.qk, config.heads);
  in_range("v", config.v, 1);
  divides("v", config.v, config.heads);
  in_range("widening", config.widening, 1, 1 << 10);
  check_eps(config.norm_eps);
}

void validate(const LatentResamplerConfig& config) {
  in_range("num_latents", config.num_latents, 1);
  in_range("layers", config.layers, 1, 1 << 16);
  in_range("heads", config.heads, 1, 1 << 16);
  in_range("kv_heads", config.kv_heads, 1, config.heads);
  divides("kv_heads", config.heads, config.kv_heads);
  in_range("head_dim", config.head_dim, 1, 1 << 16);
  in_range("mlp_hidden", config.mlp_hidden, 1);
  check_eps(config.norm_eps);
}

void validate(const QFormerConfig& config) {
  in_range("num_latents", config.num_latents, 1);
  in_range("d_latents", config.d_latents, 1);
  in_range("layers", config.layers, 1, 1 << 16);
  in_range("heads", config.heads, 1, 1 << 16);
  divides("d_latents", config.d_latents, config.heads);
  in_range("cross_frequency", config.cross_frequency, 1, 1 << 16);
  in_range("mlp_hidden", config.mlp_hidden, 1);
  check_eps(config.norm_eps);
}

void validate(const PoolConfig& config) {
  const bool attention = config.kind == PoolKind::kAttention;
  in_range("count", config.count, 1, attention ? 1 : kMaxCount);
  in_range("heads", config.heads, attention ? 1 : 0, attention ? 1 << 16 : 0);
  in_range("mlp_hidden", config.mlp_hidden, attention ? 1 : 0, attention ? kMaxCount : 0);
  in_range("dense", config.dense, 0, attention ? 0 : kMaxCount);
  if (config.dense == 0 && config.dense_bias) reject("dense_bias", "there is no dense layer");
  if (!attention && config.dense == 0 && config.activation != Activation::kNone)
    reject("activation", "there is neither an attention pool nor a dense layer");
  if (attention && config.norm) reject("norm", "an attention pool always has its own");
  check_eps(config.norm_eps);
}

void validate(const MergeConfig& config) {
  in_range("num_latents", config.num_latents, config.protect_first ? 2 : 1);
}

void validate(const SessionLimits& limits) {
  struct {
    const char* field;
    int64_t value, least, most;
  } const rows[] = {{"max_items", limits.max_items, 1, kMaxCount},
                    {"max_sequences", limits.max_sequences, 1, kMaxCount},
                    {"max_tokens", limits.max_tokens, 1, kMaxCount},
                    {"max_pixels", limits.max_pixels, 0, kMaxExtent},
                    {"max_samples", limits.max_samples, 0, kMaxExtent}};
  for (const auto& row : rows) {
    if (row.value < row.least) {
      reject(row.field, std::to_string(row.value) + " is below " + std::to_string(row.least));
    }
    if (row.value > row.most) {
      throw Error(
          Code::kLimitExceeded, row.field,
          std::string(row.field) + ": " + std::to_string(row.value) + " is above " + std::to_string(row.most),
          row.most);
    }
  }
}

}  // namespace sns
