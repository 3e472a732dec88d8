#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

#include "abi_support.h"

namespace sns_test {
namespace {

constexpr int32_t kInvalid = SNS_ERROR_INVALID_ARGUMENT;

class SessionRun : public ::testing::Test {
 protected:
  void SetUp() override {
    engine = make_engine(2);
    model = make_model(engine.get());
    session = make_session(model.get());
    items = samples.items();
  }
  int32_t run() {
    return sns_session_run(session.get(), items.data(), static_cast<int64_t>(items.size()), &result);
  }
  Engine engine;
  Model model;
  Session session;
  const Samples samples;
  std::vector<sns_item> items;
  sns_result result = {};
};

TEST_F(SessionRun, EveryFormat) {
  ASSERT_SNS_OK(run());
  int64_t rows = 0;
  for (int64_t n : Samples::counts()) rows += n;
  EXPECT_EQ(rows, result.tokens_count);
  EXPECT_EQ(16, result.d_model);
  EXPECT_EQ(1, result.sequences);
  EXPECT_EQ(4, result.latents_count);
  EXPECT_EQ(8, result.d_latents);
  EXPECT_EQ(rows, result.cu_seqlens[1]);
  for (int64_t i = 0; i < rows * 16; ++i) ASSERT_TRUE(std::isfinite(result.tokens[i]));
  for (int64_t i = 0; i < 4 * 8; ++i) ASSERT_TRUE(std::isfinite(result.latents[i]));
  int64_t row = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    for (int64_t n = 0; n < Samples::counts()[i]; ++n, ++row) {
      EXPECT_EQ(static_cast<int32_t>(i), result.item[row]);
      EXPECT_EQ(items[i].modality, result.modality[row]);
    }
  }
  EXPECT_GT(result.total_ns, 0);
  EXPECT_GE(result.total_ns,
            result.image_ns + result.audio_ns + result.text_ns + result.pack_ns + result.latents_ns);
}

TEST_F(SessionRun, NoItems) {
  ASSERT_SNS_OK(sns_session_run(session.get(), nullptr, 0, &result));
  EXPECT_EQ(0, result.tokens_count);
  EXPECT_EQ(0, result.sequences);
  EXPECT_EQ(0, result.latents_count);
  EXPECT_EQ(0, result.cu_seqlens[0]);
}

TEST_F(SessionRun, BadCalls) {
  expect_error(kInvalid, "session", sns_session_run(nullptr, items.data(), 1, &result));
  expect_error(kInvalid, "items", sns_session_run(session.get(), nullptr, 1, &result));
  expect_error(kInvalid, "out", sns_session_run(session.get(), items.data(), 1, nullptr));
  expect_error(kInvalid, "count", sns_session_run(session.get(), items.data(), -1, &result));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "count", sns_session_run(session.get(), items.data(), 9, &result));
  EXPECT_EQ(8, sns_last_error_limit());
}

