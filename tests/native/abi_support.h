#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check/guarded.h"
#include "sensorium.h"

// A small model with every part, made through the C ABI alone.

namespace sns_test {

template <class H, void (*Destroy)(H)>
struct Destroyer {
  using pointer = H;
  void operator()(H h) const { Destroy(h); }
};
using Engine = std::unique_ptr<sns_engine_t, Destroyer<sns_engine, sns_engine_destroy>>;
using Builder = std::unique_ptr<sns_builder_t, Destroyer<sns_builder, sns_builder_destroy>>;
using Model = std::unique_ptr<sns_model_t, Destroyer<sns_model, sns_model_destroy>>;
using Session = std::unique_ptr<sns_session_t, Destroyer<sns_session, sns_session_destroy>>;
using LogMel = std::unique_ptr<sns_log_mel_t, Destroyer<sns_log_mel, sns_log_mel_destroy>>;
using AudioStream =
    std::unique_ptr<sns_audio_stream_t, Destroyer<sns_audio_stream, sns_audio_stream_destroy>>;
using Resampler = std::unique_ptr<sns_resampler_t, Destroyer<sns_resampler, sns_resampler_destroy>>;

#define ASSERT_SNS_OK(call) ASSERT_EQ(SNS_OK, (call)) << sns_last_error()

inline void expect_error(int32_t code, const std::string& field, int32_t got) {
  EXPECT_EQ(code, got) << sns_last_error();
  if (got == SNS_OK) return;
  EXPECT_EQ(field, sns_last_error_field()) << sns_last_error();
  EXPECT_STRNE("", sns_last_error());
}

template <class T>
T sized() {
  T t;
  std::memset(&t, 0, sizeof(t));
  t.struct_size = sizeof(t);
  return t;
}

inline sns_engine_config engine_config(int threads = 1) {
  auto c = sized<sns_engine_config>();
  c.device = SNS_DEVICE_CPU;
  c.threads = threads;
  return c;
}
inline Engine make_engine(int threads = 1) {
  const sns_engine_config c = engine_config(threads);
  sns_engine e = nullptr;
  EXPECT_EQ(SNS_OK, sns_engine_create(&c, &e)) << sns_last_error();
  return Engine(e);
}

inline sns_sequence_config sequence_config() {
  auto c = sized<sns_sequence_config>();
  c.d_model = 16;
  c.modality_embedding = 1;
  c.special_tokens = 1;
  c.ids_per_second = 25;
  return c;
}
inline sns_image_config image_config() {
  auto c = sized<sns_image_config>();
  c.resize = sized<sns_resize_config>();
  c.channels = 3;
  c.patch_h = c.patch_w = c.stride_h = c.stride_w = 4;
  c.prefix_tokens = 1;
  c.position = SNS_POSITION_SINCOS;
  c.has_bias = 1;
  for (int i = 0; i < 3; ++i) {
    c.mean[i] = 0.5f;
    c.std[i] = 0.25f;
  }
  return c;
}
inline sns_log_mel_config log_mel_config() {
  auto c = sized<sns_log_mel_config>();
  c.sample_rate = 16000;
  c.n_fft = 64;
  c.win_length = 60;
  c.hop = 25;
  c.n_mels = 10;
  c.window_periodic = c.window_centred = 1;
  c.padding = SNS_PADDING_REFLECT;
  c.input_scale = 1;
  c.power = 2;
  c.log = SNS_LOG_LN;
  c.floor = 1e-10;
  c.out_scale = 1;
  return c;
}
inline sns_audio_config audio_config() {
  auto c = sized<sns_audio_config>();
  c.log_mel = log_mel_config();
  c.tokens = SNS_AUDIO_FRAMES;
  c.position = SNS_POSITION_LEARNED;
  c.max_frames = 60;
  c.has_bias = 1;
  return c;
}
inline sns_text_config text_config() {
  auto c = sized<sns_text_config>();
  c.vocabulary = 50;
  c.max_tokens = 20;
  c.position = SNS_POSITION_NONE;
  return c;
}
inline sns_perceiver_config perceiver_config() {
  auto c = sized<sns_perceiver_config>();
  c.num_latents = 4;
  c.d_latents = 8;
  c.blocks = 1;
  c.layers = 1;
  c.cross_heads = c.self_heads = 2;
  c.cross_qk = c.cross_v = c.self_qk = c.self_v = 8;
  c.cross_widening = c.self_widening = 1;
  c.activation = SNS_ACTIVATION_GELU;
  c.query_residual = 1;
  c.norm_eps = 1e-5f;
  return c;
}

struct NamedShape {
  std::string name;
  std::vector<int64_t> dims;
};
inline std::vector<NamedShape> all_tensors() {
  std::vector<NamedShape> t = {{"sequence.modality", {3, 16}},
                               {"sequence.begin", {3, 16}},
                               {"sequence.end", {3, 16}},
                               {"image.patch.weight", {16, 48}},
                               {"image.patch.bias", {16}},
                               {"image.prefix", {1, 16}},
                               {"audio.frame.weight", {16, 10}},
                               {"audio.frame.bias", {16}},
                               {"audio.position", {60, 16}},
                               {"text.embedding", {50, 16}},
                               {"perceiver.latents", {4, 8}},
                               {"perceiver.cross.norm_latents.weight", {8}},
                               {"perceiver.cross.norm_latents.bias", {8}},
                               {"perceiver.cross.norm_inputs.weight", {16}},
                               {"perceiver.cross.norm_inputs.bias", {16}},
                               {"perceiver.self.0.norm.weight", {8}},
                               {"perceiver.self.0.norm.bias", {8}}};
  for (const char* stem : {"perceiver.cross.", "perceiver.self.0."}) {
    const int64_t in = std::strcmp(stem, "perceiver.cross.") == 0 ? 16 : 8;
    for (const char* part : {"q", "k", "v", "o", "mlp.up", "mlp.down"}) {
      const bool reads_inputs = part[0] == 'k' || part[0] == 'v';
      t.push_back({std::string(stem) + part + ".weight", {8, reads_inputs ? in : 8}});
      t.push_back({std::string(stem) + part + ".bias", {8}});
    }
    t.push_back({std::string(stem) + "norm_mlp.weight", {8}});
    t.push_back({std::string(stem) + "norm_mlp.bias", {8}});
  }
  return t;
}

inline int32_t add_tensor(sns_builder builder, const NamedShape& t, sns::Random& random) {
  int64_t count = 1;
  for (int64_t d : t.dims) count *= d;
  std::vector<float> data(static_cast<size_t>(count));
  random.fill_normal(data.begin(), data.end(), 0.3);
  return sns_builder_tensor(builder, t.name.c_str(), data.data(), count * 4,
                            static_cast<int32_t>(t.dims.size()), t.dims.data());
}

inline int32_t set_configs(sns_builder b) {
  const auto sequence = sequence_config();
  const auto image = image_config();
  const auto audio = audio_config();
  const auto text = text_config();
  const auto perceiver = perceiver_config();
  int32_t code = sns_builder_sequence(b, &sequence);
  if (code == SNS_OK) code = sns_builder_image(b, &image);
  if (code == SNS_OK) code = sns_builder_audio(b, &audio);
  if (code == SNS_OK) code = sns_builder_text(b, &text);
  if (code == SNS_OK) code = sns_builder_perceiver(b, &perceiver);
  return code;
}

inline Builder make_builder(sns_engine engine, uint64_t seed = 1) {
  sns_builder b = nullptr;
  EXPECT_EQ(SNS_OK, sns_builder_create(engine, &b)) << sns_last_error();
  Builder builder(b);
  EXPECT_EQ(SNS_OK, set_configs(b)) << sns_last_error();
  sns::Random random(seed);
  for (const NamedShape& t : all_tensors()) EXPECT_EQ(SNS_OK, add_tensor(b, t, random)) << sns_last_error();
  return builder;
}

inline Model make_model(sns_engine engine, uint64_t seed = 1) {
  const Builder builder = make_builder(engine, seed);
  sns_model m = nullptr;
  EXPECT_EQ(SNS_OK, sns_model_create(builder.get(), &m)) << sns_last_error();
  return Model(m);
}

inline sns_session_limits session_limits() {
  auto l = sized<sns_session_limits>();
  l.max_items = 8;
  l.max_sequences = 4;
  l.max_tokens = 200;
  l.max_pixels = 1024;
  l.max_samples = 1200;
  return l;
}
inline Session make_session(sns_model model) {
  const sns_session_limits l = session_limits();
  sns_session s = nullptr;
  EXPECT_EQ(SNS_OK, sns_session_create(model, &l, &s)) << sns_last_error();
  return Session(s);
}

/// An item over memory that the caller keeps.
template <class T>
sns_item make_item(int64_t modality, int64_t format, const std::vector<T>& data, int64_t d0, int64_t d1 = 0,
                   int64_t d2 = 0) {
  sns_item item;
  std::memset(&item, 0, sizeof(item));
  item.modality = modality;
  item.format = format;
  item.data = data.data();
  item.bytes = static_cast<int64_t>(data.size() * sizeof(T));
  item.dims[0] = d0;
  item.dims[1] = d1;
  item.dims[2] = d2;
  return item;
}

/// One valid item of every format.
struct Samples {
  std::vector<uint8_t> bytes = std::vector<uint8_t>(8 * 12 * 3, 77);
  std::vector<float> pixels = std::vector<float>(3 * 4 * 4, 0.5f);
  std::vector<int16_t> s16 = std::vector<int16_t>(300, 1000);
  std::vector<float> f32 = std::vector<float>(500, 0.25f);
  std::vector<float> features = std::vector<float>(7 * 10, -1.0f);
  std::vector<int64_t> ids = {0, 49, 7};
  std::vector<float> tokens = std::vector<float>(2 * 16, 0.1f);
  std::vector<sns_item> items() const {
    return {make_item(SNS_MODALITY_IMAGE, SNS_FORMAT_U8_HWC, bytes, 8, 12, 3),
            make_item(SNS_MODALITY_IMAGE, SNS_FORMAT_F32_CHW, pixels, 4, 4, 3),
            make_item(SNS_MODALITY_AUDIO, SNS_FORMAT_S16_PCM, s16, 300),
            make_item(SNS_MODALITY_AUDIO, SNS_FORMAT_F32_PCM, f32, 500),
            make_item(SNS_MODALITY_AUDIO, SNS_FORMAT_F32_FEATURES, features, 7, 10),
            make_item(SNS_MODALITY_TEXT, SNS_FORMAT_I64_IDS, ids, 3),
            make_item(SNS_MODALITY_TEXT, SNS_FORMAT_F32_TOKENS, tokens, 2, 16)};
  }
  /// Tokens of each, with begin, end and prefix.
  static std::vector<int64_t> counts() { return {2 + 1 + 6, 2 + 1 + 1, 2 + 13, 2 + 21, 2 + 7, 2 + 3, 2 + 2}; }
};

}  // namespace sns_test
