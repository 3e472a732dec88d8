#include <cmath>

#include "backend/cpu/thread_pool.h"
#include "core/status.h"
#include "ops/log_mel/log_mel_plan.h"
#include "stream_support.h"

namespace sns {
namespace {

std::vector<float> resampled(int64_t from, int64_t to, const std::vector<float>& x) {
  const ResampleFilter filter(from, to);
  Serial serial;
  std::vector<float> y(static_cast<size_t>(filter.output_length(static_cast<int64_t>(x.size()))));
  resample_cpu(filter, x.data(), static_cast<int64_t>(x.size()), y.data(), serial);
  return y;
}

// [frames, mels] of the whole sound.
std::vector<float> offline(LogMelConfig config, const std::vector<float>& x) {
  config.mel_major = 0;
  const LogMelPlan plan(config);
  ThreadPool pool(2);
  const int64_t n = static_cast<int64_t>(x.size()), frames = plan.frames(n);
  std::vector<float> y(static_cast<size_t>(frames * config.n_mels));
  AlignedArray<std::byte> scratch(static_cast<int64_t>(log_mel_scratch(plan, n, pool.threads())));
  LogMelArgs args;
  args.samples = x.data();
  args.sample_count = n;
  args.y = y.data();
  args.ldy = config.n_mels;
  log_mel_cpu(plan, args, scratch.data(), pool);
  return y;
}

TEST(AudioStream, IsBitEqualToOfflineForAnyChunks) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    Random random(seed);
    for (const auto& [name, config] : configs()) {
      const int64_t capacity = random.integer(0, 2) ? 0 : random.integer(1, 300);
      AudioStream stream(config, config.sample_rate, capacity);
      for (int sound = 0; sound < 2; ++sound) {
        const int64_t n = random.integer(0, 3) ? random.integer(0, 12000) : random.integer(0, 700);
        const std::vector<float> x = noise(random, n);
        expect_same(streamed(stream, random, x), offline(config, x),
                    std::string(name) + ", " + std::to_string(n) + " samples, seed " + std::to_string(seed));
        stream.clear();
      }
    }
  }
}

TEST(AudioStream, ResamplesToTheBitsOfTheWhole) {
  const int64_t rates[][2] = {{44100, 16000}, {48000, 16000}, {22050, 16000}, {8000, 16000},
                              {44100, 16001}, {11025, 8001},  {96000, 7},     {3, 16000}};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Random random(seed);
    for (const auto& rate : rates) {
      LogMelConfig config = random.coin() ? configs()[2].second : configs()[4].second;
      config.sample_rate = rate[1];
      config.f_min = config.f_max = 0;
      AudioStream stream(config, rate[0], random.coin() ? 0 : random.integer(1, 1000));
      const int64_t most = 12000 * rate[0] / rate[1] + 2;
      const std::vector<float> x = noise(random, std::min<int64_t>(200000, random.integer(0, most)));
      expect_same(streamed(stream, random, x), offline(config, resampled(rate[0], rate[1], x)),
                  std::to_string(rate[0]) + " to " + std::to_string(rate[1]) + ", " +
                      std::to_string(x.size()) + " samples, seed " + std::to_string(seed));
    }
  }
}

