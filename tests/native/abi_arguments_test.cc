#include <cmath>
#include <limits>

#include "abi_support.h"

namespace sns_test {
namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
constexpr int32_t kInvalid = SNS_ERROR_INVALID_ARGUMENT;

TEST(Abi, Versions) {
  EXPECT_EQ(SNS_ABI_VERSION, sns_abi_version());
  EXPECT_STRNE("", sns_version());
}

TEST(Abi, StructuresHaveNoHiddenPadding) {
  EXPECT_EQ(80u, sizeof(sns_item));
  EXPECT_EQ(24u, sizeof(sns_engine_config));
  EXPECT_EQ(48u, sizeof(sns_session_limits));
  EXPECT_EQ(472u, sizeof(sns_device_info));
}

TEST(Device, CpuIsThere) {
  auto info = sized<sns_device_info>();
  ASSERT_SNS_OK(sns_device_query(SNS_DEVICE_CPU, 0, &info));
  EXPECT_EQ(1, info.available);
  EXPECT_GE(info.units, 1);
  EXPECT_GT(info.memory_bytes, 1 << 20);
  EXPECT_STRNE("", info.name);
  EXPECT_STRNE("", info.isa);
  ASSERT_SNS_OK(sns_device_query(SNS_DEVICE_CPU, 1, &info));
  EXPECT_EQ(0, info.available);
  EXPECT_STRNE("", info.cause);
}

TEST(Device, BadArguments) {
  auto info = sized<sns_device_info>();
  expect_error(kInvalid, "out", sns_device_query(0, 0, nullptr));
  expect_error(kInvalid, "device", sns_device_query(2, 0, &info));
  expect_error(kInvalid, "device", sns_device_query(-1, 0, &info));
  expect_error(kInvalid, "index", sns_device_query(0, -1, &info));
  info.struct_size = 8;
  expect_error(kInvalid, "out.struct_size", sns_device_query(0, 0, &info));
}

TEST(EngineArguments, AreChecked) {
  sns_engine e = nullptr;
  sns_engine_config c = engine_config();
  expect_error(kInvalid, "config", sns_engine_create(nullptr, &e));
  expect_error(kInvalid, "out", sns_engine_create(&c, nullptr));
  c.struct_size = 0;
  expect_error(kInvalid, "config.struct_size", sns_engine_create(&c, &e));
  c = engine_config();
  c.device = 7;
  expect_error(kInvalid, "device", sns_engine_create(&c, &e));
  c = engine_config();
  c.index = 1;
  expect_error(SNS_ERROR_UNAVAILABLE, "device", sns_engine_create(&c, &e));
  c = engine_config(-1);
  expect_error(kInvalid, "threads", sns_engine_create(&c, &e));
  c = engine_config(100000);
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "threads", sns_engine_create(&c, &e));
  EXPECT_EQ(1024, sns_last_error_limit());
  c = engine_config();
  c.precision = 2;
  expect_error(kInvalid, "precision", sns_engine_create(&c, &e));
  EXPECT_EQ(nullptr, e);

  const Engine all = make_engine(0);
  int32_t threads = 0;
  ASSERT_SNS_OK(sns_engine_threads(all.get(), &threads));
  EXPECT_GE(threads, 1);
  expect_error(kInvalid, "engine", sns_engine_threads(nullptr, &threads));
  expect_error(kInvalid, "out", sns_engine_threads(all.get(), nullptr));
}

TEST(NullHandles, CanBeDestroyed) {
  sns_engine_destroy(nullptr);
  sns_builder_destroy(nullptr);
  sns_model_destroy(nullptr);
  sns_session_destroy(nullptr);
  sns_log_mel_destroy(nullptr);
  sns_resampler_destroy(nullptr);
  sns_audio_stream_destroy(nullptr);
}

class BuilderArguments : public ::testing::Test {
 protected:
  void SetUp() override {
    engine = make_engine();
    sns_builder b = nullptr;
    ASSERT_SNS_OK(sns_builder_create(engine.get(), &b));
    builder.reset(b);
  }
  Engine engine;
  Builder builder;
};