/// Changes one item, expects the error, and expects that nothing else happened: the last result still stands.
TEST_F(SessionRun, BadItems) {
  ASSERT_SNS_OK(run());
  const sns_result before = result;
  const std::vector<float> tokens(result.tokens, result.tokens + result.tokens_count * 16);
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const auto reject = [&](int32_t code, size_t index, const char* field, auto change) {
    items = samples.items();
    change(items[index]);
    expect_error(code, "items[" + std::to_string(index) + "]." + field, run());
    EXPECT_EQ(0, std::memcmp(&before, &result, sizeof(result)));
  };
  for (size_t i = 0; i < 7; ++i) {
    reject(kInvalid, i, "modality", [](sns_item& x) { x.modality = 3; });
    reject(kInvalid, i, "modality", [](sns_item& x) { x.modality = -1; });
    reject(kInvalid, i, "format", [](sns_item& x) { x.format = 8; });
    reject(kInvalid, i, "format", [](sns_item& x) { x.format = kHuge; });
    reject(kInvalid, i, "data", [](sns_item& x) { x.data = nullptr; });
    reject(SNS_ERROR_INVALID_SHAPE, i, "bytes", [](sns_item& x) { x.bytes += 1; });
    reject(SNS_ERROR_INVALID_SHAPE, i, "bytes", [](sns_item& x) { x.bytes = -x.bytes; });
    reject(SNS_ERROR_INVALID_SHAPE, i, "bytes", [](sns_item& x) { x.bytes = kHuge; });
    reject(kInvalid, i, "sequence", [](sns_item& x) { x.sequence = -1; });
    reject(kInvalid, i, "sequence", [](sns_item& x) { x.sequence = 2; });
  }
  reject(kInvalid, 0, "end_us", [](sns_item& x) { x.end_us = -1; });
  reject(kInvalid, 5, "end_us", [](sns_item& x) { x.start_us = 1; });
  reject(kInvalid, 2, "start_us", [](sns_item& x) { x.start_us = kHuge; });
  reject(kInvalid, 2, "dims", [](sns_item& x) { x.dims[1] = 1; });
  reject(kInvalid, 5, "dims", [](sns_item& x) { x.dims[2] = 1; });
  reject(kInvalid, 0, "format", [](sns_item& x) { x.format = SNS_FORMAT_I64_IDS; });
  reject(SNS_ERROR_INVALID_SHAPE, 0, "height", [](sns_item& x) { x.dims[0] = 3; });
  reject(SNS_ERROR_INVALID_SHAPE, 0, "width", [](sns_item& x) { x.dims[1] = 0; });
  reject(SNS_ERROR_INVALID_SHAPE, 0, "height", [](sns_item& x) { x.dims[0] = -8; });
  reject(SNS_ERROR_INVALID_SHAPE, 0, "width", [](sns_item& x) { x.dims[0] = x.dims[1] = kHuge; });
  reject(SNS_ERROR_INVALID_SHAPE, 1, "channels", [](sns_item& x) { x.dims[2] = 4; });
  reject(SNS_ERROR_INVALID_SHAPE, 2, "samples", [](sns_item& x) { x.dims[0] = 0; });
  reject(SNS_ERROR_INVALID_SHAPE, 3, "samples", [](sns_item& x) { x.dims[0] = -1; });
  reject(SNS_ERROR_INVALID_SHAPE, 4, "frames", [](sns_item& x) { x.dims[0] = 0; });
  reject(SNS_ERROR_INVALID_SHAPE, 4, "n_mels", [](sns_item& x) { x.dims[1] = 11; });
  reject(SNS_ERROR_INVALID_SHAPE, 5, "count", [](sns_item& x) { x.dims[0] = -3; });
  reject(SNS_ERROR_INVALID_SHAPE, 6, "d_model", [](sns_item& x) { x.dims[1] = 15; });
  reject(kInvalid, 6, "data", [](sns_item& x) { x.data = static_cast<const char*>(x.data) + 1; });

  const std::vector<int64_t> low = {0, -1, 3}, high = {0, 3, 50};
  reject(SNS_ERROR_OUT_OF_RANGE, 5, "data", [&](sns_item& x) { x.data = low.data(); });
  EXPECT_NE(std::string::npos, std::string(sns_last_error()).find("data[1]: id -1")) << sns_last_error();
  reject(SNS_ERROR_OUT_OF_RANGE, 5, "data", [&](sns_item& x) { x.data = high.data(); });
  EXPECT_NE(std::string::npos, std::string(sns_last_error()).find("data[2]: id 50")) << sns_last_error();
  for (float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    std::vector<float> data(500, 0.25f);
    data[47] = bad;
    for (size_t i : {size_t{1}, size_t{3}, size_t{4}}) {
      reject(SNS_ERROR_OUT_OF_RANGE, i, "data", [&](sns_item& x) { x.data = data.data(); });
      EXPECT_NE(std::string::npos, std::string(sns_last_error()).find("element 47")) << sns_last_error();
    }
  }
  EXPECT_EQ(0, std::memcmp(tokens.data(), before.tokens, tokens.size() * sizeof(float)));
}

TEST_F(SessionRun, LimitsAreNamed) {
  const auto reject = [&](const char* field, int64_t limit, std::vector<sns_item> with) {
    items = std::move(with);
    expect_error(SNS_ERROR_LIMIT_EXCEEDED, field, run());
    EXPECT_EQ(limit, sns_last_error_limit());
  };
  const std::vector<uint8_t> wide(4 * 300 * 3);
  const std::vector<float> sound(1201), ids_room(1), tokens(199 * 16);
  const std::vector<int64_t> ids(21);
  reject("items[0].pixels", 1024, {make_item(SNS_MODALITY_IMAGE, SNS_FORMAT_U8_HWC, wide, 4, 300, 3)});
  reject("items[0].samples", 1200, {make_item(SNS_MODALITY_AUDIO, SNS_FORMAT_F32_PCM, sound, 1201)});
  reject("items[0].count", 20, {make_item(SNS_MODALITY_TEXT, SNS_FORMAT_I64_IDS, ids, 21)});
  reject("items[0].tokens", 200, {make_item(SNS_MODALITY_TEXT, SNS_FORMAT_F32_TOKENS, tokens, 199, 16)});
  std::vector<sns_item> many(5, samples.items()[5]);
  for (int i = 0; i < 5; ++i) many[static_cast<size_t>(i)].sequence = i;
  reject("items[4].sequence", 4, many);
  const std::vector<float> features(61 * 10);
  reject("items[0].frames", 60, {make_item(SNS_MODALITY_AUDIO, SNS_FORMAT_F32_FEATURES, features, 61, 10)});
  // Exactly at the limit is allowed.
  const std::vector<float> full(198 * 16);
  items = {make_item(SNS_MODALITY_TEXT, SNS_FORMAT_F32_TOKENS, full, 198, 16)};
  ASSERT_SNS_OK(run());
  EXPECT_EQ(200, result.tokens_count);
}

