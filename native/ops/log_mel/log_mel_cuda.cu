#include "ops/log_mel/log_mel_cuda.h"

#include "backend/cuda/grid.h"
#include "backend/cuda/reduce.h"
#include "ops/log_mel/log_mel_frame_cuda.h"

namespace sns {
namespace {

using gpu::Complex;
using gpu::item_of;
using gpu::total_frames;

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

/// Where the features of a frame go, and the clip's maximum.
class FeatureWriter {
 public:
  __device__ FeatureWriter(const LogMelCudaPlan& p, const LogMelCudaItem& item, int64_t frame)
      : bins_(p.config.mel_major ? item.ldy : 1),
        y_(item.y + frame * (p.config.mel_major ? 1 : item.ldy)),
        clip_(p.config.clip == ClipRange::kClipMax) {}
  __device__ void operator()(int m, float v) {
    y_[m * bins_] = v;
    top_ = fmaxf(top_, v);
  }
  __device__ void finish(int* clip_max, int lane) const {
    if (!clip_) return;
    const float top = gpu::warp_reduce(top_, [](float a, float b) { return fmaxf(a, b); });
    if (lane == 0) atomicMax(clip_max, ordered(top));
  }

 private:
  int64_t bins_;
  float* y_;
  bool clip_;
  float top_ = -INFINITY;
};

template <class T>
__global__ void __launch_bounds__(32 * kMostWarps, 4)
    log_mel_kernel(LogMelCudaPlan p, LogMelCudaArgs args, int* clip_max) {
  SNS_DYNAMIC_SHARED(unsigned char, shared);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * (blockDim.x / 32) + warp;
  if (row >= total_frames(args)) return;
  const int64_t index = item_of(args, row);
  const LogMelCudaItem& item = args.items[index];
  const int64_t frame = row - item.first_frame;
  FeatureWriter writer(p, item, frame);
  gpu::frame_features<T>(p, args, item, frame,
                         shared + static_cast<size_t>(warp) * gpu::frame_bytes<T>(p.half), lane,
                         [&](int m, float v) { writer(m, v); });
  writer.finish(clip_max + index, lane);
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
  const gpu::Frame<T> frame(p.config, args, item, row - item.first_frame, lane);
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
  FeatureWriter writer(p, item, row - item.first_frame);
  gpu::mel_features(p, spectrum, lane, [&](int m, float v) { writer(m, v); });
  writer.finish(clip_max + index, lane);
}

__global__ void reset_kernel(int* clip_max, int64_t count) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) clip_max[i] = kLowest;
}

/// A block a mel bin of a clip: clipping by the clip's maximum, then the z-score over time.
__global__ void __launch_bounds__(kNormThreads, 2)
    clip_kernel(LogMelCudaPlan p, LogMelCudaArgs args, const int* clip_max) {
  SNS_SHARED(double, partial, kNormThreads / 32);
  const LogMelConfig& c = p.config;
  const gpu::BlockAt at(c.n_mels);  // bin and clip
  const LogMelCudaItem& item = args.items[at.y];
  if (item.frames == 0) return;
  const int64_t step = c.mel_major ? 1 : item.ldy;
  float* y = item.y + at.x * (c.mel_major ? item.ldy : 1);
  const gpu::Finish finish(c);
  const bool clip = c.clip == ClipRange::kClipMax, norm = c.norm != FeatureNorm::kNone;
  const float low =
      clip ? static_cast<float>(static_cast<double>(unordered(clip_max[at.y])) - c.clip_range) : 0;
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
  return gpu::gpu_launch(clip_kernel, gpu::grid_of(p.config.n_mels, args.count), dim3(kNormThreads), 0,
                         stream, p, args, clip_max);
}

template <class T>
int launch_fused(const LogMelCudaPlan& p, const LogMelCudaArgs& args, int* clip_max, gpu::Stream stream) {
  const size_t bytes = gpu::frame_bytes<T>(p.half);
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
