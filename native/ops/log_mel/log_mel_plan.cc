#include "ops/log_mel/log_mel_plan.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "core/status.h"

namespace sns {
namespace {

constexpr int64_t kMaxFft = 16384;
constexpr int64_t kMaxMels = 4096;
constexpr int64_t kMaxHop = int64_t{1} << 30;
constexpr double kMaxRate = 2147483647;

// Rows of one cache-sized run: 2 vectors of at most 64 bytes a row.
constexpr int64_t kLocalRows = 256;

void require(bool ok, const char* field, const char* rule) {
  if (!ok) throw Error(Code::kInvalidArgument, field, std::string(field) + " must be " + rule);
}

template <class E>
bool in_enum(E value, E last) {
  return static_cast<int32_t>(value) >= 0 && static_cast<int32_t>(value) <= static_cast<int32_t>(last);
}

bool is_flag(int32_t v) { return v == 0 || v == 1; }

int64_t left_of_window(const LogMelConfig& c) { return c.window_centred ? (c.n_fft - c.win_length) / 2 : 0; }

int64_t own_span(const LogMelConfig& c) { return c.window_centred ? c.n_fft : c.win_length; }

/// Hz of the last bin where bins reach half the rate.
double last_bin(const LogMelConfig& c) {
  const double half = static_cast<double>(c.sample_rate) / 2;
  return c.linspace_bins ? std::floor(half) : half;
}

constexpr double kSlaneyBreakHz = 1000.0, kSlaneyBreakMel = 15.0, kSlaneyHzPerMel = 200.0 / 3.0;
const double kSlaneyLogStep = std::log(6.4) / 27.0;

double hz_to_mel(MelScale scale, double hz) {
  switch (scale) {
    case MelScale::kHtk:
      return 2595.0 * std::log10(1.0 + hz / 700.0);
    case MelScale::kKaldi:
      return 1127.0 * std::log(1.0 + hz / 700.0);
    case MelScale::kSlaney:
      break;
  }
  return hz < kSlaneyBreakHz ? hz / kSlaneyHzPerMel
                             : kSlaneyBreakMel + std::log(hz / kSlaneyBreakHz) / kSlaneyLogStep;
}

double mel_to_hz(MelScale scale, double mel) {
  switch (scale) {
    case MelScale::kHtk:
      return 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0);
    case MelScale::kKaldi:
      return 700.0 * (std::exp(mel / 1127.0) - 1.0);
    case MelScale::kSlaney:
      break;
  }
  return mel < kSlaneyBreakMel ? mel * kSlaneyHzPerMel
                               : kSlaneyBreakHz * std::exp(kSlaneyLogStep * (mel - kSlaneyBreakMel));
}

// Largest radices first: the first pass needs no twiddle factors. A lone 2 is avoided where 4·4 can replace
// 8·2.
std::vector<int64_t> factor(int64_t n) {
  const int64_t size = n;
  std::vector<int64_t> radices;
  int twos = 0;
  for (; n % 2 == 0; n /= 2) ++twos;
  int eights = twos / 3, rest = twos % 3;
  int fours = rest == 2 ? 1 : 0, lone = 0;
  if (rest == 1) {
    if (eights > 0) {
      --eights;
      fours = 2;
    } else {
      lone = 1;
    }
  }
  radices.insert(radices.end(), static_cast<size_t>(eights), 8);
  for (; n % 5 == 0; n /= 5) radices.push_back(5);
  radices.insert(radices.end(), static_cast<size_t>(fours), 4);
  for (; n % 3 == 0; n /= 3) radices.push_back(3);
  if (lone) radices.push_back(2);
  for (int64_t p = 7; n > 1; p += 2) {
    if (p * p > n) p = n;
    for (; n % p == 0; n /= p) radices.push_back(p);
  }
  // Long transforms leave the cache in their last passes: make that one pass of radix 8.
  if (size > kLocalRows && radices.front() == 8 && !is_summed(radices.back()))
    std::rotate(radices.begin(), radices.begin() + 1, radices.end());
  return radices;
}

template <class T>
void fill_typed(const LogMelConfig& config, const LogMelPlan::Tables& t,
                LogMelPlan::Tables::Typed<T>& typed) {
  const std::vector<double> window = window_values(config);
  typed.window = AlignedArray<T>(t.span);
  for (int64_t i = 0; i < t.span; ++i) {
    typed.window[i] =
        i < config.win_length ? static_cast<T>(window[static_cast<size_t>(i)] * config.input_scale) : T{0};
  }
  int64_t pairs = 0;
  for (const FftPass& p : t.passes) pairs += p.m * (p.radix - 1) + (is_summed(p.radix) ? p.radix : 0);
  typed.twiddle = AlignedArray<T>(2 * pairs);
  for (const FftPass& p : t.passes) {
    if (is_summed(p.radix)) {
      T* root = typed.twiddle.data() + p.roots;
      for (int64_t q = 0; q < p.radix; ++q) {
        const double angle = 2.0 * M_PI * static_cast<double>(q) / static_cast<double>(p.radix);
        *root++ = static_cast<T>(std::cos(angle));
        *root++ = static_cast<T>(std::sin(angle));
      }
    }
    T* w = typed.twiddle.data() + p.twiddles;
    for (int64_t j = 0; j < p.m; ++j) {
      for (int64_t q = 1; q < p.radix; ++q) {
        const double angle = 2.0 * M_PI * static_cast<double>(j * q) / static_cast<double>(p.radix * p.m);
        *w++ = static_cast<T>(std::cos(angle));
        *w++ = static_cast<T>(-std::sin(angle));
      }
    }
  }
  typed.split = AlignedArray<T>(2 * (t.half / 2 + 1));
  for (int64_t k = 0; k <= t.half / 2; ++k) {
    const double angle = M_PI * static_cast<double>(k) / static_cast<double>(t.half);
    typed.split[2 * k] = static_cast<T>(std::cos(angle));
    typed.split[2 * k + 1] = static_cast<T>(std::sin(angle));
  }
}

void fill_filters(const LogMelConfig& config, LogMelPlan::Tables& t) {
  const std::vector<double> dense = mel_filterbank(config);
  const int64_t bins = t.half + 1, own = config.n_fft / 2 + 1, step = fft_length(config) / config.n_fft;
  std::vector<double> bank(static_cast<size_t>(config.n_mels * bins), 0.0);
  for (int64_t m = 0; m < config.n_mels; ++m) {
    for (int64_t k = 0; k < own; ++k) {
      bank[static_cast<size_t>(m * bins + k * step)] = dense[static_cast<size_t>(m * own + k)];
    }
  }
  const double unit = config.power == 2 ? 0.25 : 0.5;
  t.filter = AlignedArray<LogMelPlan::Tables::Filter>(config.n_mels);
  int64_t total = 0;
  t.bin_begin = bins;
  for (int64_t m = 0; m < config.n_mels; ++m) {
    const double* w = bank.data() + m * bins;
    int64_t first = 0, end = bins;
    while (first < bins && w[first] == 0) ++first;
    while (end > first && w[end - 1] == 0) --end;
    t.filter[m] = {static_cast<int32_t>(first), static_cast<int32_t>(end - first),
                   static_cast<int32_t>(total)};
    total += end - first;
    if (end > first) {
      t.bin_begin = std::min(t.bin_begin, first);
      t.bin_end = std::max(t.bin_end, end);
    }
  }
  t.bin_begin = std::min(t.bin_begin, t.bin_end);
  t.weight = AlignedArray<float>(total);
  for (int64_t m = 0; m < config.n_mels; ++m) {
    const auto f = t.filter[m];
    for (int64_t i = 0; i < f.count; ++i) {
      t.weight[f.weights + i] =
          static_cast<float>(unit * bank[static_cast<size_t>(m * bins + f.first_bin + i)]);
    }
  }
}

}  // namespace

