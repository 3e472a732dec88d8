#include "pipeline/audio_tokenizer.h"

#include <algorithm>
#include <cstring>

#include "ops/pack/pack.h"
#include "pipeline/fold.h"

namespace sns {
namespace {

PatchGeometry geometry(const AudioConfig& config) {
  PatchGeometry g;
  g.channels = 1;
  g.patch_h = config.patch_freq;
  g.patch_w = config.patch_time;
  g.stride_h = config.stride_freq;
  g.stride_w = config.stride_time;
  return g;
}

constexpr int64_t kTaps = kConvolutionTaps;

/// Rows of positions that frames need which are not cut into patches.
int64_t position_rows(const AudioConfig& config) {
  return config.tokens == AudioTokens::kConvolved ? ceil_div(config.max_frames, 2) : config.max_frames;
}

LinearWeights convolution(const float* weight, const float* bias, int64_t out, int64_t in,
                          Precision precision) {
  return LinearWeights(turned_convolution(weight, out, in).data(), bias, out, kTaps * in, precision);
}

LogMelConfig frame_major(LogMelConfig config) {
  config.mel_major = 0;
  return config;
}

}  // namespace

AlignedArray<float> turned_convolution(const float* weight, int64_t out, int64_t in) {
  AlignedArray<float> turned(checked_mul(checked_mul(out, in, "d_model"), kTaps, "d_model"));
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t t = 0; t < kTaps; ++t) turned[(o * kTaps + t) * in + i] = weight[(o * in + i) * kTaps + t];
    }
  }
  return turned;
}

AudioTensors take_audio(const AudioConfig& config, int64_t d_model, WeightReader& reader) {
  const bool patches = config.tokens == AudioTokens::kPatches;
  const int64_t mels = config.log_mel.n_mels;
  AudioTensors t;
  t.precision = reader.precision();
  if (config.tokens == AudioTokens::kConvolved) {
    t.weight = reader.take("audio.conv1.weight", {d_model, mels, kTaps});
    t.weight2 = reader.take("audio.conv2.weight", {d_model, d_model, kTaps});
    if (config.has_bias) t.bias = reader.take("audio.conv1.bias", {d_model});
    if (config.has_bias) t.bias2 = reader.take("audio.conv2.bias", {d_model});
  } else {
    const std::string stem = patches ? "audio.patch." : "audio.frame.";
    const int64_t in = patches ? checked_mul(config.patch_freq, config.patch_time, "audio.patch_time") : mels;
    t.weight = reader.take(stem + "weight", {d_model, in});
    if (config.has_bias) t.bias = reader.take(stem + "bias", {d_model});
  }
  if (config.norm) t.norm = take_norm(reader, "audio.norm", d_model);
  if (config.prefix_tokens > 0) t.prefix = reader.take("audio.prefix", {config.prefix_tokens, d_model});
  if (config.position == Position::kLearned) {
    const PatchGeometry g = geometry(config);
    const int64_t rows = patches ? checked_mul(g.grid_h(config.log_mel.n_mels), g.grid_w(config.fixed_frames),
                                               "audio.fixed_frames")
                                 : position_rows(config);
    t.position = reader.take("audio.position",
                             {checked_add(config.prefix_tokens, rows, "audio.prefix_tokens"), d_model});
  }
  if (config.position == Position::kSinCos && d_model % (patches ? 4 : 2) != 0) {
    throw Error(Code::kInvalidArgument, "d_model",
                patches ? "d_model: 2-D sine-cosine positions need a multiple of 4"
                        : "d_model: sine-cosine positions need an even number");
  }
  return t;
}

AudioTokenizer::AudioTokenizer(const AudioConfig& config, int64_t d_model, const AudioTensors& tensors,
                               const float* modality)
    : config_(config), d_model_(d_model), plan_(frame_major(config.log_mel)) {
  const bool none = config.position == Position::kNone;
  AlignedArray<float> bias;
  if (tensors.bias || (none && modality)) bias = folded(tensors.bias, 1, d_model, none ? modality : nullptr);
  int64_t positions = position_rows(config);
  if (config.norm) norm_.emplace(tensors.norm, d_model, config.norm_eps);
  if (patches()) {
    const PatchGeometry g = geometry(config);
    const float scale = 1, shift = 0;
    patch_ = PatchEmbedWeights(g, tensors.weight, bias.data(), d_model, &scale, &shift, tensors.precision);
    positions = g.grid_h(config.log_mel.n_mels) * g.grid_w(config.fixed_frames);
  } else if (convolved()) {
    conv1_ = convolution(tensors.weight, tensors.bias, d_model, config.log_mel.n_mels, tensors.precision);
    conv2_ = convolution(tensors.weight2, tensors.bias2, d_model, d_model, tensors.precision);
  } else {
    frame_ = LinearWeights(tensors.weight, bias.data(), d_model, config.log_mel.n_mels, tensors.precision);
  }
  prefix_ = folded(tensors.prefix, config.prefix_tokens, d_model, modality);
  if (tensors.position) {
    for (int64_t i = 0; i < config.prefix_tokens * d_model; ++i) prefix_[i] += tensors.position[i];
    position_ = folded(tensors.position + config.prefix_tokens * d_model, positions, d_model, modality);
  }
}

