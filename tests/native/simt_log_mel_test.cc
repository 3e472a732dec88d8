#include "ops/log_mel/log_mel_cuda.h"

#include <complex>

#include "ops/log_mel/log_mel_check.h"
#include "simt_support.h"

namespace sns {
namespace {

struct Packed {
  PackedBlock block;
  LogMelCudaPlan plan;
  explicit Packed(const LogMelPlan& host)
      : block(log_mel_cuda_bytes(host)), plan(pack_log_mel_cuda(host, block.data(), block.data())) {}
};

/// Frames, a direct transform in place of cuFFT, spectrum.
template <class T>
void through_library(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, void* workspace) {
  const int64_t n = 2 * plan.half, bins = plan.half + 1;
  Guarded<T> frames(args.max_frames * n);
  ASSERT_EQ(0, log_mel_frames_cuda(plan, args, frames.data(), nullptr));
  ASSERT_TRUE(frames.intact());
  std::vector<std::complex<T>> spectrum(static_cast<size_t>(args.max_frames * bins));
  std::vector<std::complex<double>> turn(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    turn[static_cast<size_t>(i)] =
        std::polar(1.0, -2 * M_PI * static_cast<double>(i) / static_cast<double>(n));
  }
  for (int64_t f = 0; f < args.max_frames; ++f) {
    for (int64_t k = 0; k < bins; ++k) {
      std::complex<double> sum = 0;
      for (int64_t i = 0; i < n; ++i) {
        sum += turn[static_cast<size_t>(i * k % n)] * static_cast<double>(frames[f * n + i]);
      }
      spectrum[static_cast<size_t>(f * bins + k)] = std::complex<T>(sum);
    }
  }
  ASSERT_EQ(0, log_mel_spectrum_cuda(plan, args, spectrum.data(), workspace, nullptr));
}

bool run_clip(const LogMelPlan& host, const LogMelArgs& a, bool fused) {
  const Packed packed(host);
  const LogMelCudaItem item{a.samples, a.sample_count, host.frames(a.sample_count), 0, a.y, a.ldy};
  const LogMelCudaArgs args{&item, 1, item.frames + 2, a.s16};
  Guarded<std::byte> workspace(static_cast<int64_t>(log_mel_cuda_workspace(packed.plan, 1)));
  if (fused && log_mel_cuda_fused(host.config())) {
    EXPECT_EQ(0, log_mel_cuda(packed.plan, args, workspace.data(), nullptr));
  } else if (packed.plan.wide) {
    through_library<double>(packed.plan, args, workspace.data());
  } else {
    through_library<float>(packed.plan, args, workspace.data());
  }
  return workspace.intact();
}

void expect_parity(uint64_t seed, bool fused) {
  const Parity p = log_mel_parity(
      seed, [&](const LogMelPlan& plan, const LogMelArgs& args) { return run_clip(plan, args, fused); });
  EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed << ")";
  EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << seed << ")";
}

TEST(SimtLogMel, MatchesOracle) {
  under_every_schedule("log_mel", 6, [](Random& random) { expect_parity(random.next(), true); });
}

TEST(SimtLogMel, MatchesOracleThroughAnFftLibrary) {
  under_every_schedule("log_mel", 2, [](Random& random) { expect_parity(random.next() % 1000, false); });
}

TEST(SimtLogMel, ClipsOfABatchDoNotMix) {
  under_every_schedule("log_mel batch", 2, [](Random& random) {
    LogMelConfig config;
    config.n_fft = random.coin() ? 400 : 512, config.win_length = 400, config.hop = 160, config.n_mels = 80;
    config.log = LogKind::kLog10, config.clip = ClipRange::kClipMax, config.clip_range = 8;
    config.mel_major = random.coin();
    const LogMelPlan host(config);
    const Packed packed(host);
    const int64_t clips = random.integer(1, 5);
    std::vector<Guarded<float>> samples, y;
    std::vector<LogMelCudaItem> items;
    int64_t frames = 0;
    for (int64_t i = 0; i < clips; ++i) {
      const int64_t n = random.integer(0, 1500);
      samples.push_back(normal(random, n, 0.1 + static_cast<double>(i)));
      const int64_t own = host.frames(n), ldy = config.mel_major ? own : 80;
      y.emplace_back(own * 80);
      items.push_back({samples.back().data(), n, own, frames, y.back().data(), ldy});
      frames += own;
    }
    Guarded<std::byte> workspace(static_cast<int64_t>(log_mel_cuda_workspace(packed.plan, clips)));
    const LogMelCudaArgs args{items.data(), clips, frames + 3, false};
    ASSERT_EQ(0, log_mel_cuda(packed.plan, args, workspace.data(), nullptr));
    EXPECT_TRUE(workspace.intact());
    for (size_t i = 0; i < items.size(); ++i) {
      LogMelArgs one;
      one.samples = items[i].samples, one.sample_count = items[i].sample_count;
      std::vector<double> ref(static_cast<size_t>(items[i].frames * 80));
      log_mel_ref(config, one, ref.data());
      for (size_t k = 0; k < ref.size(); ++k) {
        ASSERT_NEAR(ref[k], double{y[i][static_cast<int64_t>(k)]}, kLogMelMaxError);
      }
      EXPECT_TRUE(y[i].intact());
    }
  });
}

/// Tokens of a batch against the oracle's features times the oracle's projection.
void expect_tokens(Random& random, const LogMelConfig& config, int64_t clips, int64_t most_samples,
                   int64_t out) {
  const LogMelPlan host(config);
  const Packed packed(host);
  ASSERT_TRUE(log_mel_linear_cuda_serves(packed.plan));
  const int64_t mels = config.n_mels, ldy = out + random.integer(0, 3);
  auto weight = normal(random, out * mels, 0.1), bias = normal(random, out);
  std::vector<Guarded<float>> samples, y;
  std::vector<LogMelCudaItem> items;
  int64_t frames = 0, longest = 0;
  for (int64_t i = 0; i < clips; ++i) {
    const int64_t n = random.integer(most_samples / 2, most_samples), own = host.frames(n);
    samples.push_back(normal(random, n, 0.1));
    y.emplace_back(own * ldy);
    items.push_back({samples.back().data(), n, own, frames, y.back().data(), ldy});
    frames += own;
    longest = std::max(longest, own);
  }
  auto position = normal(random, longest * out);
  const bool with_position = random.coin(), with_bias = random.coin(), strict = random.coin();
  PackedBlock block(linear_cuda_bytes(out, mels));
  const float* b = with_bias ? bias.data() : nullptr;
  const auto w = pack_linear_cuda(weight.data(), b, out, mels, block.data(), block.data());
  const LogMelCudaArgs args{items.data(), clips, frames + random.integer(0, 40), false};
  ASSERT_EQ(0, log_mel_linear_cuda(packed.plan, args, w, with_position ? position.data() : nullptr,
                                   strict ? Precision::kStrict : Precision::kFast, nullptr));
  for (size_t i = 0; i < items.size(); ++i) {
    LogMelArgs one;
    one.samples = items[i].samples, one.sample_count = items[i].sample_count;
    const int64_t rows = items[i].frames;
    std::vector<double> features(static_cast<size_t>(rows * mels)), ref(static_cast<size_t>(rows * out));
    log_mel_ref(config, one, features.data());
    for (int64_t f = 0; f < rows; ++f) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = (b ? double{b[o]} : 0) + (with_position ? double{position[f * out + o]} : 0);
        for (int64_t m = 0; m < mels; ++m) {
          sum += features[static_cast<size_t>(f * mels + m)] * double{weight[o * mels + m]};
        }
        ref[static_cast<size_t>(f * out + o)] = sum;
      }
    }
    // Features may be kLogMelMaxError off beside values of about ten.
    EXPECT_LE(nmse(y[i].data(), ldy, ref.data(), rows, out), strict ? kLinearNmse : kLinearFastNmse);
    EXPECT_TRUE(y[i].intact());
  }
}