void validate(const LogMelConfig& c) {
  require(c.sample_rate >= 1 && static_cast<double>(c.sample_rate) <= kMaxRate, "sample_rate",
          "in [1, 2^31)");
  require(c.n_fft >= 2 && c.n_fft <= kMaxFft, "n_fft", "in [2, 16384]");
  require(c.win_length >= 1 && c.win_length <= c.n_fft, "win_length", "in [1, n_fft]");
  require(c.hop >= 1 && c.hop <= kMaxHop, "hop", "in [1, 2^30]");
  require(in_enum(c.window, Window::kBlackman), "window", "a known window");
  require(is_flag(c.window_periodic), "window_periodic", "0 or 1");
  require(is_flag(c.window_centred), "window_centred", "0 or 1");
  require(in_enum(c.padding, FramePadding::kEdge), "padding", "a known padding");
  require(c.frame_span == 0 ||
              (c.padding == FramePadding::kNone && c.frame_span >= own_span(c) && c.frame_span <= kMaxHop),
          "frame_span", "0, or (without padding) at least the frame's own span");
  require(is_flag(c.drop_last_frame), "drop_last_frame", "0 or 1");
  require(std::isfinite(c.input_scale) && std::abs(c.input_scale) <= 1e9 && std::abs(c.input_scale) >= 1e-9,
          "input_scale", "between 1e-9 and 1e9");
  require(is_flag(c.remove_dc), "remove_dc", "0 or 1");
  require(std::isfinite(c.preemphasis) && std::abs(c.preemphasis) <= 1, "preemphasis", "in [-1, 1]");
  require(is_flag(c.preemphasis_signal), "preemphasis_signal", "0 or 1");
  require(c.power == 2 || c.power == 1, "power", "1 or 2");
  require(c.n_mels >= 1 && c.n_mels <= kMaxMels, "n_mels", "in [1, 4096]");
  require(std::isfinite(c.f_min) && c.f_min >= 0, "f_min", "finite and not negative");
  require(is_flag(c.linspace_bins), "linspace_bins", "0 or 1");
  const double top = c.f_max == 0 ? last_bin(c) : c.f_max;
  require(std::isfinite(c.f_max) && top > c.f_min, "f_max", "finite and above f_min");
  require(in_enum(c.mel_scale, MelScale::kKaldi), "mel_scale", "a known scale");
  require(is_flag(c.slaney_norm), "slaney_norm", "0 or 1");
  require(in_enum(c.log, LogKind::kDecibel), "log", "a known logarithm");
  require(in_enum(c.floor_kind, LogFloor::kAdd), "floor_kind", "a known kind");
  // Normal float32 with room below: the floor alone keeps the logarithm finite on silence.
  require(c.log == LogKind::kNone || (c.floor >= 1e-30 && c.floor <= 1e30), "floor",
          "between 1e-30 and 1e30");
  require(in_enum(c.clip, ClipRange::kFixedMax), "clip", "a known rule");
  require(c.clip == ClipRange::kNone || (std::isfinite(c.clip_range) && c.clip_range >= 0), "clip_range",
          "finite and not negative");
  require(c.clip != ClipRange::kFixedMax || std::isfinite(c.clip_maximum), "clip_maximum", "finite");
  require(in_enum(c.norm, FeatureNorm::kPerBinStd), "norm", "a known normalisation");
  require(is_flag(c.norm_ddof), "norm_ddof", "0 or 1");
  require(is_flag(c.norm_eps_on_var), "norm_eps_on_var", "0 or 1");
  require(std::isfinite(c.norm_eps) && c.norm_eps >= 0, "norm_eps", "finite and not negative");
  require(std::isfinite(c.out_scale), "out_scale", "finite");
  require(std::isfinite(c.out_shift), "out_shift", "finite");
  require(is_flag(c.mel_major), "mel_major", "0 or 1");
}