TEST_F(BuilderArguments, Nulls) {
  sns_builder b = nullptr;
  expect_error(kInvalid, "engine", sns_builder_create(nullptr, &b));
  expect_error(kInvalid, "out", sns_builder_create(engine.get(), nullptr));
  const auto sequence = sequence_config();
  const auto image = image_config();
  const auto audio = audio_config();
  const auto text = text_config();
  const auto perceiver = perceiver_config();
  expect_error(kInvalid, "builder", sns_builder_sequence(nullptr, &sequence));
  expect_error(kInvalid, "builder", sns_builder_image(nullptr, &image));
  expect_error(kInvalid, "builder", sns_builder_audio(nullptr, &audio));
  expect_error(kInvalid, "builder", sns_builder_text(nullptr, &text));
  expect_error(kInvalid, "builder", sns_builder_perceiver(nullptr, &perceiver));
  expect_error(kInvalid, "config", sns_builder_sequence(builder.get(), nullptr));
  expect_error(kInvalid, "config", sns_builder_image(builder.get(), nullptr));
  expect_error(kInvalid, "config", sns_builder_audio(builder.get(), nullptr));
  expect_error(kInvalid, "config", sns_builder_text(builder.get(), nullptr));
  expect_error(kInvalid, "config", sns_builder_perceiver(builder.get(), nullptr));
  sns_model m = nullptr;
  expect_error(kInvalid, "builder", sns_model_create(nullptr, &m));
  expect_error(kInvalid, "out", sns_model_create(builder.get(), nullptr));
  expect_error(kInvalid, "sequence", sns_model_create(builder.get(), &m));
}

