#include <atomic>
#include <limits>
#include <thread>

#include "abi_support.h"

namespace sns_test {
namespace {

constexpr int32_t kInvalid = SNS_ERROR_INVALID_ARGUMENT;

sns_audio_stream_config stream_config(int64_t input_rate = 16000, int64_t capacity = 0) {
  auto c = sized<sns_audio_stream_config>();
  c.log_mel = log_mel_config();
  c.input_rate = input_rate;
  c.capacity = capacity;
  return c;
}

AudioStream make_stream(const Engine& engine, const sns_audio_stream_config& c) {
  sns_audio_stream s = nullptr;
  EXPECT_EQ(SNS_OK, sns_audio_stream_create(engine.get(), &c, &s)) << sns_last_error();
  return AudioStream(s);
}

std::vector<float> tone(int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(std::sin(0.05 * static_cast<double>(i)));
  return x;
}

TEST(StreamArguments, OfCreateAreChecked) {
  const Engine engine = make_engine();
  sns_audio_stream s = nullptr;
  auto c = stream_config();
  expect_error(kInvalid, "engine", sns_audio_stream_create(nullptr, &c, &s));
  expect_error(kInvalid, "config", sns_audio_stream_create(engine.get(), nullptr, &s));
  expect_error(kInvalid, "out", sns_audio_stream_create(engine.get(), &c, nullptr));
  auto fails = [&](int32_t code, const char* field) {
    expect_error(code, field, sns_audio_stream_create(engine.get(), &c, &s));
    EXPECT_EQ(nullptr, s);
    c = stream_config();
  };
  c.struct_size = 8;
  fails(kInvalid, "config.struct_size");
  c.log_mel.struct_size = 8;
  fails(kInvalid, "log_mel.struct_size");
  c.log_mel.window = 9;
  fails(kInvalid, "log_mel.window");
  c.log_mel.n_fft = 1;
  fails(kInvalid, "log_mel.n_fft");
  c.log_mel.clip = SNS_CLIP_MAX;
  fails(kInvalid, "log_mel.clip");
  c.log_mel.clip = SNS_CLIP_FIXED_MAX;
  c.log_mel.clip_maximum = std::numeric_limits<double>::quiet_NaN();
  fails(kInvalid, "log_mel.clip_maximum");
  c.log_mel.norm = SNS_NORM_PER_BIN;
  fails(kInvalid, "log_mel.norm");
  c.log_mel.hop = (1 << 20) + 1;
  fails(SNS_ERROR_LIMIT_EXCEEDED, "log_mel.hop");
  for (int64_t rate : {int64_t{0}, int64_t{-5}, int64_t{1} << 31, INT64_MAX, INT64_MIN}) {
    c.input_rate = rate;
    fails(kInvalid, "input_rate");
  }
  c.input_rate = 2147483647;
  fails(SNS_ERROR_LIMIT_EXCEEDED, "input_rate");
  c.capacity = -1;
  fails(kInvalid, "capacity");
  c.capacity = INT64_MAX;
  fails(SNS_ERROR_LIMIT_EXCEEDED, "capacity");
}

TEST(StreamArguments, OfEveryCallAreChecked) {
  const Engine engine = make_engine();
  const AudioStream stream = make_stream(engine, stream_config());
  const std::vector<float> x = tone(1000);
  std::vector<float> y(100);
  int64_t n = -7;
  expect_error(kInvalid, "stream", sns_audio_stream_push(nullptr, x.data(), SNS_FORMAT_F32_PCM, 1, &n));
  expect_error(kInvalid, "samples", sns_audio_stream_push(stream.get(), nullptr, SNS_FORMAT_F32_PCM, 1, &n));
  expect_error(kInvalid, "format", sns_audio_stream_push(stream.get(), x.data(), 0, 1, &n));
  expect_error(kInvalid, "count", sns_audio_stream_push(stream.get(), x.data(), SNS_FORMAT_F32_PCM, -1, &n));
  expect_error(kInvalid, "accepted",
               sns_audio_stream_push(stream.get(), x.data(), SNS_FORMAT_F32_PCM, 1, nullptr));
  expect_error(kInvalid, "stream", sns_audio_stream_read(nullptr, y.data(), 10, &n));
  expect_error(kInvalid, "out", sns_audio_stream_read(stream.get(), nullptr, 10, &n));
  expect_error(kInvalid, "frames", sns_audio_stream_read(stream.get(), y.data(), 10, nullptr));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_count", sns_audio_stream_read(stream.get(), y.data(), 11, &n));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_count", sns_audio_stream_read(stream.get(), y.data(), -10, &n));
  expect_error(kInvalid, "stream", sns_audio_stream_frames(nullptr, &n));
  expect_error(kInvalid, "out", sns_audio_stream_frames(stream.get(), nullptr));
  expect_error(kInvalid, "stream", sns_audio_stream_finish(nullptr));
  expect_error(kInvalid, "stream", sns_audio_stream_clear(nullptr));
  auto info = sized<sns_audio_stream_info>();
  expect_error(kInvalid, "stream", sns_audio_stream_query(nullptr, &info));
  expect_error(kInvalid, "out", sns_audio_stream_query(stream.get(), nullptr));
  info.struct_size = 1;
  expect_error(kInvalid, "out.struct_size", sns_audio_stream_query(stream.get(), &info));
  EXPECT_EQ(-7, n);

