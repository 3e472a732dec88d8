#pragma once

// Streams of sound in chunks of any size, for every device.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "check/guarded.h"
#include "core/status.h"
#include "ops/log_mel/log_mel_check.h"
#include "pipeline/audio_stream.h"

namespace sns {

inline LogMelConfig base(int64_t n_fft, int64_t win, int64_t hop, FramePadding padding) {
  LogMelConfig c;
  c.n_fft = n_fft;
  c.win_length = win;
  c.hop = hop;
  c.padding = padding;
  c.n_mels = 20;
  return c;
}

// The published front ends that can be streamed, and what none of them has.
inline std::vector<std::pair<const char*, LogMelConfig>> configs() {
  std::vector<std::pair<const char*, LogMelConfig>> all;
  all.emplace_back("torchaudio", base(400, 400, 200, FramePadding::kReflect));
  all.back().second.n_mels = 128;
  all.emplace_back("librosa", librosa_log_mel());
  LogMelConfig whisper = whisper_log_mel(80);
  whisper.clip = ClipRange::kFixedMax;
  whisper.clip_maximum = 1.5;
  all.emplace_back("whisper", whisper);
  const LogMelConfig kaldi = kaldi_log_mel(20);
  all.emplace_back("kaldi", kaldi);
  LogMelConfig edges = kaldi;
  edges.padding = FramePadding::kKaldiReflect;
  all.emplace_back("kaldi, edges reflected", edges);
  LogMelConfig gemma = base(1024, 512, 160, FramePadding::kNone);
  gemma.window_centred = 0;
  gemma.frame_span = 513;
  gemma.preemphasis = 0.97;
  gemma.power = 1;
  gemma.log = LogKind::kLn;
  gemma.floor = 1e-5;
  all.emplace_back("gemma-3n", gemma);
  LogMelConfig nemo = base(512, 400, 160, FramePadding::kZero);
  nemo.preemphasis = 0.97;
  nemo.preemphasis_signal = 1;
  nemo.drop_last_frame = 1;
  nemo.window_periodic = 0;
  nemo.log = LogKind::kLn;
  nemo.floor_kind = LogFloor::kAdd;
  nemo.floor = 0x1p-24;
  all.emplace_back("parakeet without its z-score", nemo);
  LogMelConfig emphasised = nemo;
  emphasised.padding = FramePadding::kReflect;
  emphasised.remove_dc = 1;
  all.emplace_back("signal pre-emphasis, reflected", emphasised);
  emphasised.padding = FramePadding::kKaldiReflect;
  all.emplace_back("signal pre-emphasis, edges reflected", emphasised);
  all.emplace_back("hop beyond the window", base(64, 50, 700, FramePadding::kReflect));
  all.emplace_back("short window in a long FFT", base(1000, 33, 7, FramePadding::kReflect));
  LogMelConfig left = base(1000, 33, 70, FramePadding::kReflect);
  left.window_centred = 0;
  all.emplace_back("window at the start, reflected", left);
  left.padding = FramePadding::kKaldiReflect;
  left.hop = 3;
  all.emplace_back("hop of 3, edges reflected", left);
  all.emplace_back("window of one", base(8, 1, 5, FramePadding::kZero));
  all.emplace_back("edges repeated", base(240, 200, 70, FramePadding::kEdge));
  all.emplace_back("prime, edges repeated", base(211, 211, 100, FramePadding::kEdge));
  all.emplace_back("odd, reflected", base(315, 300, 64, FramePadding::kReflect));
  return all;
}

inline std::vector<float> noise(Random& random, int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  random.fill_normal(x.begin(), x.end(), 0.1);
  return x;
}

// Some chunk sizes of one sample, some of a few, some beyond what the stream holds.
inline int64_t chunk(Random& random) {
  switch (random.integer(0, 3)) {
    case 0:
      return 1;
    case 1:
      return random.integer(0, 40);
    case 2:
      return random.integer(100, 700);
    default:
      return random.integer(1, 40000);
  }
}

inline std::vector<float> streamed(AudioStream& stream, Random& random, const std::vector<float>& x) {
  const int64_t mels = stream.config().n_mels, n = static_cast<int64_t>(x.size());
  std::vector<float> y;
  auto read = [&](int64_t most) {
    const int64_t ready = stream.frames(), want = std::min(most, ready + random.integer(0, 3));
    Guarded<float> rows(want * mels);
    const int64_t got = stream.read(rows.data(), want);
    EXPECT_EQ(got, std::min(want, ready));
    EXPECT_TRUE(rows.intact());
    y.insert(y.end(), rows.data(), rows.data() + got * mels);
  };
  const bool lazy = random.coin();
  for (int64_t at = 0; at < n;) {
    const int64_t wanted = std::min(n - at, chunk(random));
    const std::vector<float> copy(x.begin() + at, x.begin() + at + wanted);  // its own allocation, for ASan
    const int64_t taken = stream.push(copy.data(), false, wanted);
    if (taken < std::min(wanted, stream.capacity())) {
      EXPECT_GT(stream.frames(), 0) << "samples are refused though no frame waits";
      if (stream.frames() == 0) return y;
    }
    at += taken;
    if (!lazy || taken == 0) read(random.integer(0, 3) ? INT32_MAX : random.integer(0, 5));
  }
  stream.finish();
  while (stream.frames() > 0) read(random.integer(1, 100));
  EXPECT_EQ(stream.read(nullptr, 0), 0);
  return y;
}

inline void expect_same(const std::vector<float>& got, const std::vector<float>& want,
                        const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  if (want.empty()) return;
  ASSERT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0) << what;
}

/// Any order of calls: nothing crashes, waits for ever or reads what is not there. most: samples of one push.
inline void any_order_of_calls(uint64_t seed, int calls, int64_t most,
                               const std::shared_ptr<const CudaDevice>& device) {
  const auto all = configs();
  Random random(seed);
  const LogMelConfig& config =
      all[static_cast<size_t>(random.integer(0, static_cast<int64_t>(all.size()) - 1))].second;
  const int64_t rate = random.coin() ? config.sample_rate : random.integer(1, 50000);
  AudioStream stream(config, rate, random.integer(0, 2000), device);
  const std::vector<float> x = noise(random, most);
  std::vector<float> y(static_cast<size_t>(10 * config.n_mels));
  int64_t frames = 0;
  for (int call = 0; call < calls; ++call) {
    switch (random.integer(0, 9)) {
      case 0:
        if (random.integer(0, 9) == 0) stream.finish();
        break;
      case 1:
        if (random.integer(0, 9) == 0) {
          stream.clear();
          frames = 0;
        }
        break;
      case 2:
      case 3:
      case 4: {
        const int64_t ready = stream.frames(), want = random.integer(0, 10);
        const int64_t got = stream.read(y.data(), want);
        ASSERT_EQ(got, std::min(ready, want)) << seed;
        frames += got;
        ASSERT_EQ(stream.position(), frames);
        for (int64_t i = 0; i < got * config.n_mels; ++i)
          ASSERT_TRUE(std::isfinite(y[static_cast<size_t>(i)]));
        break;
      }
      default: {
        const int64_t n = random.integer(0, most);
        if (stream.finished()) {
          EXPECT_THROW(stream.push(x.data(), false, n), Error);
        } else {
          const int64_t taken = stream.push(x.data(), false, n);
          ASSERT_TRUE(taken == std::min(n, stream.capacity()) || stream.frames() > 0) << seed;
        }
      }
    }
  }
}

}  // namespace sns