/// Sets one field of a good configuration to a bad value and expects the error to name it.
#define REJECT(part, member, value)                                                                       \
  {                                                                                                       \
    auto c = part##_config();                                                                             \
    c.member = value;                                                                                     \
    SCOPED_TRACE(#part "." #member " = " #value);                                                         \
    expect_error(kInvalid,                                                                                \
                 std::string(#part ".") + std::string(#member).substr(0, std::string(#member).find('[')), \
                 sns_builder_##part(builder.get(), &c));                                                  \
  }

TEST_F(BuilderArguments, EveryFieldOfEveryConfiguration) {
  REJECT(sequence, d_model, 0);
  REJECT(sequence, d_model, -1);
  REJECT(sequence, d_model, kHuge);
  REJECT(sequence, modality_embedding, 2);
  REJECT(sequence, special_tokens, -1);
  REJECT(sequence, ids_per_second, 0.0);
  REJECT(sequence, ids_per_second, 1000001.0);
  REJECT(sequence, ids_per_second, std::nan(""));

  REJECT(image, channels, 0);
  REJECT(image, channels, 17);
  REJECT(image, patch_h, 0);
  REJECT(image, patch_w, -4);
  REJECT(image, stride_h, 0);
  REJECT(image, stride_w, kHuge);
  REJECT(image, grid_h, 1);
  REJECT(image, grid_w, -1);
  REJECT(image, prefix_tokens, -1);
  REJECT(image, order, 2);
  REJECT(image, position, 5);
  REJECT(image, fourier_bands, 1);  // the positions are not Fourier features
  REJECT(image, has_bias, 2);
  REJECT(image, position_resize, 3);
  REJECT(image, position_resize, SNS_POSITION_BICUBIC);  // the positions are not learned
  REJECT(image, resize.struct_size, 0);
  REJECT(image, resize.mode, 7);
  REJECT(image, resize.filter, 6);
  REJECT(image, resize.height, 1);
  REJECT(image, resize.factor, 1);
  REJECT(image, resize.max_patches, 1);
  REJECT(image, resize.min_pixels, 1);
  REJECT(image, resize.crop_h, -1);
  REJECT(image, resize.crop_w, 1);
  REJECT(image, mean[1], std::nanf(""));
  REJECT(image, std[2], 0.0f);
  REJECT(image, std[0], -1.0f);
  REJECT(image, std[0], INFINITY);

  REJECT(audio, patch_freq, 1);
  REJECT(audio, stride_time, 1);
  REJECT(audio, max_frames, 0);
  REJECT(audio, fixed_frames, -1);
  REJECT(audio, fixed_frames, 61);
  REJECT(audio, prefix_tokens, -2);
  REJECT(audio, tokens, 3);
  REJECT(audio, norm, 1);  // these have no positions
  REJECT(audio, norm_eps, -1.0f);
  REJECT(audio, position, -1);
  REJECT(audio, has_bias, 5);
  REJECT(audio, pad_value, INFINITY);
  REJECT(audio, log_mel.struct_size, 1);
  REJECT(audio, log_mel.sample_rate, 0);
  REJECT(audio, log_mel.n_fft, 0);
  REJECT(audio, log_mel.win_length, 65);
  REJECT(audio, log_mel.hop, 0);
  REJECT(audio, log_mel.n_mels, 0);
  REJECT(audio, log_mel.n_mels, kHuge);
  REJECT(audio, log_mel.window, 5);
  REJECT(audio, log_mel.padding, 5);
  REJECT(audio, log_mel.mel_scale, 3);
  REJECT(audio, log_mel.log, 4);
  REJECT(audio, log_mel.floor_kind, 2);
  REJECT(audio, log_mel.clip, 3);
  REJECT(audio, log_mel.norm, 4);
  REJECT(audio, log_mel.norm_ddof, 2);
  REJECT(audio, log_mel.mel_major, -1);
  REJECT(audio, log_mel.preemphasis_signal, 2);
  REJECT(audio, log_mel.linspace_bins, 2);
  REJECT(audio, log_mel.reserved, 1);
  REJECT(audio, log_mel.frame_span, 1);

  REJECT(text, vocabulary, 0);
  REJECT(text, max_tokens, 0);
  REJECT(text, max_tokens, kHuge);
  REJECT(text, position, 3);
  REJECT(text, reserved, 1);

  REJECT(perceiver, num_latents, 0);
  REJECT(perceiver, d_latents, -8);
  REJECT(perceiver, blocks, -1);
  REJECT(perceiver, layers, -1);
  REJECT(perceiver, cross_heads, 0);
  REJECT(perceiver, self_heads, kHuge);
  REJECT(perceiver, cross_qk, 7);
  REJECT(perceiver, cross_v, 0);
  REJECT(perceiver, self_qk, 9);
  REJECT(perceiver, self_v, -8);
  REJECT(perceiver, cross_widening, 0);
  REJECT(perceiver, self_widening, 1 << 20);
  REJECT(perceiver, activation, 7);
  REJECT(perceiver, query_residual, 2);
  REJECT(perceiver, norm_eps, -1.0f);
  REJECT(perceiver, norm_eps, std::nanf(""));
  REJECT(perceiver, reserved, 1);

  for (int part = 0; part < 5; ++part) {
    auto sequence = sequence_config();
    auto image = image_config();
    auto audio = audio_config();
    auto text = text_config();
    auto perceiver = perceiver_config();
    sequence.struct_size = image.struct_size = audio.struct_size = text.struct_size = perceiver.struct_size =
        4;
    const int32_t code = part == 0   ? sns_builder_sequence(builder.get(), &sequence)
                         : part == 1 ? sns_builder_image(builder.get(), &image)
                         : part == 2 ? sns_builder_audio(builder.get(), &audio)
                         : part == 3 ? sns_builder_text(builder.get(), &text)
                                     : sns_builder_perceiver(builder.get(), &perceiver);
    expect_error(kInvalid, "config.struct_size", code);
  }
}

TEST_F(BuilderArguments, Tensors) {
  const float data[4] = {1, 2, 3, 4};
  const int64_t dims[4] = {2, 2, 1, 1};
  const auto set = [&](const char* name, const float* d, int64_t bytes, int32_t rank, const int64_t* shape) {
    return sns_builder_tensor(builder.get(), name, d, bytes, rank, shape);
  };
  expect_error(kInvalid, "builder", sns_builder_tensor(nullptr, "x", data, 16, 2, dims));
  expect_error(kInvalid, "name", set(nullptr, data, 16, 2, dims));
  expect_error(kInvalid, "name", set("", data, 16, 2, dims));
  expect_error(kInvalid, "name", set("a b", data, 16, 2, dims));
  expect_error(kInvalid, "name", set("\xff", data, 16, 2, dims));
  expect_error(kInvalid, "name", set(std::string(201, 'x').c_str(), data, 16, 2, dims));
  expect_error(kInvalid, "data", set("x", nullptr, 16, 2, dims));
  expect_error(kInvalid, "dims", set("x", data, 16, 2, nullptr));
  expect_error(kInvalid, "rank", set("x", data, 16, 0, dims));
  expect_error(kInvalid, "rank", set("x", data, 16, 5, dims));
  for (int64_t bytes : {int64_t{0}, int64_t{15}, int64_t{17}, int64_t{-16}, kHuge}) {
    expect_error(SNS_ERROR_INVALID_SHAPE, "bytes", set("x", data, bytes, 2, dims));
  }
  const int64_t zero[2] = {0, 4}, negative[2] = {-2, -2}, overflow[4] = {1 << 30, 1 << 30, 1 << 30, 4};
  const int64_t nearly[2] = {kHuge / 4 + 1, 1};
  expect_error(kInvalid, "dims", set("x", data, 16, 2, zero));
  expect_error(kInvalid, "dims", set("x", data, 16, 2, negative));
  expect_error(SNS_ERROR_INVALID_SHAPE, "dims", set("x", data, 16, 4, overflow));
  expect_error(SNS_ERROR_INVALID_SHAPE, "dims", set("x", data, 16, 2, nearly));
  ASSERT_SNS_OK(set("x", data, 16, 4, dims));
  expect_error(kInvalid, "name", set("x", data, 16, 2, dims));  // once only
}

TEST_F(BuilderArguments, AllMismatchesInOneLongMessage) {
  ASSERT_SNS_OK(set_configs(builder.get()));
  sns_model m = nullptr;
  expect_error(SNS_ERROR_INVALID_WEIGHTS, "tensors", sns_model_create(builder.get(), &m));
  EXPECT_EQ(nullptr, m);
  const std::string message = sns_last_error();
  for (const NamedShape& t : all_tensors()) {
    EXPECT_NE(std::string::npos, message.find("missing: " + t.name + " [")) << t.name;
  }
  // The builder is unchanged: what is missing can be added.
  sns::Random random(3);
  for (const NamedShape& t : all_tensors()) ASSERT_SNS_OK(add_tensor(builder.get(), t, random));
  ASSERT_SNS_OK(sns_model_create(builder.get(), &m));
  sns_model_destroy(m);
  ASSERT_SNS_OK(sns_model_create(builder.get(), &m));  // and again from the same builder
  sns_model_destroy(m);
}

TEST_F(BuilderArguments, PositionsThatDoNotFitTheWidth) {
  auto sequence = sequence_config();
  sequence.d_model = 18;
  ASSERT_SNS_OK(set_configs(builder.get()));
  ASSERT_SNS_OK(sns_builder_sequence(builder.get(), &sequence));
  sns_model m = nullptr;
  expect_error(kInvalid, "d_model", sns_model_create(builder.get(), &m));
}

TEST(SessionArguments, Limits) {
  const Engine engine = make_engine();
  const Model model = make_model(engine.get());
  sns_session s = nullptr;
  auto l = session_limits();
  expect_error(kInvalid, "model", sns_session_create(nullptr, &l, &s));
  expect_error(kInvalid, "limits", sns_session_create(model.get(), nullptr, &s));
  expect_error(kInvalid, "out", sns_session_create(model.get(), &l, nullptr));
  l.struct_size = 40;
  expect_error(kInvalid, "limits.struct_size", sns_session_create(model.get(), &l, &s));
  struct {
    const char* name;
    int64_t sns_session_limits::*field;
    int64_t least;
  } const fields[] = {{"max_items", &sns_session_limits::max_items, 1},
                      {"max_sequences", &sns_session_limits::max_sequences, 1},
                      {"max_tokens", &sns_session_limits::max_tokens, 1},
                      {"max_pixels", &sns_session_limits::max_pixels, 0},
                      {"max_samples", &sns_session_limits::max_samples, 0}};
  for (const auto& f : fields) {
    l = session_limits();
    l.*f.field = f.least - 1;
    expect_error(kInvalid, f.name, sns_session_create(model.get(), &l, &s));
    l.*f.field = kHuge;
    expect_error(SNS_ERROR_LIMIT_EXCEEDED, f.name, sns_session_create(model.get(), &l, &s));
    EXPECT_GT(sns_last_error_limit(), 0);
  }
  l = session_limits();
  l.max_tokens = 0x7FFFFFFF;
  l.max_sequences = 0x7FFFFFFF;
  l.max_samples = int64_t{1} << 40;
  EXPECT_EQ(SNS_ERROR_OUT_OF_MEMORY, sns_session_create(model.get(), &l, &s));
  EXPECT_EQ(nullptr, s);
  int64_t bytes = 0;
  expect_error(kInvalid, "session", sns_session_workspace(nullptr, &bytes));
  const Session session = make_session(model.get());
  expect_error(kInvalid, "bytes", sns_session_workspace(session.get(), nullptr));
  expect_error(kInvalid, "session", sns_session_set_order(nullptr, SNS_ORDER_TIME, 0));
  expect_error(kInvalid, "order", sns_session_set_order(session.get(), 3, 0));
  expect_error(kInvalid, "chunk_us", sns_session_set_order(session.get(), SNS_ORDER_CHUNKS, 0));
  ASSERT_SNS_OK(sns_session_workspace(session.get(), &bytes));
  EXPECT_GT(bytes, 200 * 16 * 4);
}

TEST(CountTokens, AgreesWithRunsAndRejectsTheRest) {
  const Engine engine = make_engine();
  const Model model = make_model(engine.get());
  const Samples samples;
  const auto items = samples.items();
  for (size_t i = 0; i < items.size(); ++i) {
    int64_t n = -1;
    ASSERT_SNS_OK(sns_model_count_tokens(model.get(), items[i].modality, items[i].format, items[i].dims, &n));
    EXPECT_EQ(Samples::counts()[i], n) << i;
  }
  int64_t n = -1;
  const int64_t image[3] = {8, 8, 3}, small[3] = {3, 8, 3}, overflow[3] = {kHuge, kHuge, 3};
  const int64_t negative[3] = {-8, 8, 3}, spare[3] = {300, 1, 0}, ids[3] = {21, 0, 0};
  const auto count = [&](int64_t modality, int64_t format, const int64_t* dims) {
    return sns_model_count_tokens(model.get(), modality, format, dims, &n);
  };
  expect_error(kInvalid, "model", sns_model_count_tokens(nullptr, 0, 0, image, &n));
  expect_error(kInvalid, "dims", count(0, 0, nullptr));
  expect_error(kInvalid, "out", sns_model_count_tokens(model.get(), 0, 0, image, nullptr));
  expect_error(kInvalid, "modality", count(3, 0, image));
  expect_error(kInvalid, "format", count(0, 8, image));
  expect_error(kInvalid, "format", count(1, 0, image));
  expect_error(SNS_ERROR_INVALID_SHAPE, "height", count(0, 0, small));
  expect_error(SNS_ERROR_INVALID_SHAPE, "width", count(0, 0, overflow));
  expect_error(SNS_ERROR_INVALID_SHAPE, "height", count(0, 0, negative));
  expect_error(kInvalid, "dims", count(1, 2, spare));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "count", count(2, 5, ids));
  EXPECT_EQ(20, sns_last_error_limit());
  EXPECT_EQ(-1, n);
}

TEST(LogMelArguments, AreChecked) {
  const Engine engine = make_engine();
  auto c = log_mel_config();
  sns_log_mel h = nullptr;
  expect_error(kInvalid, "engine", sns_log_mel_create(nullptr, &c, &h));
  expect_error(kInvalid, "config", sns_log_mel_create(engine.get(), nullptr, &h));
  expect_error(kInvalid, "out", sns_log_mel_create(engine.get(), &c, nullptr));
  c.hop = -1;
  expect_error(kInvalid, "hop", sns_log_mel_create(engine.get(), &c, &h));
  c = log_mel_config();
  c.window = 9;
  expect_error(kInvalid, "window", sns_log_mel_create(engine.get(), &c, &h));
  c = log_mel_config();
  ASSERT_SNS_OK(sns_log_mel_create(engine.get(), &c, &h));
  const LogMel mel(h);
  int64_t frames = 0;
  expect_error(kInvalid, "log_mel", sns_log_mel_frames(nullptr, 5, &frames));
  expect_error(kInvalid, "out", sns_log_mel_frames(h, 5, nullptr));
  expect_error(kInvalid, "count", sns_log_mel_frames(h, -1, &frames));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "count", sns_log_mel_frames(h, kHuge, &frames));
  ASSERT_SNS_OK(sns_log_mel_frames(h, 500, &frames));
  ASSERT_EQ(21, frames);

  std::vector<float> samples(500, 0.1f), out(210, -77.0f);
  const auto run = [&](const void* in, int64_t format, int64_t count, float* o, int64_t n) {
    return sns_log_mel_run(h, in, format, count, o, n);
  };
  expect_error(kInvalid, "log_mel", sns_log_mel_run(nullptr, samples.data(), 3, 500, out.data(), 210));
  expect_error(kInvalid, "samples", run(nullptr, 3, 500, out.data(), 210));
  expect_error(kInvalid, "out", run(samples.data(), 3, 500, nullptr, 210));
  expect_error(kInvalid, "format", run(samples.data(), 0, 500, out.data(), 210));
  expect_error(kInvalid, "count", run(samples.data(), 3, -500, out.data(), 210));
  expect_error(SNS_ERROR_INVALID_SHAPE, "count", run(samples.data(), 3, 1, out.data(), 210));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_count", run(samples.data(), 3, 500, out.data(), 209));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_count", run(samples.data(), 3, 500, out.data(), 211));
  samples[499] = INFINITY;
  expect_error(SNS_ERROR_OUT_OF_RANGE, "samples[499]", run(samples.data(), 3, 500, out.data(), 210));
  for (float x : out) EXPECT_EQ(-77.0f, x);
  samples[499] = 0.1f;
  ASSERT_SNS_OK(run(samples.data(), 3, 500, out.data(), 210));
  for (float x : out) EXPECT_TRUE(std::isfinite(x) && x != -77.0f);
}