AudioTokenizer::Shape AudioTokenizer::finish(int64_t frames, int64_t duration_x2, const char* field) const {
  if (frames < 1) {
    throw Error(Code::kInvalidShape, field, std::string(field) + ": too short for one frame");
  }
  Shape s;
  s.frames = frames;
  s.before = 0;
  s.duration_x2 = duration_x2;
  s.used_frames = config_.fixed_frames > 0 ? config_.fixed_frames : frames;
  if (patches()) {
    const PatchGeometry g = geometry(config_);
    s.grid_f = g.grid_h(config_.log_mel.n_mels);
    s.grid_t = g.grid_w(s.used_frames);
    if (s.grid_t == 0) {
      throw Error(Code::kInvalidShape, field,
                  std::string(field) + ": " + std::to_string(s.used_frames) +
                      " frames are fewer than one patch of " + std::to_string(config_.patch_time));
    }
    checked_mul(s.grid_f, s.grid_t, field);
  } else {
    s.grid_f = 1;
    s.grid_t = ceil_div(s.used_frames, step());
    if (config_.position == Position::kLearned && s.used_frames > config_.max_frames) {
      throw Error(Code::kLimitExceeded, field,
                  std::string(field) + ": " + std::to_string(s.used_frames) +
                      " frames, the model has positions for " + std::to_string(config_.max_frames),
                  config_.max_frames);
    }
  }
  return s;
}

AudioTokenizer::Shape AudioTokenizer::shape_of_samples(int64_t samples) const {
  if (samples > kMaxExtent) {
    throw Error(Code::kLimitExceeded, "samples", "samples: " + std::to_string(samples) + " is above 2^40",
                kMaxExtent);
  }
  return finish(plan_.frames(samples), 2 * samples, "samples");
}

AudioTokenizer::Shape AudioTokenizer::shape_of_features(int64_t frames, int64_t before) const {
  if (frames > kMaxCount) {
    throw Error(Code::kLimitExceeded, "frames", "frames: " + std::to_string(frames) + " is above 2^31-1",
                kMaxCount);
  }
  if (before < 0) throw Error(Code::kInvalidArgument, "dims", "dims[2]: negative");
  const int64_t most = kMaxExtent / config_.log_mel.hop;
  if (before > most - std::max<int64_t>(frames, 0)) {
    throw Error(Code::kLimitExceeded, "frames", "frames: their sound would be longer than 2^40 samples",
                most);
  }
  const int64_t end = frames < 1 ? 0 : plan_.frame_centre_x2(before + frames - 1) + config_.log_mel.hop;
  if (end > 2 * kMaxExtent) {
    throw Error(Code::kLimitExceeded, "frames", "frames: their sound would be longer than 2^40 samples",
                most);
  }
  Shape s = finish(frames, end, "frames");
  s.before = before;
  return s;
}

int64_t AudioTokenizer::tile_start_x2(int64_t frame, int64_t duration_x2) const {
  const int64_t start = plan_.frame_centre_x2(frame) - config_.log_mel.hop;
  return std::clamp<int64_t>(start, 0, duration_x2);
}

int64_t AudioTokenizer::max_feature_rows(int64_t max_samples) const {
  return std::max(plan_.frames(max_samples), config_.fixed_frames);
}

int64_t AudioTokenizer::max_tokens(int64_t limit) const {
  if (config_.fixed_frames == 0) return limit;
  const PatchGeometry g = geometry(config_);
  return std::min(limit, patches() ? checked_mul(g.grid_h(config_.log_mel.n_mels),
                                                 g.grid_w(config_.fixed_frames), "fixed_frames")
                                   : ceil_div(config_.fixed_frames, step()));
}

int64_t AudioTokenizer::max_used_frames(int64_t max_tokens) const {
  if (config_.fixed_frames > 0) return config_.fixed_frames;
  const int64_t columns =
      patches() ? max_tokens / geometry(config_).grid_h(config_.log_mel.n_mels) : max_tokens;
  return checked_add(checked_mul(columns, step(), "max_tokens"), width(), "max_tokens");
}

