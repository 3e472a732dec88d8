// Sound in chunks on the host SIMT executor: bit-equal to the GPU's own log-mel and resampler of the whole
// sound, and to the same contract as on the CPU.

#include <cmath>

#include "core/status.h"
#include "cuda_support.h"
#include "pipeline/cuda/stages.h"
#include "stream_support.h"

namespace sns {
namespace {

std::vector<float> resampled(const CudaDevicePtr& device, int64_t from, int64_t to,
                             const std::vector<float>& x) {
  const ResampleFilter filter(from, to);
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<float> y(static_cast<size_t>(filter.output_length(n)));
  if (!y.empty()) CudaResampler(device, filter).run(x.data(), n, y.data(), static_cast<int64_t>(y.size()));
  return y;
}

// [frames, mels] of the whole sound.
std::vector<float> offline(const CudaDevicePtr& device, LogMelConfig config, const std::vector<float>& x) {
  config.mel_major = 0;
  const LogMelPlan plan(config);
  const int64_t n = static_cast<int64_t>(x.size()), frames = plan.frames(n);
  std::vector<float> y(static_cast<size_t>(frames * config.n_mels));
  LogMelArgs args;
  args.samples = x.data();
  args.sample_count = n;
  args.y = y.data();
  args.ldy = config.n_mels;
  if (frames > 0) CudaLogMel(device, plan).run(args, frames, static_cast<int64_t>(y.size()));
  return y;
}

std::string named(const char* what, int64_t samples, uint64_t seed) {
  return std::string(what) + ", " + std::to_string(samples) + " samples, seed " + std::to_string(seed);
}

TEST(CudaAudioStream, IsBitEqualToOfflineForAnyChunks) {
  const std::shared_ptr<Engine> engine = with_fft(cuda_engine(), true);
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Random random(seed);
    for (const auto& [name, config] : configs()) {
      const int64_t capacity = random.integer(0, 2) ? 0 : random.integer(1, 300);
      AudioStream stream(config, config.sample_rate, capacity, engine->cuda());
      for (int sound = 0; sound < 2; ++sound) {
        const int64_t longest = std::clamp<int64_t>(20 * config.hop, 700, 12000);
        const int64_t n = random.integer(0, 3) ? random.integer(0, longest) : random.integer(0, 700);
        const std::vector<float> x = noise(random, n);
        expect_same(streamed(stream, random, x), offline(engine->cuda(), config, x), named(name, n, seed));
        stream.clear();
      }
    }
  }
}

TEST(CudaAudioStream, ResamplesToTheBitsOfTheWhole) {
  const std::shared_ptr<Engine> engine = cuda_engine();
  const int64_t rates[][2] = {{44100, 16000}, {48000, 16000}, {22050, 16000}, {8000, 16000},
                              {44100, 16001}, {11025, 8001},  {96000, 7},     {3, 16000}};
  for (uint64_t seed = 0; seed < 2; ++seed) {
    Random random(seed);
    for (const auto& rate : rates) {
      LogMelConfig config = random.coin() ? configs()[2].second : configs()[4].second;
      config.sample_rate = rate[1];
      config.f_min = config.f_max = 0;
      AudioStream stream(config, rate[0], random.coin() ? 0 : random.integer(1, 1000), engine->cuda());
      const int64_t most = 3000 * rate[0] / rate[1] + 2;
      const std::vector<float> x = noise(random, std::min<int64_t>(100000, random.integer(0, most)));
      expect_same(streamed(stream, random, x),
                  offline(engine->cuda(), config, resampled(engine->cuda(), rate[0], rate[1], x)),
                  std::to_string(rate[0]) + " to " + std::to_string(rate[1]) + ", " +
                      std::to_string(x.size()) + " samples, seed " + std::to_string(seed));
    }
  }
}

/// What is taken, when a frame can be read and when it is promised is counted once for both devices; memory
/// is each one's own. The features differ by rounding.
TEST(CudaAudioStream, IsTheCpusStream) {
  const std::shared_ptr<Engine> engine = with_fft(cuda_engine(), true);
  for (uint64_t seed = 0; seed < 2; ++seed) {
    Random random(seed);
    for (const auto& [name, config] : configs()) {
      const int64_t capacity = random.integer(0, 1000), rate = random.coin() ? config.sample_rate : 44100;
      AudioStream cpu(config, rate, capacity), gpu(config, rate, capacity, engine->cuda());
      ASSERT_EQ(cpu.capacity(), gpu.capacity());
      ASSERT_EQ(cpu.latency(), gpu.latency());
      EXPECT_GT(gpu.bytes(), 0);
      const std::vector<float> x = noise(random, 4000);
      std::vector<float> a(static_cast<size_t>(30 * config.n_mels)), b(a.size());
      for (int64_t at = 0; at < 4000;) {
        const int64_t part = std::min<int64_t>(4000 - at, random.integer(1, 900));
        const int64_t taken = cpu.push(x.data() + at, false, part);
        ASSERT_EQ(taken, gpu.push(x.data() + at, false, part)) << name;
        at += taken;
        if (at == 4000) cpu.finish(), gpu.finish();
        while (cpu.frames() > 0) {
          ASSERT_EQ(cpu.frames(), gpu.frames()) << name;
          const int64_t count = cpu.read(a.data(), 30);
          ASSERT_EQ(count, gpu.read(b.data(), 30)) << name;
          ASSERT_EQ(cpu.position(), gpu.position());
          const bool power = config.log == LogKind::kNone;
          for (size_t i = 0; i < static_cast<size_t>(count * config.n_mels); ++i) {
            const double far = power ? 1e-4 * std::max(std::abs(a[i]), 1e-3f) : 2e-3;
            ASSERT_NEAR(a[i], b[i], far) << name;
          }
        }
      }
      ASSERT_EQ(0, gpu.frames());
    }
  }
}

TEST(CudaAudioStream, Int16IsFloatOver32768) {
  const std::shared_ptr<Engine> engine = cuda_engine();
  Random random(3);
  std::vector<int16_t> s(9000);
  std::vector<float> x(s.size());
  for (size_t i = 0; i < s.size(); ++i) {
    s[i] = static_cast<int16_t>(random.integer(-32768, 32767));
    x[i] = static_cast<float>(s[i]) / 32768.0f;
  }
  const LogMelConfig config = configs()[2].second;
  AudioStream stream(config, 16000, 0, engine->cuda());
  EXPECT_EQ(stream.push(s.data(), true, 9000), 9000);
  stream.finish();
  const std::vector<float> want = offline(engine->cuda(), config, x);
  std::vector<float> y(want.size());
  EXPECT_EQ(stream.read(y.data(), 56), 56);
  expect_same(y, want, "s16");
}

/// More than is on its way at once, pushed in one go and in single samples: a sample that is staged is not
/// written over before it is taken.
TEST(CudaAudioStream, SamplesOnTheirWayStayThemselves) {
  const std::shared_ptr<Engine> engine = cuda_engine();
  LogMelConfig config = base(64, 64, 4000, FramePadding::kNone);
  Random random(11);
  const std::vector<float> x = noise(random, 150000);
  const std::vector<float> want = offline(engine->cuda(), config, x);
  for (const int64_t chunk : {int64_t{150000}, int64_t{997}}) {
    AudioStream stream(config, 16000, 150000, engine->cuda());
    for (int64_t at = 0; at < 150000; at += chunk) {
      std::vector<float> part(x.begin() + at, x.begin() + std::min<int64_t>(150000, at + chunk));
      const int64_t count = static_cast<int64_t>(part.size());
      ASSERT_EQ(count, stream.push(part.data(), false, count));
      std::fill(part.begin(), part.end(), -7.0f);  // the caller's again
    }
    stream.finish();
    std::vector<float> y(want.size());
    ASSERT_EQ(static_cast<int64_t>(want.size()) / config.n_mels, stream.read(y.data(), 1000));
    expect_same(y, want, std::to_string(chunk));
  }
}

TEST(CudaAudioStream, BadSamplesAreRefusedAndNothingIsTaken) {
  const std::shared_ptr<Engine> engine = cuda_engine();
  const LogMelConfig config = configs()[2].second;
  Random random(9);
  const std::vector<float> x = noise(random, 3000);
  AudioStream stream(config, 16000, 0, engine->cuda());
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
  const std::vector<float> want = offline(engine->cuda(), config, x);
  std::vector<float> y(want.size());
  EXPECT_EQ(stream.read(y.data(), 100), static_cast<int64_t>(want.size()) / config.n_mels);
  expect_same(y, want, "after refusals");
}

TEST(CudaAudioStream, RefusesWhatTheCpuRefusesAndWhatNeedsCuFft) {
  const std::shared_ptr<Engine> engine = cuda_engine();
  auto fails = [&](const LogMelConfig& config, int64_t rate, int64_t capacity, Code code, const char* field) {
    try {
      AudioStream stream(config, rate, capacity, engine->cuda());
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
  fails(c, 2147483647, 0, Code::kLimitExceeded, "input_rate");
  fails(base(211, 211, 100, FramePadding::kEdge), 16000, 0, Code::kUnavailable, "n_fft");
}

TEST(CudaAudioStream, AnyOrderOfCalls) {
  const std::shared_ptr<Engine> engine = with_fft(cuda_engine(), true);
  for (uint64_t seed = 100; seed < 108; ++seed) any_order_of_calls(seed, 100, 1000, engine->cuda());
}

}  // namespace
}  // namespace sns
