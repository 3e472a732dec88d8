#include "pipeline/cuda/stages.h"

#include <optional>

namespace sns {
namespace {

constexpr auto kDevice = CudaBlock::Place::kDevice;
constexpr int64_t kFloat = sizeof(float);

}  // namespace

void run_log_mel(const CudaStream& stream, const LogMelCudaPlan& plan, const CudaFftPlan* fft,
                 const LogMelCudaArgs& clips, void* windows, void* spectrum, void* scratch) {
  const gpu::Ops& ops = stream.ops();
  if (!fft) {
    stream.check(ops.log_mel(plan, clips, scratch, stream.get()), "log_mel");
    return;
  }
  // Rows up to a whole number of transforms: those past the last frame are zeros.
  LogMelCudaArgs rounded = clips;
  rounded.max_frames = round_up(clips.max_frames, CudaFftPlan::kRows);
  stream.check(ops.log_mel_frames(plan, rounded, windows, stream.get()), "log_mel");
  fft->run(stream, windows, spectrum, rounded.max_frames);
  stream.check(ops.log_mel_spectrum(plan, clips, spectrum, scratch, stream.get()), "log_mel");
}

std::shared_ptr<const CudaFft> fft_for(const CudaDevice& device, const LogMelConfig& config,
                                       const std::string& field) {
  if (log_mel_cuda_fused(config)) return nullptr;
  std::shared_ptr<const CudaFft> fft = device.fft();
  if (!fft) {
    throw Error(Code::kUnavailable, field,
                field + ": " + std::to_string(config.n_fft) +
                    " is served by cuFFT on the GPU, and the engine was given none");
  }
  return fft;
}

CudaLogMel::CudaLogMel(CudaDevicePtr device, const LogMelPlan& plan) : device_(std::move(device)) {
  device_->enter();
  fft_ = fft_for(*device_, plan.config(), "n_fft");
  block_ = CudaBlock::packed(device_, log_mel_cuda_bytes(plan), [&](void* host, void* on_device) {
    plan_ = pack_log_mel_cuda(plan, host, on_device);
  });
}

void CudaLogMel::run(const LogMelArgs& args, int64_t frames, int64_t size) const {
  device_->enter();
  const int64_t sample = args.s16 ? sizeof(int16_t) : sizeof(float);
  const CudaBlock x(device_, kDevice, args.sample_count * sample), y(device_, kDevice, size * kFloat);
  const CudaBlock item(device_, kDevice, sizeof(LogMelCudaItem));
  const CudaBlock scratch(device_, kDevice, static_cast<int64_t>(device_->ops().log_mel_workspace(plan_, 1)));
  std::optional<CudaFftPlan> fft;
  CudaBlock windows, spectrum;
  if (fft_) {
    const int64_t n = 2 * plan_.half, rows = round_up(frames, CudaFftPlan::kRows);
    const int64_t value = plan_.wide ? sizeof(double) : sizeof(float);
    fft.emplace(fft_, n, plan_.wide);
    windows = CudaBlock(device_, kDevice, checked_mul(rows, n * value, "count"));
    spectrum = CudaBlock(device_, kDevice, checked_mul(rows, (n + 2) * value, "count"));
  }
  LogMelCudaItem clip;
  clip.samples = x.data();
  clip.sample_count = args.sample_count;
  clip.frames = frames;
  clip.y = static_cast<float*>(y.data());
  clip.ldy = args.ldy;
  LogMelCudaArgs clips;
  clips.items = static_cast<const LogMelCudaItem*>(item.data());
  clips.count = 1;
  clips.max_frames = frames;
  clips.s16 = args.s16;
  const CudaStream stream(device_);  // waits when it goes, while all that it reads is there
  stream.copy_in(x.data(), args.samples, x.size());
  stream.copy_in(item.data(), &clip, item.size());
  run_log_mel(stream, plan_, fft ? &*fft : nullptr, clips, windows.data(), spectrum.data(), scratch.data());
  stream.copy_out(args.y, y.data(), y.size());
  stream.synchronize();
}

CudaResampler::CudaResampler(CudaDevicePtr device, const ResampleFilter& filter)
    : device_(std::move(device)) {
  device_->enter();
  block_ = CudaBlock::packed(device_, resample_cuda_bytes(filter), [&](void* host, void* on_device) {
    filter_ = pack_resample_cuda(filter, host, on_device);
  });
}

void CudaResampler::run(const float* x, int64_t count, float* y, int64_t length) const {
  device_->enter();
  const CudaBlock in(device_, kDevice, count * kFloat), out(device_, kDevice, length * kFloat);
  const CudaStream stream(device_);
  stream.copy_in(in.data(), x, in.size());
  const ResampleCudaArgs args{static_cast<const float*>(in.data()), 0, count,
                              static_cast<float*>(out.data()),      0, length};
  stream.check(device_->ops().resample(filter_, args, stream.get()), "resample");
  stream.copy_out(y, out.data(), out.size());
  stream.synchronize();
}

void run_resize_cuda(const CudaDevicePtr& device, const ResizeConfig& config, const ResizePlan& plan,
                     int64_t channels, const uint8_t* x, uint8_t* y) {
  device->enter();
  ResizeU8Args args = resize_args(config, plan, channels);
  ResizeU8Cuda tables;
  const CudaBlock block = CudaBlock::packed(
      device, resize_u8_cuda_bytes(args),
      [&](void* host, void* on_device) { tables = pack_resize_u8_cuda(args, host, on_device); });
  const CudaBlock in(device, kDevice, plan.in_h * plan.in_w * channels);
  const CudaBlock out(device, kDevice, plan.height * plan.width * channels);
  const CudaBlock workspace(device, kDevice, static_cast<int64_t>(resize_u8_cuda_workspace(args)));
  args.x = static_cast<const uint8_t*>(in.data());
  args.y = static_cast<uint8_t*>(out.data()) + plan.pad_y * args.ldy + plan.pad_x * channels;
  ResizeU8Pass passes[kResizePasses];
  resize_u8_cuda_passes(tables, args, 0, 0, workspace.data(), &passes[0], &passes[1]);
  const CudaArray<ResizeU8Pass> passes_there(device, passes, kResizePasses);
  const CudaStream stream(device);
  stream.copy_in(in.data(), x, in.size());
  if (plan.padded()) stream.fill(out.data(), 0, out.size());
  for (int i = 0; i < kResizePasses; ++i) {
    stream.check(device->ops().resize_u8(passes_there.data() + i, 1, passes[i].blocks(), 1, stream.get()),
                 "resize");
  }
  stream.copy_out(y, out.data(), out.size());
  stream.synchronize();
}

}  // namespace sns
