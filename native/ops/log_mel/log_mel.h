#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory.h"
#include "core/parallel.h"

namespace sns {

// Values of these enumerations are part of the ABI.
enum class Window : int32_t {
  kHann = 0,
  kHamming = 1,
  kPovey = 2 /* symmetric Hann^0.85 */,
  kRectangular = 3,
  kBlackman = 4 /* 0.42 − 0.5·cos + 0.08·cos 2x */
};
enum class FramePadding : int32_t {
  kNone = 0,  ///< frames lie inside the signal: 1 + ⌊(n − span)/hop⌋, span = win_length if the window starts
              ///< the FFT frame, else n_fft
  // Centred, ⌊n_fft/2⌋ samples at either end: 1 + ⌊n/hop⌋ frames, 1 + ⌊(n − 1)/hop⌋ if n_fft is odd.
  kReflect = 1,       ///< reflected without the edge (torch, Whisper)
  kZero = 2,          ///< zeros (librosa ≥ 0.10)
  kKaldiReflect = 3,  ///< Kaldi snip_edges=false: frame f starts at hop·f + hop/2 − win/2, edge-inclusive
                      ///< reflection, ⌊(n + hop/2)/hop⌋ frames
  kEdge = 4           ///< centred, the first and the last sample repeated (torch: replicate, numpy: edge)
};
enum class MelScale : int32_t {
  kHtk = 0,
  kSlaney = 1,
  kKaldi = 2 /* 1127·ln(1+f/700), triangles in mel space */
};
enum class LogKind : int32_t { kNone = 0, kLn = 1, kLog10 = 2, kDecibel = 3 /* 10·log10 */ };
enum class LogFloor : int32_t { kMax = 0 /* log(max(x, floor)) */, kAdd = 1 /* log(x + floor) */ };
enum class ClipRange : int32_t {
  kNone = 0,
  kClipMax = 1,  ///< max(x, m − range), m the clip's own maximum
  kFixedMax = 2  ///< likewise with m = clip_maximum: frames no longer depend on each other
};
enum class FeatureNorm : int32_t {
  kNone = 0,
  // Over time, each mel bin by itself; what is divided by no spread gives 0.
  kPerBin = 1,      ///< z-score
  kPerBinMean = 2,  ///< only its mean is subtracted
  kPerBinStd = 3    ///< only its spread is divided by
};

/// Everything that tells one published log-mel front end from another, as data. Frequencies in Hz, lengths in
/// samples. The defaults are torchaudio.transforms.MelSpectrogram(16000, n_mels=128): plain power, no log.
struct LogMelConfig {
  int64_t sample_rate = 16000;
  int64_t n_fft = 400;       ///< in [2, 16384]; fast where it is even and has no prime factor above 5
  int64_t win_length = 400;  ///< ≤ n_fft
  int64_t hop = 200;
  int64_t frame_span = 0;  ///< kNone only: samples a frame must find in the signal, if more than its own
                           ///< (Gemma-3n: 513 for a window of 512); 0 = its own
  Window window = Window::kHann;
  int32_t window_periodic = 1;  ///< else symmetric; Povey is always symmetric
  int32_t window_centred = 1;   ///< window in the middle of n_fft (torch); else at its start (Kaldi)
  FramePadding padding = FramePadding::kReflect;
  int32_t drop_last_frame = 0;     ///< Whisper
  double input_scale = 1;          ///< samples are multiplied by it first (32768 for int16-range models)
  int32_t remove_dc = 0;           ///< subtract the frame's mean before pre-emphasis (Kaldi)
  double preemphasis = 0;          ///< x[i] −= a·x[i−1] inside the frame, x[0] −= a·x[0] (Kaldi)
  int32_t preemphasis_signal = 0;  ///< 1: over the whole signal before framing, x[0] kept (NeMo, Parakeet)
  double power = 2;                ///< 2 = power spectrum, 1 = magnitude
  int64_t n_mels = 128;
  double f_min = 0, f_max = 0;  ///< f_max 0 = sample_rate/2
  /// Bins lie evenly from 0 to ⌊rate/2⌋ as numpy's linspace puts them (torchaudio, transformers), and f_max 0
  /// is that end; else bin k is k·rate/n_fft. It matters for odd rates and for odd n_fft.
  int32_t linspace_bins = 0;
  MelScale mel_scale = MelScale::kHtk;
  int32_t slaney_norm = 0;  ///< area-normalised triangles
  LogKind log = LogKind::kNone;
  LogFloor floor_kind = LogFloor::kMax;
  double floor = 1e-10;
  ClipRange clip = ClipRange::kNone;
  double clip_range = 0;    ///< below the maximum, in log units (Whisper: 8)
  double clip_maximum = 0;  ///< kFixedMax only, in log units (Whisper streams: 1.5, before (x+4)/4)
  FeatureNorm norm = FeatureNorm::kNone;
  int32_t norm_ddof = 0;        ///< 0 = population, 1 = sample variance
  int32_t norm_eps_on_var = 0;  ///< 1: (x−μ)/√(var+eps); 0: (x−μ)/(std+eps)
  double norm_eps = 0;
  double out_scale = 1, out_shift = 0;  ///< last step: y = x·out_scale + out_shift
  int32_t mel_major = 0;                ///< 0: y is [frames, n_mels]; 1: [n_mels, frames]
};

/// Windows, FFT tables and the sparse filterbank of one configuration, computed in float64; immutable.
/// Throws kInvalidArgument naming the field.
class LogMelPlan {
 public:
  LogMelPlan() = default;
  explicit LogMelPlan(const LogMelConfig& config);
  const LogMelConfig& config() const { return config_; }
  /// Frames that `samples` give; 0 when the signal is too short for one (or for the reflection).
  int64_t frames(int64_t samples) const;
  /// Offset of the centre of frame f's window from sample 0, in samples (may be .5; hence ×2).
  int64_t frame_centre_x2(int64_t frame) const;