std::vector<double> window_values(const LogMelConfig& c) {
  std::vector<double> w(static_cast<size_t>(c.win_length), 1.0);
  if (c.window == Window::kRectangular || c.win_length == 1) return w;
  const bool periodic = c.window_periodic && c.window != Window::kPovey;
  const double period = static_cast<double>(periodic ? c.win_length : c.win_length - 1);
  for (int64_t i = 0; i < c.win_length; ++i) {
    const double cosine = std::cos(2.0 * M_PI * static_cast<double>(i) / period);
    double& v = w[static_cast<size_t>(i)];
    switch (c.window) {
      case Window::kHann:
        v = 0.5 - 0.5 * cosine;
        break;
      case Window::kHamming:
        v = 0.54 - 0.46 * cosine;
        break;
      case Window::kPovey:
        v = std::pow(std::max(0.0, 0.5 - 0.5 * cosine), 0.85);
        break;
      case Window::kRectangular:
        break;
      case Window::kBlackman:
        v = 0.42 - 0.5 * cosine + 0.08 * std::cos(4.0 * M_PI * static_cast<double>(i) / period);
        break;
    }
  }
  return w;
}

std::vector<double> mel_filterbank(const LogMelConfig& c) {
  const int64_t bins = c.n_fft / 2 + 1;
  const double top = c.f_max == 0 ? last_bin(c) : c.f_max;
  const double step = c.linspace_bins ? last_bin(c) / static_cast<double>(bins - 1)
                                      : static_cast<double>(c.sample_rate) / static_cast<double>(c.n_fft);
  const double mel_low = hz_to_mel(c.mel_scale, c.f_min), mel_high = hz_to_mel(c.mel_scale, top);
  const bool mel_space = c.mel_scale == MelScale::kKaldi;
  // Corners of the triangles, in Hz, or in mels where Kaldi draws them.
  std::vector<double> corner(static_cast<size_t>(c.n_mels + 2));
  for (int64_t i = 0; i < c.n_mels + 2; ++i) {
    const double mel =
        mel_low + (mel_high - mel_low) * static_cast<double>(i) / static_cast<double>(c.n_mels + 1);
    corner[static_cast<size_t>(i)] = mel_space ? mel : mel_to_hz(c.mel_scale, mel);
  }
  std::vector<double> bank(static_cast<size_t>(c.n_mels * bins), 0.0);
  for (int64_t m = 0; m < c.n_mels; ++m) {
    const double* at = corner.data() + m;
    const double norm = c.slaney_norm ? 2.0 / (at[2] - at[0]) : 1.0;
    for (int64_t k = 0; k < bins; ++k) {
      if (mel_space && k == bins - 1) break;  // Kaldi has no Nyquist bin
      const double hz = step * static_cast<double>(k);
      const double f = mel_space ? hz_to_mel(c.mel_scale, hz) : hz;
      const double w = std::min((f - at[0]) / (at[1] - at[0]), (at[2] - f) / (at[2] - at[1]));
      if (w > 0) bank[static_cast<size_t>(m * bins + k)] = w * norm;
    }
  }
  return bank;
}

