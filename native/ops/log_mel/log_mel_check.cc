#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/log_mel/log_mel_check.h"
#include "pipeline/cuda/stages.h"

namespace sns {
namespace {

// Noise; a loud pure tone over silence or next to nothing; voiced bursts between pauses.
enum class Signal { kNoise, kTone, kTones, kSpeech };

std::vector<float> make_signal(Random& random, Signal kind, int64_t n, double rate) {
  std::vector<float> x(static_cast<size_t>(n));
  const double pitch = 80 + 200 * random.uniform(), tone = rate * 0.5 * random.uniform();
  const double faint = rate * 0.5 * random.uniform();
  for (int64_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / rate;
    double v = 0;
    switch (kind) {
      case Signal::kNoise:
        v = 0.1 * random.normal();
        break;
      case Signal::kTone:
        v = 0.9 * std::sin(2 * M_PI * tone * t);
        break;
      case Signal::kTones:
        v = 0.9 * std::sin(2 * M_PI * tone * t) + 1e-5 * std::sin(2 * M_PI * faint * t);
        break;
      case Signal::kSpeech:
        if (std::fmod(t, 0.05) < 0.035) {
          for (int h = 1; h <= 12 && h * pitch < rate / 2; ++h) {
            v += 0.5 * std::exp(-0.5 * h) * std::sin(2 * M_PI * h * pitch * t);
          }
        }
        v += 1e-6 * random.normal();
        break;
    }
    x[static_cast<size_t>(i)] = static_cast<float>(v);
  }
  return x;
}

LogMelConfig random_config(Random& random) {
  constexpr int64_t kSizes[] = {2,   4,   6,   8,   10,  16,  18,  30,   32,   50,   60,   64,   80,  90,
                                96,  100, 128, 144, 150, 240, 250, 320,  400,  400,  400,  480,  512, 512,
                                512, 600, 720, 750, 800, 960, 972, 1000, 1024, 1024, 1250, 2048, 3072};
  LogMelConfig c;
  c.sample_rate = random.coin() ? 16000 : random.integer(4000, 48000);
  c.n_fft = kSizes[random.integer(0, static_cast<int64_t>(std::size(kSizes)) - 1)];
  if (random.integer(0, 4) == 0) c.n_fft = random.integer(2, 1200);  // any other, odd and prime ones too
  c.win_length = random.coin() ? c.n_fft : random.integer(1, c.n_fft);
  c.hop = random.integer(0, 3) ? random.integer(1, c.n_fft) : random.integer(1, 3 * c.n_fft);
  c.window = static_cast<Window>(random.integer(0, 4));
  c.window_periodic = random.coin();
  c.window_centred = random.coin();
  c.padding = static_cast<FramePadding>(random.integer(0, 4));
  if (c.padding == FramePadding::kNone && random.integer(0, 3) == 0) c.frame_span = c.n_fft + 1;
  c.drop_last_frame = random.integer(0, 3) == 0;
  c.input_scale = random.coin() ? 1 : 32768;
  c.remove_dc = c.win_length > 2 && random.coin();  // of one sample nothing is left but rounding
  c.preemphasis = random.coin() ? 0 : 0.97;
  c.preemphasis_signal = random.integer(0, 3) == 0;
  c.power = random.coin() ? 2 : 1;
  c.n_mels = random.integer(1, 130);
  c.f_min = random.coin() ? 0 : 20;
  c.f_max = random.coin() ? 0 : 0.4 * static_cast<double>(c.sample_rate);
  c.linspace_bins = random.coin();
  c.mel_scale = static_cast<MelScale>(random.integer(0, 2));
  c.slaney_norm = random.coin();
  c.log = static_cast<LogKind>(random.integer(0, 3));
  c.floor_kind = random.coin() ? LogFloor::kMax : LogFloor::kAdd;
  // A magnitude is rounded at 1e-16 of the loudest, a power at the square of that.
  c.floor = c.power == 1 ? 1e-5 : random.coin() ? 1e-10 : 1.1920929e-7;
  c.clip = random.integer(0, 2)   ? ClipRange::kNone
           : random.integer(0, 2) ? ClipRange::kClipMax
                                  : ClipRange::kFixedMax;
  c.clip_range = 8;
  c.clip_maximum = static_cast<double>(random.integer(-8, 8));
  c.norm = random.integer(0, 2) ? FeatureNorm::kNone : static_cast<FeatureNorm>(random.integer(1, 3));
  c.norm_ddof = random.coin();
  c.norm_eps_on_var = random.coin();
  c.norm_eps = random.coin() ? 0 : 1e-5;
  c.out_scale = random.coin() ? 1 : 0.25;
  c.out_shift = random.coin() ? 0 : 1;
  c.mel_major = random.coin();
  return c;
}

// Largest error of a feature before it was normalised: a z-score's error times its bin's spread (relative to
// the bin, and at most the z-score's own, where there is no logarithm).
double unnormalised_error(const LogMelConfig& config, const LogMelArgs& args, const std::vector<double>& want,
                          int64_t frames) {
  LogMelConfig plain = config;
  plain.norm = FeatureNorm::kNone;
  plain.out_scale = 1;
  plain.out_shift = 0;
  std::vector<double> raw(want.size());
  log_mel_ref(plain, args, raw.data());
  double worst = 0, top = 0;
  for (double v : raw) top = std::max(top, std::abs(v));
  for (int64_t m = 0; m < config.n_mels; ++m) {
    auto index = [&](int64_t f) {
      return static_cast<size_t>(config.mel_major ? m * frames + f : f * config.n_mels + m);
    };
    double mean = 0, squares = 0, error = 0, largest = 0;
    for (int64_t f = 0; f < frames; ++f) largest = std::max(largest, std::abs(raw[index(f)]));
    for (int64_t f = 0; f < frames; ++f) mean += raw[index(f)] / static_cast<double>(frames);
    for (int64_t f = 0; f < frames; ++f) squares += (raw[index(f)] - mean) * (raw[index(f)] - mean);
    for (int64_t f = 0; f < frames; ++f) {
      const float got = args.y[config.mel_major ? m * args.ldy + f : f * args.ldy + m];
      const double d = std::abs(static_cast<double>(got) - want[index(f)]);
      error = std::isnan(d) ? d : std::max(error, d);
    }
    const double own = std::sqrt(squares / static_cast<double>(frames)) + config.norm_eps;
    // Not divided by it; or, with x itself divided by it, its error counts x/spread times.
    const double spread = config.norm == FeatureNorm::kPerBinMean  ? 1.0
                          : config.norm == FeatureNorm::kPerBinStd ? own / (1.0 + largest / own)
                                                                   : own;
    // A bin that is the same in every frame up to float32's resolution, or (without a logarithm) that holds
    // nothing but the oracle's own rounding, has no z-score worth the name.
    const double size = config.log == LogKind::kNone ? std::abs(mean) : 1.0;
    if (std::isnan(error)) return error;
    if (own > 1e-5 * std::abs(mean) && (config.log != LogKind::kNone || size > 1e-9 * top)) {
      worst = std::max(worst, error * (config.log == LogKind::kNone ? std::min(1.0, spread / size) : spread));
    }
  }
  return worst;
}

}  // namespace

LogMelConfig whisper_log_mel(int64_t n_mels) {
  LogMelConfig c;
  c.hop = 160;
  c.n_mels = n_mels;
  c.mel_scale = MelScale::kSlaney;
  c.slaney_norm = 1;
  c.drop_last_frame = 1;
  c.log = LogKind::kLog10;
  c.clip = ClipRange::kClipMax;
  c.clip_range = 8;
  c.out_scale = 0.25;
  c.out_shift = 1;
  c.mel_major = 1;
  return c;
}

LogMelConfig kaldi_log_mel(int64_t n_mels) {
  LogMelConfig c;
  c.n_fft = 512;
  c.hop = 160;
  c.window = Window::kPovey;
  c.window_centred = 0;
  c.padding = FramePadding::kNone;
  c.remove_dc = 1;
  c.preemphasis = 0.97;
  c.f_min = 20;
  c.n_mels = n_mels;
  c.mel_scale = MelScale::kKaldi;
  c.log = LogKind::kLn;
  c.floor = 1.1920928955078125e-7;
  return c;
}

LogMelConfig librosa_log_mel() {
  LogMelConfig c;
  c.sample_rate = 22050;
  c.n_fft = c.win_length = 2048;
  c.hop = 512;
  c.padding = FramePadding::kZero;
  c.mel_scale = MelScale::kSlaney;
  c.slaney_norm = 1;
  return c;
}

Parity log_mel_parity(uint64_t seed, const LogMelKernel& kernel) {
  Random random(seed);
  const LogMelConfig c = random_config(random);
  const auto kind = static_cast<Signal>(random.integer(0, 3));
  // Bounds the oracle's direct DFT; sometimes no frame at all.
  const int64_t most = std::min<int64_t>(80, 8000000 / (c.n_fft * c.win_length) + 2);
  int64_t n = random.integer(0, 9) ? random.integer(1, most) * c.hop + random.integer(0, c.n_fft)
                                   : random.integer(0, c.n_fft);
  // One sample repeated is a constant: without the window's leakage all bins but the first hold rounding.
  if (n == 1 && c.padding != FramePadding::kNone && c.padding != FramePadding::kZero) n = 2;
  std::vector<float> x = make_signal(random, kind, n, static_cast<double>(c.sample_rate));
  std::vector<int16_t> x16(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x16[i] =
        static_cast<int16_t>(std::clamp(std::lround(32768.0 * static_cast<double>(x[i])), -32768l, 32767l));
  }

  const LogMelPlan plan(c);
  const int64_t frames = plan.frames(n);
  const int64_t rows = c.mel_major ? c.n_mels : frames, cols = c.mel_major ? frames : c.n_mels;
  LogMelArgs args;
  args.s16 = random.integer(0, 3) == 0;
  args.samples = args.s16 ? static_cast<const void*>(x16.data()) : x.data();
  args.sample_count = n;
  args.ldy = cols + (random.coin() ? 0 : random.integer(1, 9));
  Guarded<float> y(rows == 0 || cols == 0 ? 0 : (rows - 1) * args.ldy + cols);
  args.y = y.data();
  const bool scratch_ok = kernel(plan, args);
  std::vector<double> want(static_cast<size_t>(rows * cols));
  log_mel_ref(c, args, want.data());

  Parity p;
  char text[256];
  std::snprintf(
      text, sizeof(text),
      "%lld samples%s kind %d, n_fft %lld win %lld hop %lld window %d padding %d, %lld mels scale %d, "
      "power %d log %d floor %d clip %d norm %d, dc %d pre %.2f/%d, %s",
      static_cast<long long>(n), args.s16 ? " s16" : "", static_cast<int>(kind),
      static_cast<long long>(c.n_fft), static_cast<long long>(c.win_length), static_cast<long long>(c.hop),
      static_cast<int>(c.window), static_cast<int>(c.padding), static_cast<long long>(c.n_mels),
      static_cast<int>(c.mel_scale), static_cast<int>(c.power), static_cast<int>(c.log),
      static_cast<int>(c.floor_kind), static_cast<int>(c.clip), static_cast<int>(c.norm), c.remove_dc,
      c.preemphasis, c.preemphasis_signal, c.mel_major ? "mel-major" : "frame-major");
  p.shape = text;
  p.guards_ok = y.rows_intact(rows, cols, args.ldy) && scratch_ok;
  const double unit = (c.log == LogKind::kDecibel ? 10.0 : 1.0) * std::abs(c.out_scale);
  if (c.norm != FeatureNorm::kNone) {
    p.measure = "max |d| x spread";
    p.limit = kLogMelMaxError;
    p.error = unnormalised_error(c, args, want, frames) / unit;
  } else if (c.log != LogKind::kNone) {
    p.measure = "max |d|";
    p.limit = kLogMelMaxError;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < cols; ++i) {
        const double d =
            std::abs(static_cast<double>(y[r * args.ldy + i]) - want[static_cast<size_t>(r * cols + i)]);
        p.error = std::isnan(d) ? d : std::max(p.error, d / unit);
        if (std::isnan(d)) return p;
      }
    }
  } else {
    p.measure = "NMSE";
    p.limit = kMelNmse;
    p.error = nmse(y.data(), args.ldy, want.data(), rows, cols);
  }
  return p;
}