TEST_F(SessionRun, PartsThatTheModelLacks) {
  sns_builder b = nullptr;
  ASSERT_SNS_OK(sns_builder_create(engine.get(), &b));
  const Builder builder(b);
  auto sequence = sequence_config();
  sequence.modality_embedding = sequence.special_tokens = 0;
  ASSERT_SNS_OK(sns_builder_sequence(b, &sequence));
  sns_model m = nullptr;
  ASSERT_SNS_OK(sns_model_create(b, &m));
  model.reset(m);
  session = make_session(m);
  for (size_t i = 0; i < 6; ++i) {
    items = {samples.items()[i]};
    expect_error(kInvalid, "items[0].modality", run());
  }
  items = {samples.items()[6]};
  ASSERT_SNS_OK(run());
  EXPECT_EQ(2, result.tokens_count);
  EXPECT_EQ(0, result.latents_count);
  EXPECT_EQ(nullptr, result.latents);
  EXPECT_EQ(0, std::memcmp(result.tokens, samples.tokens.data(), 2 * 16 * 4));
}

TEST_F(SessionRun, OneThreadAtATime) {
  std::atomic<int> ok{0}, refused{0}, other{0};
  std::vector<std::thread> threads;
  // On a busy machine they may take turns for long before two are there at once.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 400 || (refused == 0 && std::chrono::steady_clock::now() < until); ++i) {
        sns_result r;
        const int32_t code =
            sns_session_run(session.get(), items.data(), static_cast<int64_t>(items.size()), &r);
        ++(code == SNS_OK ? ok : code == SNS_ERROR_ILLEGAL_STATE ? refused : other);
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_GT(ok, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(0, other);
  ASSERT_SNS_OK(run());
}

TEST_F(SessionRun, ManySessionsOfOneModelAtOnceGiveTheSameBits) {
  ASSERT_SNS_OK(run());
  const std::vector<float> tokens(result.tokens, result.tokens + result.tokens_count * 16);
  const std::vector<float> latents(result.latents, result.latents + 4 * 8);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const Session own = make_session(model.get());
      for (int i = 0; i < 50; ++i) {
        sns_result r;
        const int32_t code = sns_session_run(own.get(), items.data(), static_cast<int64_t>(items.size()), &r);
        if (code != SNS_OK || std::memcmp(r.tokens, tokens.data(), tokens.size() * 4) != 0 ||
            std::memcmp(r.latents, latents.data(), latents.size() * 4) != 0) {
          ++wrong;
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(0, wrong);
}

TEST(Destruction, InAnyOrder) {
  // 0 engine, 1 builder, 2 model, 3 session: every order, and the session used as long as it lives.
  std::vector<int> order = {0, 1, 2, 3};
  const Samples samples;
  do {
    Engine engine = make_engine(2);
    Builder builder = make_builder(engine.get());
    sns_model m = nullptr;
    ASSERT_SNS_OK(sns_model_create(builder.get(), &m));
    Model model(m);
    Session session = make_session(m);
    const auto items = samples.items();
    for (int what : order) {
      if (what == 0) engine.reset();
      if (what == 1) builder.reset();
      if (what == 2) model.reset();
      if (what == 3) session.reset();
      sns_result r;
      if (session) {
        ASSERT_SNS_OK(sns_session_run(session.get(), items.data(), 7, &r));
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));

  Engine engine = make_engine(2);
  const auto config = log_mel_config();
  sns_log_mel mel = nullptr;
  sns_resampler resampler = nullptr;
  ASSERT_SNS_OK(sns_log_mel_create(engine.get(), &config, &mel));
  ASSERT_SNS_OK(sns_resampler_create(engine.get(), 8000, 16000, &resampler));
  engine.reset();
  std::vector<float> in(500, 0.1f), out(210), twice(1000);
  ASSERT_SNS_OK(sns_log_mel_run(mel, in.data(), SNS_FORMAT_F32_PCM, 500, out.data(), 210));
  ASSERT_SNS_OK(sns_resampler_run(resampler, in.data(), 500, twice.data(), 1000));
  sns_log_mel_destroy(mel);
  sns_resampler_destroy(resampler);
}

TEST(LogMelHandle, IsThreadSafe) {
  const Engine engine = make_engine(2);
  const auto config = log_mel_config();
  sns_log_mel h = nullptr;
  ASSERT_SNS_OK(sns_log_mel_create(engine.get(), &config, &h));
  const LogMel mel(h);
  std::vector<float> in(500);
  sns::Random(5).fill_normal(in.begin(), in.end(), 0.1);
  std::vector<float> expected(210);
  ASSERT_SNS_OK(sns_log_mel_run(h, in.data(), SNS_FORMAT_F32_PCM, 500, expected.data(), 210));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      std::vector<float> out(210);
      for (int i = 0; i < 100; ++i) {
        if (sns_log_mel_run(h, in.data(), SNS_FORMAT_F32_PCM, 500, out.data(), 210) != SNS_OK ||
            out != expected) {
          ++wrong;
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(0, wrong);
}

TEST(LastError, BelongsToTheThread) {
  expect_error(kInvalid, "out", sns_device_query(0, 0, nullptr));
  std::thread([] {
    EXPECT_STREQ("", sns_last_error());
    EXPECT_EQ(-1, sns_last_error_limit());
  }).join();
  EXPECT_STREQ("out", sns_last_error_field());
}

}  // namespace
}  // namespace sns_test