  struct Tables;  ///< the kernel's own; defined in log_mel_plan.h
  const Tables& tables() const { return *tables_; }

  ~LogMelPlan();
  LogMelPlan(LogMelPlan&&) noexcept;
  LogMelPlan& operator=(LogMelPlan&&) noexcept;

 private:
  LogMelConfig config_;
  Tables* tables_ = nullptr;
};

/// Errors against log_mel_ref: NMSE of the plain (power or magnitude) mel, largest absolute difference of the
/// log values (natural log or log10; ×10 for decibels), before clip, normalisation and out_scale.
constexpr double kMelNmse = 1e-10;
constexpr double kLogMelMaxError = 5e-4;

struct LogMelArgs {
  const void* samples = nullptr;  ///< mono PCM, finite; |sample·input_scale| ≤ 1e15 (a power is a float32)
  bool s16 = false;               ///< int16 (value/32768) else float
  int64_t sample_count = 0;
  float* y = nullptr;  ///< [frames, n_mels] or [n_mels, frames], row stride ldy elements
  int64_t ldy = 0;
};

/// Scratch does not depend on the length of the signal unless `norm` or `clip` need a second pass over y.
size_t log_mel_scratch(const LogMelPlan& plan, int64_t sample_count, int threads);
void log_mel_cpu(const LogMelPlan& plan, const LogMelArgs& args, void* scratch, Parallel& parallel);

/// What is held of a signal that comes bit by bit: samples [begin, end). Its length is `total`, or kOpen
/// while more may come.
struct SignalPart {
  static constexpr int64_t kOpen = INT64_MAX / 4;
  const float* samples = nullptr;  ///< sample `begin` stands at samples[0]
  int64_t begin = 0, end = 0;
  int64_t total = kOpen;
};
/// How many frames are the same however a signal of which `received` samples are known goes on.
int64_t log_mel_final_frames(const LogMelPlan& plan, int64_t received);
/// Samples before this one are of no use to frames ≥ `frame`, whatever length the signal turns out to have;
/// `received` of it are known.
int64_t log_mel_first_needed(const LogMelPlan& plan, int64_t frame, int64_t received);
/// Frames [first, first + count), which must be final or, with `total` known, exist; every sample from
/// log_mel_first_needed on is held. y [count, n_mels] whatever mel_major says. The same bits as log_mel_cpu
/// gives for the whole signal. Only without whole-clip statistics: clip is not kClipMax, norm is kNone.
void log_mel_frames_cpu(const LogMelPlan& plan, const SignalPart& signal, int64_t first, int64_t count,
                        float* y, int64_t ldy, void* scratch, Parallel& parallel);

/// float64 oracle straight from the definitions (direct DFT, dense filterbank); y dense in the config's
/// layout.
void log_mel_ref(const LogMelConfig& config, const LogMelArgs& args, double* y);

}  // namespace sns