TEST_F(BuilderArguments, EveryFieldOfAnEncoder) {
  const auto config = [] {
    auto c = sized<sns_encoder_config>();
    c.layers = 2;
    c.heads = 4;
    c.hidden = 24;
    c.final_norm = c.qkv_bias = c.bias = 1;
    c.norm_eps = 1e-6f;
    return c;
  };
  const auto rejects = [&](const char* field, auto change) {
    sns_encoder_config c = config();
    change(c);
    SCOPED_TRACE(field);
    expect_error(kInvalid, std::string("audio.encoder.") + field,
                 sns_builder_encoder(builder.get(), SNS_MODALITY_AUDIO, &c));
  };
  rejects("layers", [](auto& c) { c.layers = -1; });
  rejects("layers", [](auto& c) { c.layers = kHuge; });
  rejects("heads", [](auto& c) { c.heads = 0; });
  rejects("hidden", [](auto& c) { c.hidden = 0; });
  rejects("activation", [](auto& c) { c.activation = 7; });
  rejects("pre_norm", [](auto& c) { c.pre_norm = 2; });
  rejects("final_norm", [](auto& c) { c.final_norm = -1; });
  rejects("qkv_bias", [](auto& c) { c.qkv_bias = 2; });
  rejects("bias", [](auto& c) { c.bias = 2; });
  rejects("causal", [](auto& c) { c.causal = 2; });
  rejects("rotary", [](auto& c) { c.rotary = -1; });
  rejects("norm_eps", [](auto& c) { c.norm_eps = std::nanf(""); });
  sns_encoder_config c = config();
  expect_error(kInvalid, "builder", sns_builder_encoder(nullptr, 0, &c));
  expect_error(kInvalid, "config", sns_builder_encoder(builder.get(), 0, nullptr));
  expect_error(kInvalid, "modality", sns_builder_encoder(builder.get(), 3, &c));
  expect_error(kInvalid, "modality", sns_builder_encoder(builder.get(), -1, &c));
  c.struct_size = 8;
  expect_error(kInvalid, "config.struct_size", sns_builder_encoder(builder.get(), 0, &c));
}

