#include "ops/log_mel/log_mel.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "check/guarded.h"
#include "core/status.h"
#include "ops/log_mel/log_mel_check.h"
#include "ops/log_mel/log_mel_plan.h"
#include "parity.h"

namespace sns {
OpCheck log_mel_check();
namespace {

TEST(LogMel, MatchesOracle) { expect_parity(log_mel_check(), 400); }

std::vector<float> run(const LogMelConfig& config, const LogMelArgs& signal, Parallel& parallel) {
  const LogMelPlan plan(config);
  const int64_t frames = plan.frames(signal.sample_count);
  std::vector<float> y(static_cast<size_t>(frames * config.n_mels), std::nanf(""));
  AlignedArray<std::byte> scratch(
      static_cast<int64_t>(log_mel_scratch(plan, signal.sample_count, parallel.threads())));
  LogMelArgs args = signal;
  args.y = y.data();
  args.ldy = config.mel_major ? frames : config.n_mels;
  log_mel_cpu(plan, args, scratch.data(), parallel);
  return y;
}

std::vector<float> run(const LogMelConfig& config, const std::vector<float>& x) {
  Serial serial;
  LogMelArgs args;
  args.samples = x.data();
  args.sample_count = static_cast<int64_t>(x.size());
  return run(config, args, serial);
}

std::vector<double> oracle(const LogMelConfig& config, const std::vector<float>& x) {
  LogMelArgs args;
  args.samples = x.data();
  args.sample_count = static_cast<int64_t>(x.size());
  std::vector<double> y(static_cast<size_t>(frame_count(config, args.sample_count) * config.n_mels));
  log_mel_ref(config, args, y.data());
  return y;
}

std::vector<float> noise(int64_t n, double deviation = 0.1) {
  Random random(7);
  std::vector<float> x(static_cast<size_t>(n));
  random.fill_normal(x.begin(), x.end(), deviation);
  return x;
}

double worst(const std::vector<float>& y, const std::vector<double>& want) {
  EXPECT_EQ(y.size(), want.size());
  double error = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double d = std::abs(static_cast<double>(y[i]) - want[i]);
    if (std::isnan(d)) return d;
    error = std::max(error, d);
  }
  return error;
}

LogMelConfig whisper() { return whisper_log_mel(80); }
LogMelConfig kaldi() { return kaldi_log_mel(80); }

// Products of 2, 3 and 5; a sample of the others, odd and prime ones among them.
bool tried(int64_t n) {
  int64_t rest = n;
  for (int64_t p : {2, 3, 5}) {
    while (rest % p == 0) rest /= p;
  }
  return (rest == 1 && n % 2 == 0) || n <= 40 || n % 97 == 1 || n == 441 || n == 1103 || n == 2206;
}

// Up to 640 against a full direct DFT; above with a short window, which keeps the oracle quick, and a few
// full ones.
TEST(LogMel, EveryFftLength) {
  const std::vector<float> x = noise(40000);
  for (bool wide : {false, true}) {
    for (int64_t n = 2; n <= 16384; ++n) {
      if (!tried(n) || (n > 3000 && (n % 2 || n % 97 == 1))) continue;
      LogMelConfig c;
      c.n_fft = n;
      const bool full = n <= 640 || n == 2048 || n == 4096 || n == 8100 || (wide && n == 16384);
      c.win_length = full ? n : 90;
      c.hop = n / 2 + 1;
      c.padding = FramePadding::kNone;
      c.n_mels = 7;
      c.log = wide ? LogKind::kLn : LogKind::kNone;
      c.floor = 1e-20;
      const std::vector<float> part(x.begin(), x.begin() + n + 2 * c.hop);
      const std::vector<float> y = run(c, part);
      const std::vector<double> want = oracle(c, part);
      ASSERT_EQ(want.size(), 21u);
      if (wide) {
        ASSERT_LE(worst(y, want), kLogMelMaxError) << n;
      } else {
        ASSERT_LE(nmse(y.data(), 7, want.data(), 3, 7), kMelNmse) << n;
      }
    }
  }
}

// A full-scale tone leaves most bands 150 dB down; a faint tone there must still be measured rightly.
TEST(LogMel, QuietBandsBesideALoudTone) {
  for (double hz : {37.5, 440.0, 1000.0, 6543.2}) {
    std::vector<float> x(8000);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(std::sin(2 * M_PI * hz * static_cast<double>(i) / 16000));
    }
    for (LogMelConfig c : {whisper(), kaldi()}) {
      c.clip = ClipRange::kNone;
      c.floor = 1e-20;  // 240 dB below the peak; lower down the oracle's own rounding begins
      c.out_scale = 1;
      c.out_shift = 0;
      const std::vector<double> want = oracle(c, x);
      EXPECT_LE(worst(run(c, x), want), 2e-5) << hz;
    }
  }
}