TEST(ResampleStream, IsBitEqualToOfflineForAnyChunks) {
  const int64_t rates[][2] = {{44100, 16000}, {48000, 16000}, {22050, 16000}, {8000, 16000},  {16000, 16000},
                              {16000, 44100}, {44100, 16001}, {44099, 16000}, {192000, 8000}, {50000, 3},
                              {1, 1000},      {7, 5},         {96000, 7}};
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Random random(seed);
    for (const auto& rate : rates) {
      const int64_t capacity = random.integer(1, 5000);
      const ResampleFilter filter = stream_filter(rate[0], rate[1]);
      const LogMelPlan plan{LogMelConfig()};
      HostStreamDevice device(filter, plan);
      ResampleStream stream(filter, device, capacity);
      const int64_t n = random.integer(0, std::min<int64_t>(60000, 100000 * rate[0] / rate[1] + 1));
      std::vector<float> x = noise(random, n);
      // Signed zeros must come out alike, too.
      if (random.coin()) {
        for (float& v : x) v = random.coin() ? -0.0f : v * 1e-40f;
      }
      std::vector<float> y;
      auto read = [&](int64_t most) {
        std::vector<float> part(static_cast<size_t>(most));
        const int64_t got = stream.read(part.data(), most);
        y.insert(y.end(), part.begin(), part.begin() + got);
        return got;
      };
      for (int64_t at = 0; at < n;) {
        const int64_t part = std::min({n - at, stream.room(), chunk(random)});
        stream.push(x.data() + at, false, part);
        at += part;
        if (part == 0 || random.coin()) {
          const int64_t got = read(random.integer(1, 3000));
          ASSERT_TRUE(stream.room() > 0 || got > 0);
        }
      }
      stream.finish();
      while (!stream.drained()) ASSERT_GT(read(random.integer(1, 3000)), 0);
      const std::vector<float> want = resampled(rate[0], rate[1], x);
      expect_same(
          y, want,
          std::to_string(rate[0]) + " to " + std::to_string(rate[1]) + ", seed " + std::to_string(seed));
    }
  }
}

TEST(AudioStream, Int16IsFloatOver32768) {
  Random random(3);
  std::vector<int16_t> s(9000);
  std::vector<float> x(s.size());
  for (size_t i = 0; i < s.size(); ++i) {
    s[i] = static_cast<int16_t>(random.integer(-32768, 32767));
    x[i] = static_cast<float>(s[i]) / 32768.0f;
  }
  const LogMelConfig config = configs()[2].second;
  AudioStream stream(config, 16000, 0);
  EXPECT_EQ(stream.push(s.data(), true, 9000), 9000);
  stream.finish();
  const std::vector<float> want = offline(config, x);
  std::vector<float> y(want.size());
  EXPECT_EQ(stream.read(y.data(), 56), 56);
  expect_same(y, want, "s16");
}

// With the clip's own maximum a fixed one gives the bits of the published rule.
TEST(AudioStream, AFixedMaximumIsTheClipsRule) {
  Random random(5);
  LogMelConfig c = configs()[2].second;
  const std::vector<float> x = noise(random, 20000);
  c.clip_range = 2;
  LogMelConfig own = c;
  own.clip = ClipRange::kClipMax;
  LogMelConfig plain = c;
  plain.clip = ClipRange::kNone;
  plain.out_scale = 1;
  plain.out_shift = 0;
  const std::vector<float> logs = offline(plain, x);
  c.clip_maximum = static_cast<double>(*std::max_element(logs.begin(), logs.end()));
  expect_same(offline(c, x), offline(own, x), "fixed");
}

// Every frame comes when it is promised, and not much later is promised than needed.
TEST(AudioStream, KeepsItsLatency) {
  const int64_t rates[][2] = {{16000, 16000}, {44100, 16000}, {48000, 16000}, {8000, 16000}, {44100, 16001}};
  for (const auto& rate : rates) {
    for (auto [name, config] : configs()) {
      config.sample_rate = rate[1];
      config.f_max = 0;
      AudioStream stream(config, rate[0], 0);
      const LogMelPlan plan(config);
      const ResampleFilter filter(rate[0], rate[1]);
      const float sample = 0.5f;
      std::vector<float> row(static_cast<size_t>(config.n_mels));
      int64_t frame = 0;
      double latest = -1e9;
      const int64_t first = (2 * config.n_fft) / config.hop + 1;  // the start's reflection is passed
      for (int64_t m = 1; m <= 20000 && frame < first + 40; ++m) {
        ASSERT_EQ(stream.push(&sample, false, 1), 1);
        while (stream.frames() > 0) {
          const double centre = static_cast<double>(plan.frame_centre_x2(frame)) / 2 *
                                static_cast<double>(filter.orig()) / static_cast<double>(filter.target());
          if (frame >= first) latest = std::max(latest, static_cast<double>(m) - centre);
          ASSERT_EQ(stream.read(row.data(), 1), 1);
          ++frame;
        }
      }
      ASSERT_GT(frame, first) << name;
      const double latency = static_cast<double>(stream.latency());
      EXPECT_LE(latest, latency) << name << " " << rate[0] << " to " << rate[1];
      const double slack = filter.orig() == filter.target() ? 0.5
                                                            : 4 + 2.0 * static_cast<double>(filter.orig()) /
                                                                      static_cast<double>(filter.target());
      EXPECT_GE(latest, latency - slack) << name << " " << rate[0] << " to " << rate[1];
    }
  }
}