TEST(ResizeArguments, AreChecked) {
  const Engine engine = make_engine();
  auto c = sized<sns_resize_config>();
  c.mode = SNS_RESIZE_SQUASH;
  c.filter = SNS_FILTER_BICUBIC;
  c.height = 2;
  c.width = 3;
  int64_t h = 0, w = 0;
  ASSERT_SNS_OK(sns_resize_size(&c, 5, 7, &h, &w));
  EXPECT_EQ(2, h);
  EXPECT_EQ(3, w);
  expect_error(kInvalid, "config", sns_resize_size(nullptr, 5, 7, &h, &w));
  expect_error(kInvalid, "out_height", sns_resize_size(&c, 5, 7, nullptr, &w));
  expect_error(kInvalid, "out_width", sns_resize_size(&c, 5, 7, &h, nullptr));
  expect_error(SNS_ERROR_INVALID_SHAPE, "height", sns_resize_size(&c, 0, 7, &h, &w));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "width", sns_resize_size(&c, 5, kHuge, &h, &w));
  std::vector<uint8_t> in(5 * 7 * 3, 9), out(2 * 3 * 3);
  const auto resize = [&](sns_engine e, const uint8_t* x, int64_t bytes, int64_t channels, uint8_t* y,
                          int64_t out_bytes) {
    return sns_resize_run(e, &c, x, bytes, 5, 7, channels, y, out_bytes);
  };
  ASSERT_SNS_OK(resize(engine.get(), in.data(), 105, 3, out.data(), 18));
  EXPECT_EQ(std::vector<uint8_t>(18, 9), out);
  expect_error(kInvalid, "engine", resize(nullptr, in.data(), 105, 3, out.data(), 18));
  expect_error(kInvalid, "pixels", resize(engine.get(), nullptr, 105, 3, out.data(), 18));
  expect_error(kInvalid, "out", resize(engine.get(), in.data(), 105, 3, nullptr, 18));
  expect_error(kInvalid, "channels", resize(engine.get(), in.data(), 105, 5, out.data(), 18));
  expect_error(SNS_ERROR_INVALID_SHAPE, "bytes", resize(engine.get(), in.data(), 104, 3, out.data(), 18));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_bytes", resize(engine.get(), in.data(), 105, 3, out.data(), 17));
  c.crop_h = 1;
  expect_error(kInvalid, "crop_w", sns_resize_size(&c, 5, 7, &h, &w));
}