TEST(LogMel, ThreadsDoNotChangeABit) {
  const std::vector<float> x = noise(50000);
  LogMelConfig z = kaldi();
  z.norm = FeatureNorm::kPerBin;
  LogMelConfig plain;
  ThreadPool pool(3);
  for (const LogMelConfig& c : {whisper(), kaldi(), z, plain}) {
    LogMelArgs args;
    args.samples = x.data();
    args.sample_count = static_cast<int64_t>(x.size());
    const std::vector<float> one = run(c, x), three = run(c, args, pool);
    ASSERT_EQ(one.size(), three.size());
    EXPECT_EQ(std::memcmp(one.data(), three.data(), one.size() * sizeof(float)), 0);
  }
}

// What a frame gives depends on its samples only, not on the lane or block it is computed in.
TEST(LogMel, FramesDoNotDependOnTheirPlace) {
  const std::vector<float> x = noise(30000);
  LogMelConfig plain;
  plain.padding = FramePadding::kNone;
  plain.hop = 160;
  for (const LogMelConfig& c : {kaldi(), plain}) {
    const std::vector<float> all = run(c, x);
    const size_t mels = static_cast<size_t>(c.n_mels);
    for (int64_t skip : {1, 2, 5, 13, 16, 31, 33, 100}) {
      const std::vector<float> part = run(c, std::vector<float>(x.begin() + skip * c.hop, x.end()));
      ASSERT_EQ(part.size(), all.size() - static_cast<size_t>(skip) * mels);
      EXPECT_EQ(std::memcmp(part.data(), all.data() + static_cast<size_t>(skip) * mels,
                            part.size() * sizeof(float)),
                0)
          << skip;
    }
  }
}

TEST(LogMel, Int16IsFloatOver32768) {
  const std::vector<float> x = noise(20000);
  std::vector<int16_t> s(x.size());
  std::vector<float> back(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    s[i] = static_cast<int16_t>(std::lround(20000 * std::tanh(x[i])));
    back[i] = static_cast<float>(s[i]) / 32768.0f;
  }
  for (const LogMelConfig& c : {whisper(), kaldi()}) {
    LogMelArgs args;
    args.samples = s.data();
    args.s16 = true;
    args.sample_count = static_cast<int64_t>(s.size());
    Serial serial;
    EXPECT_EQ(run(c, args, serial), run(c, back));
  }
}

TEST(LogMel, SilenceIsTheFloorAndItsZScoreZero) {
  const std::vector<float> x(4000, 0.0f);
  LogMelConfig c = kaldi();
  for (float v : run(c, x)) EXPECT_NEAR(v, std::log(1.1920928955078125e-7), 1e-5);
  c.norm = FeatureNorm::kPerBin;
  c.norm_ddof = 1;
  for (int32_t mel_major : {0, 1}) {
    c.mel_major = mel_major;
    for (float v : run(c, x)) EXPECT_EQ(v, 0.0f);
  }
  for (float v : run(whisper(), x)) EXPECT_NEAR(v, -1.5, 1e-6);  // (−10 + 4)/4
}

TEST(LogMel, FramesFollowThePublishedRules) {
  auto frames = [](const LogMelConfig& c, int64_t n) { return LogMelPlan(c).frames(n); };
  LogMelConfig torchaudio;
  EXPECT_EQ(frames(torchaudio, 160000), 801);
  EXPECT_EQ(frames(torchaudio, 201), 2);
  EXPECT_EQ(frames(torchaudio, 200), 0) << "reflection needs more than n_fft/2 samples";
  EXPECT_EQ(frames(whisper(), 480000), 3000);
  EXPECT_EQ(frames(kaldi(), 160000), 998);
  EXPECT_EQ(frames(kaldi(), 400), 1);
  EXPECT_EQ(frames(kaldi(), 399), 0);
  LogMelConfig edges = kaldi();
  edges.padding = FramePadding::kKaldiReflect;
  EXPECT_EQ(frames(edges, 160000), 1000);
  EXPECT_EQ(frames(edges, 80), 1);
  EXPECT_EQ(frames(edges, 79), 0);
  LogMelConfig librosa;
  librosa.padding = FramePadding::kZero;
  EXPECT_EQ(frames(librosa, 1), 1);
  EXPECT_EQ(frames(librosa, 0), 0);
  LogMelConfig centred = kaldi();  // openWakeWord: the window in the middle of 512
  centred.window_centred = 1;
  EXPECT_EQ(frames(centred, 512), 1);
  EXPECT_EQ(frames(centred, 511), 0);
  LogMelConfig gemma = kaldi();  // Gemma-3n unfolds one sample more than its window
  gemma.win_length = 512;
  gemma.frame_span = 513;
  EXPECT_EQ(frames(gemma, 512), 0);
  EXPECT_EQ(frames(gemma, 513), 1);
  EXPECT_EQ(frames(gemma, 512 + 160), 1);
}

