#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/log_mel/log_mel_plan.h"

namespace sns {
namespace {

std::vector<double> read_signal(const LogMelConfig& c, const LogMelArgs& args) {
  std::vector<double> x(static_cast<size_t>(args.sample_count));
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = args.s16 ? static_cast<const int16_t*>(args.samples)[i] / 32768.0
                    : static_cast<double>(static_cast<const float*>(args.samples)[i]);
    x[i] *= c.input_scale;
  }
  if (c.preemphasis_signal) {
    for (size_t i = x.size(); i-- > 1;) x[i] -= c.preemphasis * x[i - 1];
  }
  return x;
}

// One frame: DC removal, pre-emphasis, window.
std::vector<double> windowed_frame(const LogMelConfig& c, const std::vector<double>& x,
                                   const std::vector<double>& window, int64_t f) {
  const int64_t n = static_cast<int64_t>(x.size()), start = window_start(c, f);
  std::vector<double> frame(window.size());
  double sum = 0;
  for (int64_t i = 0; i < c.win_length; ++i) {
    const int64_t at = padded_source(c.padding, start + i, n);
    frame[static_cast<size_t>(i)] = at < 0 ? 0.0 : x[static_cast<size_t>(at)];
    sum += frame[static_cast<size_t>(i)];
  }
  if (c.remove_dc) {
    for (double& v : frame) v -= sum / static_cast<double>(c.win_length);
  }
  if (c.preemphasis != 0 && !c.preemphasis_signal) {
    for (size_t i = frame.size(); i-- > 1;) frame[i] -= c.preemphasis * frame[i - 1];
    frame[0] -= c.preemphasis * frame[0];
  }
  for (size_t i = 0; i < frame.size(); ++i) frame[i] *= window[i];
  return frame;
}

double take_log(const LogMelConfig& c, double v) {
  if (c.log == LogKind::kNone) return v;
  v = c.floor_kind == LogFloor::kMax ? std::max(v, c.floor) : v + c.floor;
  switch (c.log) {
    case LogKind::kLn:
      return std::log(v);
    case LogKind::kLog10:
      return std::log10(v);
    case LogKind::kDecibel:
      return 10.0 * std::log10(v);
    case LogKind::kNone:
      break;
  }
  return v;
}

}  // namespace

void log_mel_ref(const LogMelConfig& c, const LogMelArgs& args, double* y) {
  const int64_t frames = frame_count(c, args.sample_count), bins = c.n_fft / 2 + 1;
  if (frames == 0) return;
  const std::vector<double> x = read_signal(c, args), window = window_values(c), bank = mel_filterbank(c);
  std::vector<double> cosine(static_cast<size_t>(c.n_fft)), sine(cosine.size());
  for (int64_t i = 0; i < c.n_fft; ++i) {
    const double angle = 2.0 * M_PI * static_cast<double>(i) / static_cast<double>(c.n_fft);
    cosine[static_cast<size_t>(i)] = std::cos(angle);
    sine[static_cast<size_t>(i)] = std::sin(angle);
  }
  auto at = [&](int64_t f, int64_t m) -> double& {
    return y[c.mel_major ? m * frames + f : f * c.n_mels + m];
  };

  std::vector<double> spectrum(static_cast<size_t>(bins));
  for (int64_t f = 0; f < frames; ++f) {
    const std::vector<double> frame = windowed_frame(c, x, window, f);
    for (int64_t k = 0; k < bins; ++k) {
      double re = 0, im = 0;
      int64_t turn = 0;  // k·i mod n_fft
      for (double v : frame) {
        re += v * cosine[static_cast<size_t>(turn)];
        im -= v * sine[static_cast<size_t>(turn)];
        turn += k;
        if (turn >= c.n_fft) turn -= c.n_fft;
      }
      const double power = re * re + im * im;
      spectrum[static_cast<size_t>(k)] = c.power == 2 ? power : std::sqrt(power);
    }
    for (int64_t m = 0; m < c.n_mels; ++m) {
      double sum = 0;
      for (int64_t k = 0; k < bins; ++k) {
        sum += bank[static_cast<size_t>(m * bins + k)] * spectrum[static_cast<size_t>(k)];
      }
      at(f, m) = take_log(c, sum);
    }
  }

  const int64_t count = frames * c.n_mels;
  if (c.clip != ClipRange::kNone) {
    const double top = c.clip == ClipRange::kFixedMax ? c.clip_maximum : *std::max_element(y, y + count);
    const double low = top - c.clip_range;
    for (int64_t i = 0; i < count; ++i) y[i] = std::max(y[i], low);
  }
  if (c.norm != FeatureNorm::kNone) {
    for (int64_t m = 0; m < c.n_mels; ++m) {
      // Around the first value, so that a constant bin has exactly no variance.
      const double pivot = at(0, m);
      double mean = 0, squares = 0;
      for (int64_t f = 0; f < frames; ++f) mean += at(f, m) - pivot;
      mean = pivot + mean / static_cast<double>(frames);
      for (int64_t f = 0; f < frames; ++f) squares += (at(f, m) - mean) * (at(f, m) - mean);
      const double var = frames > c.norm_ddof ? squares / static_cast<double>(frames - c.norm_ddof) : 0.0;
      double spread = c.norm_eps_on_var ? std::sqrt(var + c.norm_eps) : std::sqrt(var) + c.norm_eps;
      if (c.norm == FeatureNorm::kPerBinMean) spread = 1;
      if (c.norm == FeatureNorm::kPerBinStd) mean = 0;
      for (int64_t f = 0; f < frames; ++f) at(f, m) = spread > 0 ? (at(f, m) - mean) / spread : 0.0;
    }
  }
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] * c.out_scale + c.out_shift;
}

}  // namespace sns