  ASSERT_SNS_OK(sns_audio_stream_push(stream.get(), nullptr, SNS_FORMAT_F32_PCM, 0, &n));
  EXPECT_EQ(0, n);
  std::vector<float> bad = x;
  bad[77] = std::numeric_limits<float>::infinity();
  expect_error(SNS_ERROR_OUT_OF_RANGE, "samples[77]",
               sns_audio_stream_push(stream.get(), bad.data(), SNS_FORMAT_F32_PCM, 1000, &n));
  ASSERT_SNS_OK(sns_audio_stream_finish(stream.get()));
  expect_error(SNS_ERROR_ILLEGAL_STATE, "stream",
               sns_audio_stream_push(stream.get(), x.data(), SNS_FORMAT_F32_PCM, 1, &n));
  ASSERT_SNS_OK(sns_audio_stream_clear(stream.get()));
  ASSERT_SNS_OK(sns_audio_stream_push(stream.get(), x.data(), SNS_FORMAT_F32_PCM, 1000, &n));
  EXPECT_EQ(1000, n);
}

TEST(Stream, GivesTheBitsOfTheWholeAndOutlivesItsEngine) {
  Engine engine = make_engine(2);
  const std::vector<float> x = tone(5000);
  const AudioStream stream = make_stream(engine, stream_config(8000, 300));
  std::vector<float> want;
  {
    sns_resampler r = nullptr;
    ASSERT_SNS_OK(sns_resampler_create(engine.get(), 8000, 16000, &r));
    const Resampler resampler(r);
    std::vector<float> y(10000);
    ASSERT_SNS_OK(sns_resampler_run(r, x.data(), 5000, y.data(), 10000));
    const sns_log_mel_config c = log_mel_config();
    sns_log_mel m = nullptr;
    ASSERT_SNS_OK(sns_log_mel_create(engine.get(), &c, &m));
    const LogMel log_mel(m);
    int64_t frames = 0;
    ASSERT_SNS_OK(sns_log_mel_frames(m, 10000, &frames));
    want.resize(static_cast<size_t>(frames * c.n_mels));
    ASSERT_SNS_OK(sns_log_mel_run(m, y.data(), SNS_FORMAT_F32_PCM, 10000, want.data(), frames * c.n_mels));
  }
  engine.reset();
  std::vector<float> got;
  std::vector<float> rows(70);
  auto read = [&] {
    for (int64_t n = 1; n > 0;) {
      ASSERT_SNS_OK(sns_audio_stream_read(stream.get(), rows.data(), 70, &n));
      got.insert(got.end(), rows.begin(), rows.begin() + n * 10);
    }
  };
  for (int64_t at = 0, n = 0; at < 5000; at += n) {
    ASSERT_SNS_OK(sns_audio_stream_push(stream.get(), x.data() + at, SNS_FORMAT_F32_PCM, 5000 - at, &n));
    EXPECT_EQ(std::min<int64_t>(300, 5000 - at), n);
    read();
  }
  ASSERT_SNS_OK(sns_audio_stream_finish(stream.get()));
  auto info = sized<sns_audio_stream_info>();
  ASSERT_SNS_OK(sns_audio_stream_query(stream.get(), &info));
  EXPECT_EQ(300, info.capacity);
  EXPECT_GT(info.latency, 0);
  EXPECT_GT(info.bytes, 0);
  EXPECT_EQ(static_cast<int64_t>(want.size()), (info.position + info.frames) * 10);
  read();
  ASSERT_EQ(want.size(), got.size());
  EXPECT_EQ(0, std::memcmp(want.data(), got.data(), want.size() * sizeof(float)));
}

TEST(Stream, OneCallerAtATime) {
  const Engine engine = make_engine();
  const AudioStream stream = make_stream(engine, stream_config());
  const std::vector<float> x = tone(16000);
  std::atomic<int64_t> refused{0}, taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<float> y(10 * 700);
      for (int i = 0; i < 200; ++i) {
        int64_t n = 0;
        const int32_t code =
            i % 2 ? sns_audio_stream_read(stream.get(), y.data(), 7000, &n)
                  : sns_audio_stream_push(stream.get(), x.data(), SNS_FORMAT_F32_PCM, 4000, &n);
        if (code != SNS_OK) {
          EXPECT_EQ(SNS_ERROR_ILLEGAL_STATE, code);
          EXPECT_STREQ("stream", sns_last_error_field());
          ++refused;
        } else if (i % 2 == 0) {
          taken += n;
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  // Whatever was taken is there, once.
  auto info = sized<sns_audio_stream_info>();
  ASSERT_SNS_OK(sns_audio_stream_finish(stream.get()));
  ASSERT_SNS_OK(sns_audio_stream_query(stream.get(), &info));
  EXPECT_EQ(1 + taken / 25, info.position + info.frames);
}

}  // namespace
}  // namespace sns_test