TEST(YuvArguments, AreChecked) {
  const std::vector<uint8_t> y(13 * 14, 126), c(7 * 8, 128);
  std::vector<uint8_t> out(13 * 14 * 3);
  const auto bytes = static_cast<int64_t>(out.size());
  const auto run = [&](int64_t height, int64_t width, int64_t ldy, int64_t ldu, int64_t ldv, int32_t matrix,
                       int32_t full, int64_t out_bytes) {
    return sns_yuv_to_rgb(y.data(), ldy, c.data(), ldu, c.data(), ldv, height, width, matrix, full,
                          out.data(), out_bytes);
  };
  ASSERT_SNS_OK(run(13, 14, 14, 7, 8, SNS_YUV_BT601, 1, bytes));
  EXPECT_EQ(std::vector<uint8_t>(out.size(), 126), out);
  expect_error(SNS_ERROR_INVALID_SHAPE, "height", run(12, 14, 14, 7, 7, 0, 0, bytes));
  expect_error(SNS_ERROR_INVALID_SHAPE, "width", run(13, -1, 14, 7, 7, 0, 0, bytes));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "width", run(13, kHuge, 14, 7, 7, 0, 0, bytes));
  expect_error(SNS_ERROR_INVALID_SHAPE, "ldy", run(13, 14, 13, 7, 7, 0, 0, bytes));
  expect_error(SNS_ERROR_INVALID_SHAPE, "ldu", run(13, 14, 14, -7, 7, 0, 0, bytes));
  expect_error(SNS_ERROR_INVALID_SHAPE, "ldv", run(13, 14, 14, 7, kHuge, 0, 0, bytes));
  expect_error(kInvalid, "matrix", run(13, 14, 14, 7, 7, 5, 0, bytes));
  expect_error(kInvalid, "full_range", run(13, 14, 14, 7, 7, 0, 2, bytes));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_bytes", run(13, 14, 14, 7, 7, 0, 0, bytes - 1));
  const auto null = [&](const uint8_t* luma, const uint8_t* u, const uint8_t* v, uint8_t* rgb) {
    return sns_yuv_to_rgb(luma, 14, u, 7, v, 7, 13, 14, 0, 0, rgb, bytes);
  };
  expect_error(kInvalid, "y", null(nullptr, c.data(), c.data(), out.data()));
  expect_error(kInvalid, "u", null(y.data(), nullptr, c.data(), out.data()));
  expect_error(kInvalid, "v", null(y.data(), c.data(), nullptr, out.data()));
  expect_error(kInvalid, "out", null(y.data(), c.data(), c.data(), nullptr));
}

