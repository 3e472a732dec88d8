#include "ops/log_mel/log_mel_cuda.h"

#include "backend/cuda/reduce.h"
#include "backend/cuda/search.h"
#include "ops/log_mel/fft_cuda.h"

namespace sns {
namespace {

using gpu::Complex;

// One warp makes one frame, from samples to features, without a barrier of the block.

constexpr int kMostWarps = 4;
constexpr size_t kSharedBytes = 64 * 1024;  // of a block, unless one frame alone needs more
constexpr int kNormThreads = 256;

/// Floats as integers that compare alike, for atomicMax.
__device__ int ordered(float x) {
  union {
    float f;
    int i;
  } v{x};
  return v.i >= 0 ? v.i : v.i ^ 0x7FFFFFFF;
}
__device__ float unordered(int x) {
  union {
    int i;
    float f;
  } v{x >= 0 ? x : x ^ 0x7FFFFFFF};
  return v.f;
}
constexpr int kLowest = -2147483647 - 1;

__device__ int64_t total_frames(const LogMelCudaArgs& args) {
  return args.items[args.count - 1].first_frame + args.items[args.count - 1].frames;
}
__device__ int64_t item_of(const LogMelCudaArgs& args, int64_t frame) {
  return gpu::last_not_after(args.count, frame, [&](int64_t i) { return args.items[i].first_frame; });
}

/// window_start and padded_source of log_mel_plan.h.
__device__ int64_t start_of(const LogMelConfig& c, int64_t frame) {
  const int64_t at = c.hop * frame, left = c.window_centred ? (c.n_fft - c.win_length) / 2 : 0;
  if (c.padding == FramePadding::kNone) return at + left;
  if (c.padding == FramePadding::kKaldiReflect) return at + c.hop / 2 - c.win_length / 2;
  return at - c.n_fft / 2 + left;
}
__device__ int64_t source_of(FramePadding padding, int64_t i, int64_t n) {
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
      : config_(c), item_(item), s16_(args.s16), start_(start_of(c, frame)) {
    if (!c.remove_dc) return;
    double sum = 0;
    for (int i = lane; i < c.win_length; i += 32) sum += static_cast<double>(raw(i));
    sum = gpu::warp_reduce(sum, [](double a, double b) { return a + b; });
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

/// The mel bins of one frame from its power or magnitude spectrum in shared memory.
__device__ void write_features(const LogMelCudaPlan& p, const LogMelCudaItem& item, int64_t frame,
                               const float* spectrum, int* clip_max, int lane) {
  const LogMelConfig& c = p.config;
  const Finish finish(c);
  const auto floor = static_cast<float>(c.floor);
  float top = -INFINITY;
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
    item.y[c.mel_major ? m * item.ldy + frame : frame * item.ldy + m] = v;
    top = fmaxf(top, v);
  }
  if (c.clip != ClipRange::kClipMax) return;
  top = gpu::warp_reduce(top, [](float a, float b) { return fmaxf(a, b); });
  if (lane == 0) atomicMax(clip_max, ordered(top));
}

/// Power (×4) or magnitude (×2) of the real signal's bins from its half-size complex spectrum z.
template <class T>
__device__ void real_spectrum(const LogMelCudaPlan& p, const Complex<T>* z, float* out, int lane) {
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
__host__ __device__ constexpr size_t warp_bytes(int64_t half) {
  return static_cast<size_t>(half) * sizeof(Complex<T>) + (static_cast<size_t>(half) / 4 + 1) * 16;
}

template <class T>
__global__ void __launch_bounds__(32 * kMostWarps, 4)
    log_mel_kernel(LogMelCudaPlan p, LogMelCudaArgs args, int* clip_max) {
  SNS_DYNAMIC_SHARED(unsigned char, shared);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * (blockDim.x / 32) + warp;
  if (row >= total_frames(args)) return;
  const int64_t index = item_of(args, row);
  const LogMelCudaItem& item = args.items[index];
  auto* z = reinterpret_cast<Complex<T>*>(shared + static_cast<size_t>(warp) * warp_bytes<T>(p.half));
  auto* spectrum = reinterpret_cast<float*>(z + p.half);

  const Frame<T> frame(p.config, args, item, row - item.first_frame, lane);
  const auto* window = static_cast<const T*>(p.window);
  for (int c = lane; c < p.half; c += 32) {
    const bool inside = 2 * c < p.span;  // the span is even
    // Past win_length the window is zero, and the samples need not be there.
    const T first = 2 * c < p.config.win_length ? frame[2 * c] * window[2 * c] : 0;
    const T second = inside && 2 * c + 1 < p.config.win_length ? frame[2 * c + 1] * window[2 * c + 1] : 0;
    z[p.row[c]] = {first, second};
  }
  __syncwarp();
  gpu::fft(p.pass, p.passes, static_cast<int>(p.half), static_cast<const T*>(p.twiddle), z, lane);
  real_spectrum(p, z, spectrum, lane);
  write_features(p, item, row - item.first_frame, spectrum, clip_max + index, lane);
}

/// The windowed frame as it is, zeros past the window and past the last frame.
template <class T>
__global__ void __launch_bounds__(32) frames_kernel(LogMelCudaPlan p, LogMelCudaArgs args, T* frames) {
  const int lane = static_cast<int>(threadIdx.x);
  const int64_t row = blockIdx.x;
  const int64_t length = 2 * p.half;
  T* out = frames + row * length;
  const bool real = row < total_frames(args);
  const LogMelCudaItem& item = args.items[real ? item_of(args, row) : 0];
  if (!real) {
    for (int i = lane; i < length; i += 32) out[i] = 0;
    return;
  }
  const Frame<T> frame(p.config, args, item, row - item.first_frame, lane);
  const auto* window = static_cast<const T*>(p.window);
  for (int i = lane; i < length; i += 32) {
    out[i] = i < p.config.win_length ? frame[i] * window[i] : 0;
  }
}

template <class T>
__global__ void __launch_bounds__(32)
    spectrum_kernel(LogMelCudaPlan p, LogMelCudaArgs args, const Complex<T>* spectra, int* clip_max) {
  SNS_DYNAMIC_SHARED(float, spectrum);
  const int lane = static_cast<int>(threadIdx.x);
  const int64_t row = blockIdx.x;
  if (row >= total_frames(args)) return;
  const int64_t index = item_of(args, row);
  const LogMelCudaItem& item = args.items[index];
  const bool root = p.config.power == 1;
  for (int k = lane; k <= p.half; k += 32) {  // the filters expect the factor of the half-size transform
    const Complex<T> x = spectra[row * (p.half + 1) + k].scaled(2);
    const T power = x.re * x.re + x.im * x.im;
    spectrum[k] = static_cast<float>(root ? sqrt(power) : power);
  }
  __syncwarp();
  write_features(p, item, row - item.first_frame, spectrum, clip_max + index, lane);
}

__global__ void reset_kernel(int* clip_max, int64_t count) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) clip_max[i] = kLowest;
}

/// blockIdx.y = clip, blockIdx.x = mel bin: clipping by the clip's maximum, then the z-score over time.
__global__ void __launch_bounds__(kNormThreads, 2)
    clip_kernel(LogMelCudaPlan p, LogMelCudaArgs args, const int* clip_max) {
  SNS_SHARED(double, partial, kNormThreads / 32);
  const LogMelConfig& c = p.config;
  const LogMelCudaItem& item = args.items[blockIdx.y];
  if (item.frames == 0) return;
  const int64_t step = c.mel_major ? 1 : item.ldy;
  float* y = item.y + blockIdx.x * (c.mel_major ? item.ldy : 1);
  const Finish finish(c);
  const bool clip = c.clip == ClipRange::kClipMax, norm = c.norm != FeatureNorm::kNone;
  const float low =
      clip ? static_cast<float>(static_cast<double>(unordered(clip_max[blockIdx.y])) - c.clip_range) : 0;
  const auto clipped = [&](int64_t f) {
    const float v = y[f * step];
    return clip ? fmaxf(v, low) * finish.clip_scale + finish.clip_shift : v;
  };
  if (!norm) {
    for (int64_t f = threadIdx.x; f < item.frames; f += kNormThreads) y[f * step] = clipped(f);
    return;
  }
  // Sums run in double around the first value.
  const auto pivot = static_cast<double>(clipped(0));
  double sum = 0, squares = 0;
  for (int64_t f = threadIdx.x; f < item.frames; f += kNormThreads) {
    const double v = static_cast<double>(clipped(f)) - pivot;
    sum += v;
    squares += v * v;
  }
  sum = gpu::block_sum<kNormThreads>(sum, partial);
  squares = gpu::block_sum<kNormThreads>(squares, partial);
  const auto n = static_cast<double>(item.frames);
  const double offset = sum / n, spread = squares - sum * offset;
  const double var = item.frames > c.norm_ddof && spread > 0 ? spread / (n - c.norm_ddof) : 0.0;
  const double by = c.norm_eps_on_var ? sqrt(var + c.norm_eps) : sqrt(var) + c.norm_eps;
  const double mean = c.norm == FeatureNorm::kPerBinStd ? 0.0 : pivot + offset;
  const double factor = c.norm == FeatureNorm::kPerBinMean ? c.out_scale : by > 0 ? c.out_scale / by : 0.0;
  for (int64_t f = threadIdx.x; f < item.frames; f += kNormThreads) {
    y[f * step] = static_cast<float>((static_cast<double>(clipped(f)) - mean) * factor + c.out_shift);
  }
}

int reset(const LogMelCudaPlan& p, const LogMelCudaArgs& args, int* clip_max, gpu::Stream stream) {
  if (p.config.clip != ClipRange::kClipMax) return 0;
  return gpu::gpu_launch(reset_kernel, dim3(static_cast<unsigned>(ceil_div(args.count, 128))), dim3(128), 0,
                         stream, clip_max, args.count);
}

int whole_clips(const LogMelCudaPlan& p, const LogMelCudaArgs& args, const int* clip_max,
                gpu::Stream stream) {
  if (p.config.clip != ClipRange::kClipMax && p.config.norm == FeatureNorm::kNone) return 0;
  return gpu::gpu_launch(clip_kernel,
                         dim3(static_cast<unsigned>(p.config.n_mels), static_cast<unsigned>(args.count)),
                         dim3(kNormThreads), 0, stream, p, args, clip_max);
}

template <class T>
int launch_fused(const LogMelCudaPlan& p, const LogMelCudaArgs& args, int* clip_max, gpu::Stream stream) {
  const size_t bytes = warp_bytes<T>(p.half);
  int warps = kMostWarps;
  while (warps > 1 && bytes * static_cast<size_t>(warps) > kSharedBytes) warps /= 2;
  return gpu::gpu_launch(log_mel_kernel<T>, dim3(static_cast<unsigned>(ceil_div(args.max_frames, warps))),
                         dim3(static_cast<unsigned>(32 * warps)), bytes * static_cast<size_t>(warps), stream,
                         p, args, clip_max);
}

template <class T>
int launch_spectrum(const LogMelCudaPlan& p, const LogMelCudaArgs& args, const void* spectrum, int* clip_max,
                    gpu::Stream stream) {
  return gpu::gpu_launch(spectrum_kernel<T>, dim3(static_cast<unsigned>(args.max_frames)), dim3(32),
                         static_cast<size_t>(p.half + 1) * sizeof(float), stream, p, args,
                         static_cast<const Complex<T>*>(spectrum), clip_max);
}

}  // namespace

size_t log_mel_cuda_workspace(const LogMelCudaPlan& plan, int64_t count) {
  Carver c(nullptr);
  if (plan.config.clip == ClipRange::kClipMax) c.take<int>(count);
  return c.bytes();
}

int log_mel_cuda(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, void* workspace, void* stream) {
  if (args.count == 0 || args.max_frames == 0) return 0;
  auto* clip_max = static_cast<int*>(workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  if (const int status = reset(plan, args, clip_max, s)) return status;
  const int status = plan.wide ? launch_fused<double>(plan, args, clip_max, s)
                               : launch_fused<float>(plan, args, clip_max, s);
  return status ? status : whole_clips(plan, args, clip_max, s);
}

int log_mel_frames_cuda(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, void* frames, void* stream) {
  if (args.count == 0 || args.max_frames == 0) return 0;
  const dim3 grid(static_cast<unsigned>(args.max_frames));
  const auto s = static_cast<gpu::Stream>(stream);
  return plan.wide ? gpu::gpu_launch(frames_kernel<double>, grid, dim3(32), 0, s, plan, args,
                                     static_cast<double*>(frames))
                   : gpu::gpu_launch(frames_kernel<float>, grid, dim3(32), 0, s, plan, args,
                                     static_cast<float*>(frames));
}

int log_mel_spectrum_cuda(const LogMelCudaPlan& plan, const LogMelCudaArgs& args, const void* spectrum,
                          void* workspace, void* stream) {
  if (args.count == 0 || args.max_frames == 0) return 0;
  auto* clip_max = static_cast<int*>(workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  if (const int status = reset(plan, args, clip_max, s)) return status;
  const int status = plan.wide ? launch_spectrum<double>(plan, args, spectrum, clip_max, s)
                               : launch_spectrum<float>(plan, args, spectrum, clip_max, s);
  return status ? status : whole_clips(plan, args, clip_max, s);
}

}  // namespace sns
