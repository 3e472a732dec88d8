// The fused log-mel kernel beside cuFFT between two other kernels: the same clips on the same device both
// ways. On the GPU it is cuFFT, on the host SIMT executor a plain DFT in its place.

#include <gtest/gtest.h>

#include <cmath>

#include "check/guarded.h"
#include "cuda_support.h"
#include "ops/log_mel/log_mel_check.h"
#include "ops/log_mel/log_mel_cuda.h"
#include "seed.h"

namespace sns {
namespace {

/// Any front end, those that the fused kernel serves included.
TEST(LogMelThroughCuFft, EqualsTheOracle) {
  const std::shared_ptr<Engine> engine = with_fft(cuda_engine(), true);
  const uint64_t first = printed_seed("log_mel through cuFFT");
  for (uint64_t i = first; i < first + 24; ++i) {
    const Parity p = log_mel_parity(i, [&](const LogMelPlan& plan, const LogMelArgs& args) {
      return log_mel_on_cuda(engine->cuda(), plan, {args}, true);
    });
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << i << ")";
    EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << i << ")";
  }
}

struct Published {
  const char* name;
  LogMelConfig config;
  double seconds;
};

std::vector<Published> published() {
  LogMelConfig librosa = librosa_log_mel();
  librosa.log = LogKind::kDecibel;
  LogMelConfig longest;
  longest.n_fft = longest.win_length = 4096;
  longest.hop = 1024;
  return {{"Whisper", whisper_log_mel(80), 10},
          {"Kaldi", kaldi_log_mel(80), 10},
          {"torchaudio", LogMelConfig(), 10},  // a plain mel spectrogram, in float32
          {"librosa", librosa, 3},
          {"n_fft 4096", longest, 2}};
}

/// Three clips of a batch, of up to `seconds`.
struct Clips {
  std::vector<std::vector<int16_t>> samples;
  std::vector<Guarded<float>> y;
  std::vector<LogMelArgs> args;
  Clips(const LogMelPlan& plan, double seconds) {
    Random random(7);
    const LogMelConfig& c = plan.config();
    for (const double part : {0.3, 1.0, 0.1}) {
      const auto count = static_cast<size_t>(part * seconds * static_cast<double>(c.sample_rate));
      samples.emplace_back(count);
      for (int16_t& v : samples.back()) v = static_cast<int16_t>(random.integer(-9000, 9000));
      LogMelArgs clip;
      clip.s16 = true;
      clip.samples = samples.back().data();
      clip.sample_count = static_cast<int64_t>(count);
      const int64_t frames = plan.frames(clip.sample_count);
      clip.ldy = c.mel_major ? frames : c.n_mels;
      y.emplace_back(frames * c.n_mels);
      args.push_back(clip);
    }
    for (size_t i = 0; i < y.size(); ++i) args[i].y = y[i].data();
  }
};

TEST(LogMelThroughCuFft, EqualsTheFusedKernel) {
  const std::shared_ptr<Engine> engine = with_fft(cuda_engine(), true);
  for (const Published& p : published()) {
    ASSERT_TRUE(log_mel_cuda_fused(p.config)) << p.name;
    const LogMelPlan plan(p.config);
    const Clips fused(plan, p.seconds), library(plan, p.seconds);
    ASSERT_TRUE(log_mel_on_cuda(engine->cuda(), plan, fused.args, false)) << p.name;
    ASSERT_TRUE(log_mel_on_cuda(engine->cuda(), plan, library.args, true)) << p.name;
    for (size_t i = 0; i < fused.y.size(); ++i) {
      const Guarded<float>&a = fused.y[i], &b = library.y[i];
      ASSERT_GT(a.size(), 0) << p.name;
      if (p.config.log == LogKind::kNone) {
        const double error = nmse(a.data(), b.data(), a.size());
        EXPECT_LE(error, kMelNmse) << p.name << ", clip " << i;
        std::printf("%s, clip %zu: NMSE %.2g\n", p.name, i, error);
        continue;
      }
      double worst = 0;
      for (int64_t k = 0; k < a.size(); ++k) {
        const double d = std::abs(static_cast<double>(a[k]) - static_cast<double>(b[k]));
        worst = std::isnan(d) ? INFINITY : std::max(worst, d);
      }
      const double unit = p.config.log == LogKind::kDecibel ? 10 : 1;
      EXPECT_LE(worst, kLogMelMaxError * unit * p.config.out_scale) << p.name << ", clip " << i;
      std::printf("%s, clip %zu: max |d| %.2g\n", p.name, i, worst);
    }
  }
}

}  // namespace
}  // namespace sns