TEST(LogMel, FrameCentres) {
  EXPECT_EQ(LogMelPlan(whisper()).frame_centre_x2(0), 0);
  EXPECT_EQ(LogMelPlan(whisper()).frame_centre_x2(10), 2 * 1600);
  EXPECT_EQ(LogMelPlan(kaldi()).frame_centre_x2(0), 400);
  LogMelConfig edges = kaldi();
  edges.padding = FramePadding::kKaldiReflect;
  EXPECT_EQ(LogMelPlan(edges).frame_centre_x2(1), 2 * 240);
}

// Counts of non-zero weights in the banks that openai/whisper ships.
TEST(LogMel, WhisperBanksHaveThePublishedSparsity) {
  LogMelConfig c = whisper();
  EXPECT_EQ(LogMelPlan(c).tables().weight.size(), 391);
  c.n_mels = 128;
  EXPECT_EQ(LogMelPlan(c).tables().weight.size(), 394);
}

TEST(LogMel, EdgeReflectionsRepeatUntilTheyLandInside) {
  EXPECT_EQ(padded_source(FramePadding::kReflect, -2, 10), 2);
  EXPECT_EQ(padded_source(FramePadding::kReflect, 11, 10), 7);
  EXPECT_EQ(padded_source(FramePadding::kKaldiReflect, -1, 10), 0);
  EXPECT_EQ(padded_source(FramePadding::kKaldiReflect, 10, 10), 9);
  EXPECT_EQ(padded_source(FramePadding::kKaldiReflect, -11, 10), 9);
  EXPECT_EQ(padded_source(FramePadding::kKaldiReflect, 25, 10), 5);
  EXPECT_EQ(padded_source(FramePadding::kZero, -1, 10), -1);
}

TEST(LogMel, RefusesWhatItCannotDo) {
  auto field = [](auto&& change) -> std::string {
    LogMelConfig c;
    change(c);
    try {
      LogMelPlan plan(c);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kInvalidArgument);
      return e.field();
    }
    return "";
  };
  const double nan = std::nan("");
  EXPECT_EQ(field([](LogMelConfig&) {}), "");
  for (int64_t n : {0, -2, 1, 16385, 32768}) {
    EXPECT_EQ(field([=](LogMelConfig& c) { c.n_fft = n; }), "n_fft") << n;
  }
  EXPECT_EQ(field([](LogMelConfig& c) { c.sample_rate = 0; }), "sample_rate");
  EXPECT_EQ(field([](LogMelConfig& c) { c.win_length = 401; }), "win_length");
  EXPECT_EQ(field([](LogMelConfig& c) { c.win_length = 0; }), "win_length");
  EXPECT_EQ(field([](LogMelConfig& c) { c.hop = 0; }), "hop");
  EXPECT_EQ(field([](LogMelConfig& c) { c.frame_span = 500; }), "frame_span");
  EXPECT_EQ(field([](LogMelConfig& c) { c.window = static_cast<Window>(5); }), "window");
  EXPECT_EQ(field([](LogMelConfig& c) { c.padding = static_cast<FramePadding>(-1); }), "padding");
  EXPECT_EQ(field([=](LogMelConfig& c) { c.input_scale = nan; }), "input_scale");
  EXPECT_EQ(field([=](LogMelConfig& c) { c.preemphasis = nan; }), "preemphasis");
  EXPECT_EQ(field([](LogMelConfig& c) { c.power = 3; }), "power");
  EXPECT_EQ(field([](LogMelConfig& c) { c.n_mels = 0; }), "n_mels");
  EXPECT_EQ(field([](LogMelConfig& c) { c.f_min = -1; }), "f_min");
  EXPECT_EQ(field([](LogMelConfig& c) { c.f_min = 8000; }), "f_max");
  EXPECT_EQ(field([](LogMelConfig& c) { c.f_max = INFINITY; }), "f_max");
  EXPECT_EQ(field([](LogMelConfig& c) { c.mel_scale = static_cast<MelScale>(3); }), "mel_scale");
  EXPECT_EQ(field([](LogMelConfig& c) { c.log = static_cast<LogKind>(4); }), "log");
  EXPECT_EQ(field([](LogMelConfig& c) { c.log = LogKind::kLn, c.floor = 0; }), "floor");
  EXPECT_EQ(field([=](LogMelConfig& c) { c.clip = ClipRange::kClipMax, c.clip_range = nan; }), "clip_range");
  EXPECT_EQ(field([](LogMelConfig& c) { c.norm_ddof = 2; }), "norm_ddof");
  EXPECT_EQ(field([](LogMelConfig& c) { c.norm_eps = -1; }), "norm_eps");
  EXPECT_EQ(field([=](LogMelConfig& c) { c.out_scale = nan; }), "out_scale");
  EXPECT_EQ(field([](LogMelConfig& c) { c.mel_major = 2; }), "mel_major");
}

}  // namespace
}  // namespace sns
