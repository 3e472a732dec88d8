#include "abi/convert.h"

#include <algorithm>

#include "abi/guard.h"

namespace sns {
namespace {

void unused(int64_t value, const char* field) {
  if (value != 0) invalid(field, "must be 0");
}

}  // namespace

LogMelConfig convert(const sns_log_mel_config& c, const char* prefix) {
  const auto name = [prefix](const char* field) { return std::string(prefix) + field; };
  const auto choice = [&](int32_t value, auto last, const char* field) {
    return checked_enum(value, last, name(field).c_str());
  };
  const auto flag = [&](int32_t value, const char* field) {
    return checked_enum(value, 1, name(field).c_str());
  };
  if (c.struct_size != static_cast<int64_t>(sizeof(c))) {
    invalid(name("struct_size"),
            std::to_string(c.struct_size) + ", this library's is " + std::to_string(sizeof(c)));
  }
  LogMelConfig o;
  o.sample_rate = c.sample_rate;
  o.n_fft = c.n_fft;
  o.win_length = c.win_length;
  o.hop = c.hop;
  o.frame_span = c.frame_span;
  o.n_mels = c.n_mels;
  o.window = choice(c.window, Window::kBlackman, "window");
  o.window_periodic = flag(c.window_periodic, "window_periodic");
  o.window_centred = flag(c.window_centred, "window_centred");
  o.padding = choice(c.padding, FramePadding::kEdge, "padding");
  o.drop_last_frame = flag(c.drop_last_frame, "drop_last_frame");
  o.remove_dc = flag(c.remove_dc, "remove_dc");
  o.input_scale = c.input_scale;
  o.preemphasis = c.preemphasis;
  o.preemphasis_signal = flag(c.preemphasis_signal, "preemphasis_signal");
  o.power = c.power;
  o.f_min = c.f_min;
  o.f_max = c.f_max;
  o.linspace_bins = flag(c.linspace_bins, "linspace_bins");
  o.mel_scale = choice(c.mel_scale, MelScale::kKaldi, "mel_scale");
  o.slaney_norm = flag(c.slaney_norm, "slaney_norm");
  o.log = choice(c.log, LogKind::kDecibel, "log");
  o.floor_kind = choice(c.floor_kind, LogFloor::kAdd, "floor_kind");
  o.floor = c.floor;
  o.clip = choice(c.clip, ClipRange::kFixedMax, "clip");
  o.norm = choice(c.norm, FeatureNorm::kPerBinStd, "norm");
  o.norm_ddof = flag(c.norm_ddof, "norm_ddof");
  o.norm_eps_on_var = flag(c.norm_eps_on_var, "norm_eps_on_var");
  o.clip_range = c.clip_range;
  o.clip_maximum = c.clip_maximum;
  o.norm_eps = c.norm_eps;
  o.out_scale = c.out_scale;
  o.out_shift = c.out_shift;
  o.mel_major = flag(c.mel_major, "mel_major");
  unused(c.reserved, name("reserved").c_str());
  return o;
}

SequenceConfig convert(const sns_sequence_config& c) {
  SequenceConfig o;
  o.d_model = c.d_model;
  o.modality_embedding = checked_bool(c.modality_embedding, "modality_embedding");
  o.special_tokens = checked_bool(c.special_tokens, "special_tokens");
  o.ids_per_second = c.ids_per_second;
  validate(o);
  return o;
}

ResizeConfig convert(const sns_resize_config& c, const char* prefix) {
  const auto name = [prefix](const char* field) { return std::string(prefix) + field; };
  if (c.struct_size != static_cast<int64_t>(sizeof(c))) {
    invalid(name("struct_size"),
            std::to_string(c.struct_size) + ", this library's is " + std::to_string(sizeof(c)));
  }
  ResizeConfig o;
  o.mode = checked_enum(c.mode, ResizeMode::kFit, name("mode").c_str());
  o.filter = checked_enum(c.filter, ResizeFilter::kHamming, name("filter").c_str());
  o.height = c.height;
  o.width = c.width;
  o.crop_h = c.crop_h;
  o.crop_w = c.crop_w;
  o.factor = c.factor;
  o.min_pixels = c.min_pixels;
  o.max_pixels = c.max_pixels;
  o.max_patches = c.max_patches;
  return o;
}

ImageConfig convert(const sns_image_config& c) {
  ImageConfig o;
  o.geometry.channels = c.channels;
  o.geometry.patch_h = c.patch_h;
  o.geometry.patch_w = c.patch_w;
  o.geometry.stride_h = c.stride_h;
  o.geometry.stride_w = c.stride_w;
  o.geometry.frames = c.temporal_patch == 0 ? 1 : c.temporal_patch;
  o.geometry.order = checked_enum(c.order, PatchOrder::kChannelLast, "order");
  o.grid_h = c.grid_h;
  o.grid_w = c.grid_w;
  o.prefix_tokens = c.prefix_tokens;
  o.position = checked_enum(c.position, Position::kFourierConcat, "position");
  o.fourier_bands = c.fourier_bands;
  o.has_bias = checked_bool(c.has_bias, "has_bias");
  o.position_resize = checked_enum(c.position_resize, PositionResize::kBilinear, "position_resize");
  o.resize = convert(c.resize, "resize.");
  std::copy(c.mean, c.mean + PatchEmbedWeights::kMaxChannels, o.mean);
  std::copy(c.std, c.std + PatchEmbedWeights::kMaxChannels, o.std);
  validate(o);
  return o;
}

AudioConfig convert(const sns_audio_config& c) {
  AudioConfig o;
  o.log_mel = convert(c.log_mel, "log_mel.");
  o.patch_freq = c.patch_freq;
  o.patch_time = c.patch_time;
  o.stride_freq = c.stride_freq;
  o.stride_time = c.stride_time;
  o.max_frames = c.max_frames;
  o.fixed_frames = c.fixed_frames;
  o.prefix_tokens = c.prefix_tokens;
  o.tokens = checked_enum(c.tokens, AudioTokens::kConvolved, "tokens");
  o.position = checked_enum(c.position, Position::kSinCos, "position");
  o.has_bias = checked_bool(c.has_bias, "has_bias");
  o.pad_value = c.pad_value;
  o.norm = checked_bool(c.norm, "norm");
  o.norm_eps = c.norm_eps;
  validate(o);
  try {
    LogMelPlan{o.log_mel};  // its fields are checked where its tables are made
  } catch (const Error& e) {
    throw Error(e.code(), "log_mel." + e.field(), std::string("log_mel.") + e.what(), e.limit());
  }
  return o;
}

TextConfig convert(const sns_text_config& c) {
  unused(c.reserved, "reserved");
  TextConfig o;
  o.vocabulary = c.vocabulary;
  o.max_tokens = c.max_tokens;
  o.position = checked_enum(c.position, Position::kSinCos, "position");
  validate(o);
  return o;
}

EncoderConfig convert(const sns_encoder_config& c) {
  EncoderConfig o;
  o.layers = c.layers;
  o.heads = c.heads;
  o.hidden = c.hidden;
  o.activation = checked_enum(c.activation, Activation::kTanh, "activation");
  o.pre_norm = checked_bool(c.pre_norm, "pre_norm");
  o.final_norm = checked_bool(c.final_norm, "final_norm");
  o.qkv_bias = checked_bool(c.qkv_bias, "qkv_bias");
  o.bias = checked_bool(c.bias, "bias");
  o.norm_eps = c.norm_eps;
  o.causal = checked_bool(c.causal, "causal");
  o.rotary = checked_bool(c.rotary, "rotary");
  validate(o);
  return o;
}

PerceiverConfig convert(const sns_perceiver_config& c) {
  unused(c.reserved, "reserved");
  PerceiverConfig o;
  o.num_latents = c.num_latents;
  o.d_latents = c.d_latents;
  o.blocks = c.blocks;
  o.layers = c.layers;
  o.cross_heads = c.cross_heads;
  o.self_heads = c.self_heads;
  o.cross_qk = c.cross_qk;
  o.cross_v = c.cross_v;
  o.self_qk = c.self_qk;
  o.self_v = c.self_v;
  o.cross_widening = c.cross_widening;
  o.self_widening = c.self_widening;
  o.activation = checked_enum(c.activation, Activation::kTanh, "activation");
  o.query_residual = checked_bool(c.query_residual, "query_residual");
  o.norm_eps = c.norm_eps;
  validate(o);
  return o;
}

HeadConfig convert(const sns_head_config& c) {
  unused(c.reserved, "reserved");
  HeadConfig o;
  o.dim = c.dim;
  o.present[0] = checked_bool(c.image, "image");
  o.present[1] = checked_bool(c.audio, "audio");
  o.present[2] = checked_bool(c.text, "text");
  o.present[kJointHead] = checked_bool(c.joint, "joint");
  o.has_bias = checked_bool(c.has_bias, "has_bias");
  o.logit_scale = c.logit_scale;
  o.logit_bias = c.logit_bias;
  validate(o);
  return o;
}

PerceiverDecoderConfig convert(const sns_perceiver_decoder_config& c) {
  unused(c.reserved, "reserved");
  PerceiverDecoderConfig o;
  o.num_queries = c.num_queries;
  o.d_queries = c.d_queries;
  o.heads = c.heads;
  o.qk = c.qk;
  o.v = c.v;
  o.widening = c.widening;
  o.activation = checked_enum(c.activation, Activation::kTanh, "activation");
  o.query_residual = checked_bool(c.query_residual, "query_residual");
  o.norm_eps = c.norm_eps;
  validate(o);
  return o;
}

LatentResamplerConfig convert(const sns_latent_resampler_config& c) {
  LatentResamplerConfig o;
  o.num_latents = c.num_latents;
  o.layers = c.layers;
  o.heads = c.heads;
  o.kv_heads = c.kv_heads;
  o.head_dim = c.head_dim;
  o.mlp_hidden = c.mlp_hidden;
  o.rms_norm = checked_bool(c.rms_norm, "rms_norm");
  o.gated_mlp = checked_bool(c.gated_mlp, "gated_mlp");
  o.activation = checked_enum(c.activation, Activation::kTanh, "activation");
  o.norm_eps = c.norm_eps;
  validate(o);
  return o;
}

QFormerConfig convert(const sns_qformer_config& c) {
  QFormerConfig o;
  o.num_latents = c.num_latents;
  o.d_latents = c.d_latents;
  o.layers = c.layers;
  o.heads = c.heads;
  o.cross_frequency = c.cross_frequency;
  o.mlp_hidden = c.mlp_hidden;
  o.activation = checked_enum(c.activation, Activation::kTanh, "activation");
  o.norm_eps = c.norm_eps;
  validate(o);
  return o;
}

PoolConfig convert(const sns_pool_config& c) {
  unused(c.reserved, "reserved");
  PoolConfig o;
  o.kind = checked_enum(c.kind, PoolKind::kSuffix, "kind");
  o.norm = checked_bool(c.norm, "norm");
  o.count = c.count;
  o.heads = c.heads;
  o.mlp_hidden = c.mlp_hidden;
  o.activation = checked_enum(c.activation, Activation::kTanh, "activation");
  o.norm_eps = c.norm_eps;
  o.dense = c.dense;
  o.dense_bias = checked_bool(c.dense_bias, "dense_bias");
  validate(o);
  return o;
}

MergeConfig convert(const sns_merge_config& c) {
  unused(c.reserved, "reserved");
  MergeConfig o;
  o.num_latents = c.num_latents;
  o.protect_first = checked_bool(c.protect_first, "protect_first");
  validate(o);
  return o;
}

Item convert(const sns_item& c) {
  Item o;
  o.modality = checked_enum(c.modality, Modality::kText, "modality");
  o.format = checked_enum(c.format, Format::kU8Thwc, "format");
  o.sequence = c.sequence;
  o.data = c.data;
  o.bytes = c.bytes;
  std::copy(c.dims, c.dims + 3, o.dims);
  o.start_us = c.start_us;
  o.end_us = c.end_us;
  return o;
}

}  // namespace sns