TEST(ResamplerArguments, AreChecked) {
  const Engine engine = make_engine();
  sns_resampler h = nullptr;
  expect_error(kInvalid, "engine", sns_resampler_create(nullptr, 8000, 16000, &h));
  expect_error(kInvalid, "out", sns_resampler_create(engine.get(), 8000, 16000, nullptr));
  for (int64_t rate : {int64_t{0}, int64_t{-1}, int64_t{1} << 31, kHuge}) {
    EXPECT_EQ(kInvalid, sns_resampler_create(engine.get(), rate, 16000, &h));
    EXPECT_EQ(kInvalid, sns_resampler_create(engine.get(), 16000, rate, &h));
  }
  EXPECT_EQ(SNS_ERROR_LIMIT_EXCEEDED, sns_resampler_create(engine.get(), 0x7FFFFFFF, 0x7FFFFFFE, &h));
  EXPECT_GT(sns_last_error_limit(), 0);
  ASSERT_SNS_OK(sns_resampler_create(engine.get(), 8000, 16000, &h));
  const Resampler resampler(h);
  int64_t n = 0;
  expect_error(kInvalid, "resampler", sns_resampler_length(nullptr, 5, &n));
  expect_error(kInvalid, "out", sns_resampler_length(h, 5, nullptr));
  expect_error(kInvalid, "count", sns_resampler_length(h, -5, &n));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "count", sns_resampler_length(h, kHuge, &n));
  ASSERT_SNS_OK(sns_resampler_length(h, 100, &n));
  ASSERT_EQ(200, n);
  std::vector<float> in(100, 0.5f), out(200);
  expect_error(kInvalid, "resampler", sns_resampler_run(nullptr, in.data(), 100, out.data(), 200));
  expect_error(kInvalid, "samples", sns_resampler_run(h, nullptr, 100, out.data(), 200));
  expect_error(kInvalid, "out", sns_resampler_run(h, in.data(), 100, nullptr, 200));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_count", sns_resampler_run(h, in.data(), 100, out.data(), 199));
  in[3] = std::nanf("");
  expect_error(SNS_ERROR_OUT_OF_RANGE, "samples[3]", sns_resampler_run(h, in.data(), 100, out.data(), 200));
  in[3] = 0.5f;
  ASSERT_SNS_OK(sns_resampler_run(h, in.data(), 100, out.data(), 200));
  EXPECT_NEAR(0.5f, out[100], 0.01f);
  ASSERT_SNS_OK(sns_resampler_run(h, nullptr, 0, nullptr, 0));
}

