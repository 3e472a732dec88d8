#include "pipeline/stream_device.h"

#include <cstring>

namespace sns {

void to_floats(const void* samples, bool s16, int64_t count, float* y) {
  if (!s16) {
    std::memcpy(y, samples, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  const int16_t* from = static_cast<const int16_t*>(samples);
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(from[i]) * 0x1p-15f;
}

HostStreamDevice::HostStreamDevice(const ResampleFilter& filter, const LogMelPlan& plan)
    : filter_(filter), plan_(plan), scratch_(static_cast<int64_t>(log_mel_scratch(plan, 0, 1))) {}

float* HostStreamDevice::allocate(int64_t count) {
  samples_.emplace_back(count);
  return samples_.back().data();
}

int64_t HostStreamDevice::bytes() const {
  int64_t sum = scratch_.size();
  for (const AlignedArray<float>& s : samples_) sum += s.size() * static_cast<int64_t>(sizeof(float));
  return sum;
}

void HostStreamDevice::put(float* to, const void* samples, bool s16, int64_t count) {
  to_floats(samples, s16, count, to);
}

void HostStreamDevice::move(float* to, const float* from, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

void HostStreamDevice::resample(const SignalPart& input, int64_t first, int64_t count, float* y) {
  resample_range_cpu(filter_, input.samples, input.begin, input.end, input.total, first, count, y);
}

void HostStreamDevice::features(const SignalPart& signal, int64_t first, int64_t count, float* y) {
  Serial serial;
  log_mel_frames_cpu(plan_, signal, first, count, y, plan_.config().n_mels, scratch_.data(), serial);
}

}  // namespace sns