LogMelConfig frame_config(Random& random) {
  LogMelConfig config;
  config.n_fft = random.coin() ? 400 : 512, config.win_length = 400, config.hop = 160;
  config.n_mels = random.integer(1, 5) * 16 + random.integer(0, 1), config.remove_dc = random.coin();
  return config;
}

TEST(SimtLogMel, TokensMatchOracle) {
  under_every_schedule("log_mel with projection", 3, [](Random& random) {
    expect_tokens(random, frame_config(random), random.integer(1, 4), 3000, random.integer(30, 300));
  });
}

TEST(SimtLogMel, TokensOfManyFramesMatchOracle) {
  Random random(3);
  simt::set_schedule(simt::schedules(3)[3]);
  LogMelConfig config = frame_config(random);
  config.hop = 8;
  expect_tokens(random, config, 4, 8 * 8448 / 2, 70);
  simt::set_schedule({});
}

TEST(SimtLogMel, WholeClipsAreNotProjectedFrameByFrame) {
  LogMelConfig config;
  config.n_fft = config.win_length = 400, config.hop = 160, config.n_mels = 80;
  EXPECT_TRUE(log_mel_linear_cuda_serves(Packed(LogMelPlan(config)).plan));
  LogMelConfig clipped = config;
  clipped.clip = ClipRange::kClipMax;
  EXPECT_FALSE(log_mel_linear_cuda_serves(Packed(LogMelPlan(clipped)).plan));
  LogMelConfig normed = config;
  normed.norm = FeatureNorm::kPerBinMean;
  EXPECT_FALSE(log_mel_linear_cuda_serves(Packed(LogMelPlan(normed)).plan));
}

}  // namespace
}  // namespace sns