int64_t window_start(const LogMelConfig& c, int64_t frame) {
  const int64_t at = c.hop * frame;
  switch (c.padding) {
    case FramePadding::kNone:
      return at + left_of_window(c);
    case FramePadding::kReflect:
    case FramePadding::kZero:
    case FramePadding::kEdge:
      return at - c.n_fft / 2 + left_of_window(c);
    case FramePadding::kKaldiReflect:
      return at + c.hop / 2 - c.win_length / 2;
  }
  return at;
}

int64_t padded_source(FramePadding padding, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (padding == FramePadding::kReflect) {
    const int64_t r = i < 0 ? -i : 2 * (n - 1) - i;
    return r >= 0 && r < n ? r : -1;
  }
  if (padding == FramePadding::kKaldiReflect && n > 0) {
    const int64_t r = ((i % (2 * n)) + 2 * n) % (2 * n);
    return r < n ? r : 2 * n - 1 - r;
  }
  if (padding == FramePadding::kEdge && n > 0) return i < 0 ? 0 : n - 1;
  return -1;
}

int64_t frame_count(const LogMelConfig& c, int64_t n) {
  if (n <= 0) return 0;
  int64_t frames = 0;
  const int64_t centred = 1 + (n - c.n_fft % 2) / c.hop;
  switch (c.padding) {
    case FramePadding::kNone: {
      const int64_t span = c.frame_span ? c.frame_span : own_span(c);
      frames = n < span ? 0 : 1 + (n - span) / c.hop;
      break;
    }
    case FramePadding::kReflect:
      frames = n > c.n_fft / 2 ? centred : 0;
      break;
    case FramePadding::kZero:
    case FramePadding::kEdge:
      frames = centred;
      break;
    case FramePadding::kKaldiReflect:
      frames = (n + c.hop / 2) / c.hop;
      break;
  }
  return std::max<int64_t>(0, frames - c.drop_last_frame);
}

