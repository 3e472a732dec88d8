#include "pipeline/cuda/stream_device.h"

#include <algorithm>

#include "pipeline/cuda/stages.h"

namespace sns {
namespace {

constexpr auto kDevice = CudaBlock::Place::kDevice;
constexpr auto kHost = CudaBlock::Place::kHost;
constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kStaged = 65536;             // samples on their way before one waits for them
constexpr int64_t kRows = CudaFftPlan::kRows;  // frames that are computed at once

}  // namespace

CudaStreamDevice::CudaStreamDevice(const CudaDevicePtr& device, const ResampleFilter& filter,
                                   const LogMelPlan& plan)
    : device_(entered(device)), stream_(device_) {
  const std::shared_ptr<const CudaFft> fft = fft_for(*device_, plan.config(), "n_fft");
  filter_block_ = CudaBlock::packed(device_, resample_cuda_bytes(filter), [&](void* host, void* on_device) {
    filter_ = pack_resample_cuda(filter, host, on_device);
  });
  plan_block_ = CudaBlock::packed(device_, log_mel_cuda_bytes(plan), [&](void* host, void* on_device) {
    plan_ = pack_log_mel_cuda(plan, host, on_device);
  });
  plan_.config.mel_major = 0;
  bytes_ = filter_block_.size() + plan_block_.size();
  staging_ = take(kHost, kStaged * kFloat);
  item_ = take(kDevice, sizeof(LogMelCudaItem));
  item_host_ = take(kHost, sizeof(LogMelCudaItem));
  features_ = take(kDevice, checked_mul(kRows, plan_.config.n_mels * kFloat, "n_mels"));
  if (!fft) return;
  const int64_t n = 2 * plan_.half, value = plan_.wide ? sizeof(double) : sizeof(float);
  fft_.emplace(fft, n, plan_.wide);
  windows_ = take(kDevice, kRows * n * value);
  spectrum_ = take(kDevice, kRows * (n + 2) * value);
}

CudaBlock CudaStreamDevice::take(CudaBlock::Place place, int64_t bytes) {
  CudaBlock block(device_, place, bytes);
  bytes_ += bytes;
  return block;
}

float* CudaStreamDevice::allocate(int64_t count) {
  device_->enter();
  samples_.push_back(take(kDevice, checked_mul(count, kFloat, "capacity")));
  return static_cast<float*>(samples_.back().data());
}

int64_t CudaStreamDevice::bytes() const { return bytes_; }

void CudaStreamDevice::put(float* to, const void* samples, bool s16, int64_t count) {
  device_->enter();
  const int64_t size = s16 ? sizeof(int16_t) : sizeof(float);
  for (int64_t at = 0; at < count;) {
    if (staged_ == kStaged) {
      stream_.synchronize();
      staged_ = 0;
    }
    const int64_t part = std::min(count - at, kStaged - staged_);
    float* staged = static_cast<float*>(staging_.data()) + staged_;
    to_floats(static_cast<const unsigned char*>(samples) + at * size, s16, part, staged);
    stream_.copy_in(to + at, staged, part * kFloat);
    staged_ += part;
    at += part;
  }
}

void CudaStreamDevice::move(float* to, const float* from, int64_t count) {
  device_->enter();
  stream_.copy(to, from, count * kFloat);
}

void CudaStreamDevice::resample(const SignalPart& input, int64_t first, int64_t count, float* y) {
  device_->enter();
  const ResampleCudaArgs args{input.samples, input.begin, std::min(input.total, input.end), y, first, count};
  stream_.check(stream_.ops().resample(filter_, args, stream_.get()), "resample");
}

void CudaStreamDevice::features(const SignalPart& signal, int64_t first, int64_t count, float* y) {
  device_->enter();
  const int64_t mels = plan_.config.n_mels;
  for (int64_t done = 0; done < count;) {
    LogMelCudaItem& item = *static_cast<LogMelCudaItem*>(item_host_.data());
    item = {};
    item.samples = signal.samples;
    item.sample_count = signal.total - signal.begin;
    item.frames = std::min(count - done, kRows);
    item.y = static_cast<float*>(features_.data());
    item.ldy = mels;
    item.shift = plan_.config.hop * (first + done) - signal.begin;
    LogMelCudaArgs clip;
    clip.items = static_cast<const LogMelCudaItem*>(item_.data());
    clip.count = 1;
    clip.max_frames = item.frames;
    stream_.copy_in(item_.data(), &item, item_.size());
    run_log_mel(stream_, plan_, fft_ ? &*fft_ : nullptr, clip, windows_.data(), spectrum_.data(), nullptr);
    stream_.copy_out(y + done * mels, features_.data(), item.frames * mels * kFloat);
    stream_.synchronize();
    staged_ = 0;
    done += item.frames;
  }
}

}  // namespace sns