TEST(AudioStream, RefusesWhatNeedsTheWholeSound) {
  auto fails = [](LogMelConfig config, int64_t rate, int64_t capacity, Code code, const char* field) {
    try {
      AudioStream stream(config, rate, capacity);
      ADD_FAILURE() << field;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      EXPECT_EQ(e.field(), field);
    }
  };
  LogMelConfig c = configs()[2].second;
  c.clip = ClipRange::kClipMax;
  fails(c, 16000, 0, Code::kInvalidArgument, "clip");
  c = configs()[3].second;
  c.norm = FeatureNorm::kPerBin;
  fails(c, 16000, 0, Code::kInvalidArgument, "norm");
  c = LogMelConfig();
  fails(c, 16000, -1, Code::kInvalidArgument, "capacity");
  fails(c, 16000, int64_t{1} << 40, Code::kLimitExceeded, "capacity");
  fails(c, 0, 0, Code::kInvalidArgument, "input_rate");
  fails(c, int64_t{1} << 31, 0, Code::kInvalidArgument, "input_rate");
  fails(c, 2147483647, 0, Code::kLimitExceeded, "input_rate");  // coprime: the filter itself
  c.sample_rate = 1;
  fails(c, 200000, 0, Code::kLimitExceeded, "input_rate");  // the history
  c = LogMelConfig();
  c.hop = (int64_t{1} << 20) + 1;
  fails(c, 16000, 0, Code::kLimitExceeded, "hop");
  c = base(400, 400, 160, FramePadding::kNone);
  c.frame_span = (int64_t{1} << 20) + 1;
  fails(c, 16000, 0, Code::kLimitExceeded, "frame_span");
}

// Memory is bounded whatever the rates.
TEST(AudioStream, HostileRatesStaySmall) {
  LogMelConfig c;
  for (int64_t rate :
       {int64_t{1}, int64_t{44099}, int64_t{2147480000}, int64_t{1000000007}, int64_t{16001}}) {
    try {
      AudioStream stream(c, rate, 0);
      EXPECT_LE(stream.bytes(), int64_t{64} << 20) << rate;
      const std::vector<float> x(1000, 0.25f);
      const int64_t taken = stream.push(x.data(), false, 1000);
      EXPECT_TRUE(taken == std::min<int64_t>(1000, stream.capacity()) || stream.frames() > 0) << rate;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kLimitExceeded) << rate;
    }
  }
}

TEST(AudioStream, BadSamplesAreRefusedAndNothingIsTaken) {
  const LogMelConfig config = configs()[2].second;
  Random random(9);
  std::vector<float> x = noise(random, 5000);
  AudioStream stream(config, 16000, 0);
  std::vector<float> y;
  for (size_t at = 0; at < x.size(); at += 500) {
    std::vector<float> bad(x.begin() + static_cast<int64_t>(at), x.begin() + static_cast<int64_t>(at) + 500);
    bad[321] = at % 1000 ? std::nanf("") : -INFINITY;
    try {
      stream.push(bad.data(), false, 500);
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kOutOfRange);
      EXPECT_EQ(e.field(), "samples[321]");
    }
    EXPECT_EQ(stream.push(x.data() + at, false, 500), 500);
  }
  stream.finish();
  stream.finish();
  try {
    stream.push(x.data(), false, 1);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kIllegalState);
  }
  const std::vector<float> want = offline(config, x);
  y.resize(want.size());
  EXPECT_EQ(stream.read(y.data(), 31), 31);
  expect_same(y, want, "after refusals");
}

TEST(AudioStream, AnyOrderOfCalls) {
  for (uint64_t seed = 100; seed < 130; ++seed) any_order_of_calls(seed, 300, 5000, nullptr);
}

}  // namespace
}  // namespace sns