LogMelPlan::LogMelPlan(const LogMelConfig& config) : config_(config) {
  validate(config);
  auto t = std::make_unique<Tables>();
  t->half = fft_length(config) / 2;
  t->span = round_up(config.win_length, 4);

  const std::vector<int64_t> radices = factor(t->half);
  int64_t m = 1, twiddles = 0;
  for (int64_t radix : radices) {
    t->passes.push_back({radix, m, twiddles, 0});
    twiddles += 2 * m * (radix - 1);
    if (is_summed(radix)) t->spare_rows = std::max(t->spare_rows, radix);
    m *= radix;
    if (m <= kLocalRows || m == radix) {
      ++t->local_passes;
      t->local_rows = m;
    }
  }
  for (FftPass& p : t->passes) {
    if (!is_summed(p.radix)) continue;
    p.roots = twiddles;
    twiddles += 2 * p.radix;
  }
  t->row = AlignedArray<int32_t>(t->half + 1);
  for (int64_t c = 0; c < t->half; ++c) {
    int64_t rest = c, size = t->half, row = 0;
    for (size_t p = radices.size(); p-- > 0;) {
      size /= radices[p];
      row += rest % radices[p] * size;
      rest /= radices[p];
    }
    t->row[c] = static_cast<int32_t>(row);
  }
  t->row[t->half] = static_cast<int32_t>(t->half);

  fill_filters(config, *t);
  const bool whole_band = t->bin_begin <= 1 && t->bin_end >= t->half;
  const bool plain = config.log == LogKind::kNone && config.norm == FeatureNorm::kNone && !config.remove_dc &&
                     config.preemphasis == 0 && config.window != Window::kRectangular;
  t->wide = !(plain && whole_band && t->spare_rows == 0);
  if (t->wide) {
    fill_typed(config, *t, t->f64);
  } else {
    fill_typed(config, *t, t->f32);
  }
  tables_ = t.release();
}

LogMelPlan::~LogMelPlan() { delete tables_; }

LogMelPlan::LogMelPlan(LogMelPlan&& other) noexcept
    : config_(other.config_), tables_(std::exchange(other.tables_, nullptr)) {}

LogMelPlan& LogMelPlan::operator=(LogMelPlan&& other) noexcept {
  config_ = other.config_;
  std::swap(tables_, other.tables_);
  return *this;
}

int64_t LogMelPlan::frames(int64_t samples) const { return frame_count(config_, samples); }

int64_t log_mel_final_frames(const LogMelPlan& plan, int64_t received) {
  const LogMelConfig& c = plan.config();
  // A longer signal has no fewer frames. Of these, windows must end within what is known, and what the first
  // ones see of the reflection at the start must be known, too.
  int64_t frames = plan.frames(received);
  const int64_t past = received - c.win_length - window_start(c, 0);
  frames = std::min(frames, past < 0 ? 0 : past / c.hop + 1);
  if (frames > 0) {
    const int64_t before = -window_start(c, 0);
    const bool reflected = c.padding == FramePadding::kReflect || c.padding == FramePadding::kKaldiReflect;
    if (reflected && before > 0 && before + (c.padding == FramePadding::kReflect) > received) frames = 0;
  }
  return frames;
}

int64_t log_mel_first_needed(const LogMelPlan& plan, int64_t frame, int64_t received) {
  const LogMelConfig& c = plan.config();
  const int64_t start = window_start(c, frame);
  if (start <= 0) return 0;
  int64_t needed = start;
  // The reflection at the end reaches back by at most half a window (or FFT frame) and the edge itself.
  if (c.padding == FramePadding::kReflect || c.padding == FramePadding::kKaldiReflect) {
    needed = std::min(needed, received - c.n_fft - 1);
  } else if (c.padding == FramePadding::kEdge) {
    needed = std::min(needed, received - 1);
  }
  return std::max<int64_t>(0, needed - c.preemphasis_signal);
}

int64_t LogMelPlan::frame_centre_x2(int64_t frame) const {
  return 2 * window_start(config_, frame) + config_.win_length;
}

}  // namespace sns