TEST(Check, EveryOpHoldsItsLimit) {
  const Engine engine = make_engine(2);
  int64_t ops = 0;
  ASSERT_SNS_OK(sns_check_op_count(&ops));
  ASSERT_GE(ops, 9);
  for (int64_t i = 0; i < ops; ++i) {
    auto report = sized<sns_check_report>();
    ASSERT_SNS_OK(sns_check_parity(engine.get(), i, 12345 + i, &report));
    EXPECT_EQ(1, report.ok) << report.op << ": " << report.shape << ", " << report.measure << " "
                            << report.error;
    EXPECT_LE(report.error, report.limit) << report.op;
    EXPECT_STRNE("", report.shape);
  }
}

TEST(Check, Timing) {
  const Engine engine = make_engine(1);
  int64_t ops = 0, works = 0;
  ASSERT_SNS_OK(sns_check_op_count(&ops));
  auto report = sized<sns_timing_report>();
  ASSERT_SNS_OK(sns_check_work_count(0, &works));
  ASSERT_GE(works, 1);
  ASSERT_SNS_OK(sns_check_timing(engine.get(), 0, 0, 1, &report));
  EXPECT_GT(report.seconds, 0);
  EXPECT_GT(report.ceiling_share, 0);
  EXPECT_LE(report.ceiling_share, 1);
  expect_error(kInvalid, "index", sns_check_timing(engine.get(), ops, 0, 1, &report));
  expect_error(kInvalid, "work", sns_check_timing(engine.get(), 0, works, 1, &report));
  expect_error(kInvalid, "repeats", sns_check_timing(engine.get(), 0, 0, 0, &report));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "repeats", sns_check_timing(engine.get(), 0, 0, kHuge, &report));
  expect_error(kInvalid, "engine", sns_check_timing(nullptr, 0, 0, 1, &report));
  expect_error(kInvalid, "out", sns_check_timing(engine.get(), 0, 0, 1, nullptr));
  expect_error(kInvalid, "out", sns_check_op_count(nullptr));
  EXPECT_STREQ(report.op, sns_check_op_name(0));
  EXPECT_EQ(nullptr, sns_check_op_name(-1));
  EXPECT_EQ(nullptr, sns_check_op_name(ops));
  expect_error(kInvalid, "out", sns_check_work_count(0, nullptr));
  expect_error(kInvalid, "index", sns_check_work_count(-1, &works));
  auto parity = sized<sns_check_report>();
  expect_error(kInvalid, "engine", sns_check_parity(nullptr, 0, 1, &parity));
  expect_error(kInvalid, "index", sns_check_parity(engine.get(), -1, 1, &parity));
  expect_error(kInvalid, "out", sns_check_parity(engine.get(), 0, 1, nullptr));
  parity.struct_size = 1;
  expect_error(kInvalid, "out.struct_size", sns_check_parity(engine.get(), 0, 1, &parity));
  double gflops = 0, bf16 = 0, bandwidth = 0;
  expect_error(kInvalid, "engine", sns_check_ceiling(nullptr, &gflops, &bf16, &bandwidth));
  expect_error(kInvalid, "gflops", sns_check_ceiling(engine.get(), nullptr, &bf16, &bandwidth));
  expect_error(kInvalid, "bf16_gflops", sns_check_ceiling(engine.get(), &gflops, nullptr, &bandwidth));
  expect_error(kInvalid, "gbytes_per_s", sns_check_ceiling(engine.get(), &gflops, &bf16, nullptr));
  ASSERT_SNS_OK(sns_check_ceiling(engine.get(), &gflops, &bf16, &bandwidth));
  EXPECT_GT(gflops, 0);
  EXPECT_GT(bandwidth, 0);
}

}  // namespace
}  // namespace sns_test

// A limit of absurd size must come back as an error under AddressSanitizer too.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
