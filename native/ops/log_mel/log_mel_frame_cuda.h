#pragma once

// One frame from samples to log-mel features by one warp, without a barrier of the block.

#include "backend/cuda/reduce.h"
#include "backend/cuda/search.h"
#include "ops/log_mel/fft_cuda.h"
#include "ops/log_mel/log_mel_cuda.h"

namespace sns::gpu {

__device__ inline int64_t total_frames(const LogMelCudaArgs& args) {
  return args.items[args.count - 1].first_frame + args.items[args.count - 1].frames;
}
__device__ inline int64_t item_of(const LogMelCudaArgs& args, int64_t frame) {
  return last_not_after(args.count, frame, [&](int64_t i) { return args.items[i].first_frame; });
}

/// window_start and padded_source of log_mel_plan.h.
__device__ inline int64_t start_of(const LogMelConfig& c, int64_t frame) {
  const int64_t at = c.hop * frame, left = c.window_centred ? (c.n_fft - c.win_length) / 2 : 0;
  if (c.padding == FramePadding::kNone) return at + left;
  if (c.padding == FramePadding::kKaldiReflect) return at + c.hop / 2 - c.win_length / 2;
  return at - c.n_fft / 2 + left;
}
__device__ inline int64_t source_of(FramePadding padding, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (padding == FramePadding::kReflect) {
    const int64_t r = i < 0 ? -i : 2 * (n - 1) - i;
    return r >= 0 && r < n ? r : -1;
  }
  if (padding == FramePadding::kKaldiReflect) {
    const int64_t r = ((i % (2 * n)) + 2 * n) % (2 * n);
    return r < n ? r : 2 * n - 1 - r;
  }
  if (padding == FramePadding::kEdge) return i < 0 ? 0 : n - 1;
  return -1;
}

/// One frame's samples before the window.
template <class T>
class Frame {
 public:
  __device__ Frame(const LogMelConfig& c, const LogMelCudaArgs& args, const LogMelCudaItem& item,
                   int64_t frame, int lane)
      : config_(c), item_(item), s16_(args.s16), start_(start_of(c, frame) + item.shift) {
    if (!c.remove_dc) return;
    double sum = 0;
    for (int i = lane; i < c.win_length; i += 32) sum += static_cast<double>(raw(i));
    sum = warp_reduce(sum, [](double a, double b) { return a + b; });
    mean_ = static_cast<T>(sum / static_cast<double>(c.win_length));
  }
  /// Sample i of the window, filtered.
  __device__ T operator[](int i) const {
    const T v = raw(i) - mean_;
    if (config_.preemphasis == 0 || config_.preemphasis_signal) return v;
    return v - static_cast<T>(config_.preemphasis) * (i == 0 ? v : raw(i - 1) - mean_);
  }

 private:
  __device__ float sample(int64_t at) const {
    if (at < 0) return 0;
    return s16_ ? static_cast<float>(static_cast<const int16_t*>(item_.samples)[at]) * 3.0517578125e-5f
                : static_cast<const float*>(item_.samples)[at];
  }
  __device__ T raw(int i) const {
    const int64_t at = source_of(config_.padding, start_ + i, item_.sample_count);
    const T v = sample(at);
    return config_.preemphasis_signal && at >= 0
               ? v - static_cast<T>(config_.preemphasis) * static_cast<T>(sample(at - 1))
               : v;
  }