namespace {

Parity parity(uint64_t seed, Parallel& parallel) {
  return log_mel_parity(seed, [&](const LogMelPlan& plan, const LogMelArgs& args) {
    Guarded<std::byte> scratch(
        static_cast<int64_t>(log_mel_scratch(plan, args.sample_count, parallel.threads())));
    log_mel_cpu(plan, args, scratch.data(), parallel);
    return scratch.intact();
  });
}

LogMelCudaPlan pack(CudaCase& c, const LogMelPlan& plan) {
  return c.packed(log_mel_cuda_bytes(plan),
                  [&](void* host, void* device) { return pack_log_mel_cuda(plan, host, device); });
}

/// Clips, with or without their outputs.
LogMelCudaArgs batch(CudaCase& c, const LogMelPlan& plan, const std::vector<LogMelArgs>& clips, bool output) {
  const LogMelConfig& config = plan.config();
  LogMelCudaArgs args;
  args.count = static_cast<int64_t>(clips.size());
  std::vector<LogMelCudaItem> items(clips.size());
  for (size_t i = 0; i < clips.size(); ++i) {
    const LogMelArgs& clip = clips[i];
    LogMelCudaItem& item = items[i];
    args.s16 = clip.s16;
    item.sample_count = clip.sample_count;
    item.frames = plan.frames(clip.sample_count);
    item.first_frame = args.max_frames;
    item.samples =
        clip.s16
            ? static_cast<const void*>(c.in(static_cast<const int16_t*>(clip.samples), clip.sample_count))
            : c.in(static_cast<const float*>(clip.samples), clip.sample_count);
    if (output) {
      item.y = config.mel_major ? c.out(clip.y, config.n_mels, item.frames, clip.ldy)
                                : c.out(clip.y, item.frames, config.n_mels, clip.ldy);
    }
    item.ldy = clip.ldy;
    args.max_frames += item.frames;
  }
  args.items = c.in(items.data(), args.count);
  return args;
}

/// Frames, a direct transform of each in place of a library's, the rest from its spectrum.
template <class T>
bool through_spectrum(const CudaDevicePtr& device, const LogMelPlan& plan, const LogMelArgs& args) {
  CudaCase first(device);
  const LogMelCudaPlan packed = pack(first, plan);
  const LogMelCudaArgs a = batch(first, plan, {args}, false);
  const int64_t n = 2 * packed.half, bins = packed.half + 1;
  std::vector<T> frames(static_cast<size_t>(a.max_frames * n));
  first.check(
      first.ops().log_mel_frames(packed, a, first.out(frames.data(), a.max_frames * n), first.stream()),
      "log_mel_frames");
  if (!first.done()) return false;
  std::vector<std::complex<double>> turn(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    turn[static_cast<size_t>(i)] =
        std::polar(1.0, -2 * M_PI * static_cast<double>(i) / static_cast<double>(n));
  }
  std::vector<std::complex<T>> spectrum(static_cast<size_t>(a.max_frames * bins));
  for (int64_t f = 0; f < a.max_frames; ++f) {
    for (int64_t k = 0; k < bins; ++k) {
      std::complex<double> sum = 0;
      for (int64_t i = 0; i < n; ++i) {
        sum += turn[static_cast<size_t>(i * k % n)] *
               static_cast<double>(frames[static_cast<size_t>(f * n + i)]);
      }
      spectrum[static_cast<size_t>(f * bins + k)] = std::complex<T>(sum);
    }
  }
  CudaCase second(device);
  const LogMelCudaPlan again = pack(second, plan);
  const LogMelCudaArgs b = batch(second, plan, {args}, true);
  void* workspace = second.workspace(second.ops().log_mel_workspace(again, 1));
  const void* input = second.in(spectrum.data(), b.max_frames * bins);
  second.check(second.ops().log_mel_spectrum(again, b, input, workspace, second.stream()),
               "log_mel_spectrum");
  return second.done();
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return log_mel_parity(seed, [&](const LogMelPlan& plan, const LogMelArgs& args) {
    if (log_mel_cuda_fused(plan.config())) return log_mel_on_cuda(device, plan, {args}, false);
    return plan.tables().wide ? through_spectrum<double>(device, plan, args)
                              : through_spectrum<float>(device, plan, args);
  });
}

struct Bench {
  LogMelPlan plan;
  std::vector<float> samples, y;
  LogMelArgs args;
  AlignedArray<std::byte> scratch;
  int threads = 0;
};

Work work(const char* name, const LogMelConfig& config, int64_t seconds) {
  auto bench = std::make_shared<Bench>();
  bench->plan = LogMelPlan(config);
  const int64_t n = seconds * config.sample_rate, frames = bench->plan.frames(n);
  Random random(1);
  bench->samples = make_signal(random, Signal::kNoise, n, static_cast<double>(config.sample_rate));
  bench->y.resize(static_cast<size_t>(frames * config.n_mels));
  bench->args.samples = bench->samples.data();
  bench->args.sample_count = n;
  bench->args.y = bench->y.data();
  bench->args.ldy = config.mel_major ? frames : config.n_mels;
  constexpr int kMaxThreads = 256;
  bench->scratch =
      AlignedArray<std::byte>(static_cast<int64_t>(log_mel_scratch(bench->plan, n, kMaxThreads)));
  Work w;
  w.shape = name;
  // A real FFT counts 2.5·n·log2 n (fftw.org/speed).
  w.flops = static_cast<double>(frames) * 2.5 * static_cast<double>(config.n_fft) *
            std::log2(static_cast<double>(config.n_fft));
  w.bytes = 4.0 * static_cast<double>(n + frames * config.n_mels);
  w.run = [bench](Parallel& parallel) {
    log_mel_cpu(bench->plan, bench->args, bench->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() {
  LogMelConfig ast = kaldi_log_mel(128);
  ast.window = Window::kHann;
  ast.window_periodic = 0;
  ast.out_scale = 1 / (2 * 4.5689974);
  ast.out_shift = 4.2677393 / (2 * 4.5689974);

  LogMelConfig torchaudio;
  torchaudio.mel_major = 1;

  LogMelConfig librosa = librosa_log_mel();
  librosa.mel_major = 1;
  LogMelConfig librosa_db = librosa;
  librosa_db.log = LogKind::kDecibel;
  librosa_db.clip = ClipRange::kClipMax;
  librosa_db.clip_range = 80;

  std::vector<Work> all;
  all.push_back(work("Whisper 80, 10 s", whisper_log_mel(80), 10));
  all.push_back(work("Whisper 80, 30 s", whisper_log_mel(80), 30));
  all.push_back(work("Whisper 128, 30 s", whisper_log_mel(128), 30));
  all.push_back(work("AST/Kaldi 128, 10 s", ast, 10));
  all.push_back(work("torchaudio mel 128 hop 200, 10 s", torchaudio, 10));
  all.push_back(work("librosa mel 128 n_fft 2048 22.05 kHz, 10 s", librosa, 10));
  all.push_back(work("librosa mel 128 n_fft 2048 22.05 kHz in dB, 10 s", librosa_db, 10));
  return all;
}

}  // namespace

bool log_mel_on_cuda(const CudaDevicePtr& device, const LogMelPlan& plan,
                     const std::vector<LogMelArgs>& clips, bool through_fft) {
  CudaCase c(device);
  const LogMelCudaPlan packed = pack(c, plan);
  const LogMelCudaArgs args = batch(c, plan, clips, true);
  void* workspace = c.workspace(c.ops().log_mel_workspace(packed, args.count));
  CudaStream stream(device);
  stream.borrow(c.stream());
  if (!through_fft) {
    run_log_mel(stream, packed, nullptr, args, nullptr, nullptr, workspace);
    return c.done();
  }
  const int64_t n = 2 * packed.half, rows = round_up(args.max_frames, CudaFftPlan::kRows);
  const int64_t value = packed.wide ? sizeof(double) : sizeof(float);
  const CudaFftPlan fft(device->fft(), n, packed.wide);
  void* windows = c.workspace(static_cast<size_t>(rows * n * value));
  void* spectrum = c.workspace(static_cast<size_t>(rows * (n + 2) * value));
  run_log_mel(stream, packed, &fft, args, windows, spectrum, workspace);
  return c.done();
}

OpCheck log_mel_check() { return {"log_mel", parity, works, cuda_parity}; }

}  // namespace sns