size_t AudioTokenizer::scratch(int64_t max_samples, int64_t limit, int threads) const {
  const size_t mel = max_samples > 0 ? log_mel_scratch(plan_, max_samples, threads) : 0;
  if (convolved()) {
    Carver carver(nullptr);
    lay_out(carver, checked_mul(2, max_tokens(limit), "max_tokens"), threads);
    return std::max(mel, carver.bytes());
  }
  if (!patches()) return std::max(mel, linear_scratch(frame_, max_tokens(limit), threads));
  const PatchGeometry g = geometry(config_);
  const int64_t columns = max_tokens(limit) / g.grid_h(config_.log_mel.n_mels);
  if (columns == 0) return mel;
  const int64_t width = g.patch_w + (columns - 1) * g.stride_w;
  return std::max(mel, patch_embed_scratch(patch_, config_.log_mel.n_mels, width, threads));
}

AudioTokenizer::Convolved AudioTokenizer::lay_out(Carver& carver, int64_t frames, int threads) const {
  const int64_t rows = checked_add(frames, kTaps - 1, "max_tokens");
  Convolved c;
  c.features = carver.take<float>(checked_mul(rows, config_.log_mel.n_mels, "max_tokens"));
  c.hidden = carver.take<float>(checked_mul(rows, d_model_, "max_tokens"));
  c.scratch = carver.take<unsigned char>(static_cast<int64_t>(std::max(
      linear_scratch(conv1_, frames, threads), linear_scratch(conv2_, ceil_div(frames, 2), threads))));
  return c;
}

/// A row and its two neighbours lie one after the other in memory, so each convolution is one linear layer
/// over rows that overlap.
void AudioTokenizer::convolve(const float* features, int64_t frames, const float* position, float* y,
                              void* scratch, Parallel& parallel) const {
  const int64_t mels = config_.log_mel.n_mels, d = d_model_;
  Carver carver(scratch);
  const Convolved c = lay_out(carver, frames, parallel.threads());
  std::fill_n(c.features, mels, 0.0f);
  std::copy_n(features, frames * mels, c.features + mels);
  std::fill_n(c.features + (frames + 1) * mels, mels, 0.0f);
  std::fill_n(c.hidden, d, 0.0f);
  std::fill_n(c.hidden + (frames + 1) * d, d, 0.0f);
  LinearArgs first;
  first.x = c.features;
  first.rows = frames;
  first.ldx = mels;
  first.y = c.hidden + d;
  first.ldy = d;
  first.activation = Activation::kGelu;
  linear_cpu(conv1_, first, c.scratch, parallel);
  LinearArgs second;
  second.x = c.hidden;
  second.rows = ceil_div(frames, 2);
  second.ldx = 2 * d;
  second.y = y;
  second.ldy = d;
  second.activation = Activation::kGelu;
  second.residual = position;
  second.ld_residual = d;
  linear_cpu(conv2_, second, c.scratch, parallel);
}

void AudioTokenizer::run(Format format, const void* data, int64_t count, const Shape& shape, float* features,
                         const float* sincos, float* y, void* scratch, Parallel& parallel) const {
  const int64_t mels = config_.log_mel.n_mels;
  const float* source = features;
  if (format == Format::kF32Features) {
    source = static_cast<const float*>(data);
    if (shape.used_frames > shape.frames) {
      std::memcpy(features, data, static_cast<size_t>(shape.frames * mels) * sizeof(float));
      source = features;
    }
  } else {
    LogMelArgs args;
    args.samples = data;
    args.s16 = format == Format::kS16Pcm;
    args.sample_count = count;
    args.y = features;
    args.ldy = mels;
    log_mel_cpu(plan_, args, scratch, parallel);
  }
  if (shape.used_frames > shape.frames) {
    std::fill(features + shape.frames * mels, features + shape.used_frames * mels, config_.pad_value);
  }
  const float* position = config_.position == Position::kLearned ? position_.data() : sincos;
  if (patches()) {
    PatchEmbedArgs args;
    args.image.data = source;
    args.image.u8 = false;
    args.image.height = mels;
    args.image.width = shape.used_frames;
    args.image.stride_y = 1;
    args.image.stride_x = mels;
    args.position = norm_ ? nullptr : position;
    args.y = y;
    args.ldy = d_model_;
    patch_embed_cpu(patch_, args, scratch, parallel);
    if (norm_) {
      norm_->run(y, shape.tokens(), y, parallel);
      const PackSegment in_place{y, d_model_, shape.tokens(), nullptr, position};
      pack_cpu({&in_place, 1, d_model_, y, d_model_}, parallel);
    }
  } else if (convolved()) {
    convolve(source, shape.used_frames, position, y, scratch, parallel);
  } else {
    LinearArgs args;
    args.x = source;
    args.rows = shape.used_frames;
    args.ldx = mels;
    args.y = y;
    args.ldy = d_model_;
    args.residual = position;
    args.ld_residual = d_model_;
    linear_cpu(frame_, args, scratch, parallel);
  }
}

}  // namespace sns