  const LogMelConfig& config_;
  const LogMelCudaItem& item_;
  bool s16_;
  int64_t start_;
  T mean_ = 0;
};

/// What follows the logarithm.
struct Finish {
  float scale, shift, low, clip_scale, clip_shift;
  __device__ explicit Finish(const LogMelConfig& c) {
    const bool clip = c.clip != ClipRange::kNone, norm = c.norm != FeatureNorm::kNone;
    double natural = 1;
    if (c.log == LogKind::kLog10) natural = 0.43429448190325182765;
    if (c.log == LogKind::kDecibel) natural = 4.3429448190325182765;
    scale = static_cast<float>(clip || norm ? natural : natural * c.out_scale);
    shift = static_cast<float>(clip || norm ? 0 : c.out_shift);
    low = static_cast<float>(static_cast<double>(static_cast<float>(c.clip_maximum)) - c.clip_range);
    clip_scale = norm ? 1.0f : static_cast<float>(c.out_scale);
    clip_shift = norm ? 0.0f : static_cast<float>(c.out_shift);
  }
};

/// The mel bins of one frame from its power or magnitude spectrum in shared memory: put(bin, value).
template <class Put>
__device__ inline void mel_features(const LogMelCudaPlan& p, const float* spectrum, int lane, Put put) {
  const LogMelConfig& c = p.config;
  const Finish finish(c);
  const auto floor = static_cast<float>(c.floor);
  for (int m = lane; m < c.n_mels; m += 32) {
    const auto filter = p.filter[m];
    const float* w = p.weight + filter.weights;
    const float* s = spectrum + filter.first_bin;
    float even = 0, odd = 0;
    int i = 0;
    for (; i + 2 <= filter.count; i += 2) {
      even += w[i] * s[i];
      odd += w[i + 1] * s[i + 1];
    }
    if (i < filter.count) even += w[i] * s[i];
    float v = even + odd;
    if (c.log != LogKind::kNone) v = logf(c.floor_kind == LogFloor::kMax ? fmaxf(v, floor) : v + floor);
    v = v * finish.scale + finish.shift;
    if (c.clip == ClipRange::kFixedMax) v = fmaxf(v, finish.low) * finish.clip_scale + finish.clip_shift;
    put(m, v);
  }
}

/// Power (×4) or magnitude (×2) of the real signal's bins from its half-size complex spectrum z.
template <class T>
__device__ inline void real_spectrum(const LogMelCudaPlan& p, const Complex<T>* z, float* out, int lane) {
  const auto* split = static_cast<const T*>(p.split);
  const int half = static_cast<int>(p.half);
  const bool root = p.config.power == 1;
  const auto put = [&](T re, T im, int k) {
    const T power = re * re + im * im;
    out[k] = static_cast<float>(root ? sqrt(power) : power);
  };
  // 2X_k = E − iW·O and 2X_(half−k) = conj(E + iW·O), E = Z_k + conj Z_(half−k), O = Z_k − conj Z_(half−k).
  for (int k = lane; k <= half / 2; k += 32) {
    const Complex<T> a = z[k], b = z[k == 0 ? 0 : half - k];
    if (k == 0) {
      put(2 * (a.re + a.im), 0, 0);
      put(2 * (a.re - a.im), 0, half);
      continue;
    }
    const T er = a.re + b.re, ei = a.im - b.im, od = a.re - b.re, oi = a.im + b.im;
    const T c = split[2 * k], s = split[2 * k + 1];
    const T u = c * od + s * oi, v = c * oi - s * od;
    put(er + v, ei - u, k);
    put(er - v, ei + u, half - k);
  }
  __syncwarp();
}

/// Shared memory of one warp: the complex frame, then its spectrum.
template <class T>
__host__ __device__ constexpr size_t frame_bytes(int64_t half) {
  return static_cast<size_t>(half) * sizeof(Complex<T>) + (static_cast<size_t>(half) / 4 + 1) * 16;
}

/// Features of the item's frame, `shared` of frame_bytes().
template <class T, class Put>
__device__ inline void frame_features(const LogMelCudaPlan& p, const LogMelCudaArgs& args,
                                      const LogMelCudaItem& item, int64_t index, unsigned char* shared,
                                      int lane, Put put) {
  auto* z = reinterpret_cast<Complex<T>*>(shared);
  auto* spectrum = reinterpret_cast<float*>(z + p.half);
  const Frame<T> frame(p.config, args, item, index, lane);
  const auto* window = static_cast<const T*>(p.window);
  for (int c = lane; c < p.half; c += 32) {
    const bool inside = 2 * c < p.span;  // the span is even
    // Past win_length the window is zero, and the samples need not be there.
    const T first = 2 * c < p.config.win_length ? frame[2 * c] * window[2 * c] : 0;
    const T second = inside && 2 * c + 1 < p.config.win_length ? frame[2 * c + 1] * window[2 * c + 1] : 0;
    z[p.row[c]] = {first, second};
  }
  __syncwarp();
  fft(p.pass, p.passes, static_cast<int>(p.half), static_cast<const T*>(p.twiddle), z, lane);
  real_spectrum(p, z, spectrum, lane);
  mel_features(p, spectrum, lane, put);
}

}  // namespace sns::gpu
