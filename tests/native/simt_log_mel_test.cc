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

}  // namespace
}  // namespace sns
