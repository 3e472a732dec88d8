#include "pipeline/audio_stream.h"

#include <algorithm>
#include <string>

#include "ops/finite/finite.h"
#include "pipeline/config.h"
#include "pipeline/cuda/stream_device.h"

namespace sns {
namespace {

// Frames that wait as samples: enough for whole vectors of them.
constexpr int64_t kBlockFrames = 64, kBlockSamples = 65536;

LogMelPlan checked_plan(const LogMelConfig& c) {
  LogMelPlan plan(c);
  if (c.clip == ClipRange::kClipMax) {
    throw Error(Code::kInvalidArgument, "clip",
                "clip: the sound's own maximum is known only at its end; a stream needs a fixed one");
  }
  if (c.norm != FeatureNorm::kNone) {
    throw Error(Code::kInvalidArgument, "norm",
                "norm: z-scores over the whole sound are known only at its end; a stream cannot give them");
  }
  const auto bounded = [](int64_t value, const char* field) {
    if (value > AudioStream::kMaxHop) {
      throw Error(Code::kLimitExceeded, field,
                  std::string(field) + ": " + std::to_string(value) + " samples; the limit of a stream is " +
                      std::to_string(AudioStream::kMaxHop),
                  AudioStream::kMaxHop);
    }
  };
  bounded(c.hop, "hop");
  bounded(c.frame_span, "frame_span");
  return plan;
}

int64_t checked_capacity(int64_t capacity, int64_t input_rate) {
  if (capacity < 0) throw Error(Code::kInvalidArgument, "capacity", "capacity: negative");
  if (capacity == 0) capacity = std::clamp<int64_t>(input_rate, 1, int64_t{1} << 20);
  if (capacity > AudioStream::kMaxCapacity) {
    throw Error(Code::kLimitExceeded, "capacity", "capacity: more than 2^28 samples",
                AudioStream::kMaxCapacity);
  }
  return capacity;
}

// The smallest n in [0, high] for which f(n) holds; f never turns false again.
template <class F>
int64_t first_where(int64_t high, F f) {
  int64_t low = 0;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (f(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// One frame with the reflections of either end, and a block more.
int64_t window(const LogMelConfig& c) {
  const int64_t block = std::clamp<int64_t>(kBlockSamples / c.hop, 1, kBlockFrames);
  return 2 * c.n_fft + c.frame_span + (block + 2) * c.hop + 64;
}

std::unique_ptr<StreamDevice> stream_device(const CudaDevicePtr& cuda, const ResampleFilter& filter,
                                            const LogMelPlan& plan) {
  if (cuda) return std::make_unique<CudaStreamDevice>(cuda, filter, plan);
  return std::make_unique<HostStreamDevice>(filter, plan);
}

}  // namespace

AudioStream::AudioStream(const LogMelConfig& config, int64_t input_rate, int64_t capacity,
                         const CudaDevicePtr& cuda)
    : plan_(checked_plan(config)),
      capacity_(checked_capacity(capacity, input_rate)),
      filter_(stream_filter(input_rate, config.sample_rate)),
      device_(stream_device(cuda, filter_, plan_)),
      resampler_(filter_, *device_, capacity_),
      samples_(*device_, window(config)),
      latency_(measure_latency()) {}

int64_t AudioStream::measure_latency() const {
  // Far enough from the start that nothing of it is seen; the samples before which it is not final.
  const LogMelConfig& c = plan_.config();
  const int64_t frame = 2 * c.n_fft / c.hop + 2;
  const int64_t final_at =
      first_where(int64_t{1} << 40, [&](int64_t n) { return log_mel_final_frames(plan_, n) > frame; });
  const ResampleFilter& f = filter_;
  const int64_t past_x2 = 2 * final_at - plan_.frame_centre_x2(frame);
  if (f.orig() == f.target()) return ceil_div(past_x2, 2);
  // The last of those samples stands one before; its taps end less than half_width + 1 after it.
  const int64_t input =
      ceil_div(checked_mul(std::max<int64_t>(0, past_x2 - 2), f.orig(), "hop"), 2 * f.target());
  return input + f.half_width() + 2;
}

int64_t AudioStream::push(const void* samples, bool s16, int64_t count) {
  if (finished_)
    throw Error(Code::kIllegalState, "stream", "the stream is finished; clear it for a new sound");
  count = std::min(count, capacity_);
  if (count > kMaxExtent - resampler_.received()) {
    throw Error(Code::kLimitExceeded, "count", "count: the sound is longer than 2^40 samples", kMaxExtent);
  }
  if (!s16) {
    const int64_t bad = first_non_finite(static_cast<const float*>(samples), count);
    if (bad >= 0) {
      const std::string field = "samples[" + std::to_string(bad) + "]";
      throw Error(Code::kOutOfRange, field, field + " is NaN or infinite");
    }
  }
  int64_t taken = 0;
  while (taken < count) {
    const int64_t part = std::min(count - taken, resampler_.room());
    if (part == 0) break;
    const int64_t size = s16 ? sizeof(int16_t) : sizeof(float);
    resampler_.push(static_cast<const unsigned char*>(samples) + taken * size, s16, part);
    taken += part;
    pump();
  }
  return taken;
}

void AudioStream::finish() {
  finished_ = true;
  resampler_.finish();
  pump();
}

void AudioStream::pump() {
  for (;;) {
    samples_.drop(log_mel_first_needed(plan_, next_, samples_.end()));
    const int64_t room = samples_.room();
    const int64_t count = resampler_.read(samples_.append(room), room);
    if (count == 0) return;
    samples_.advance(count);
  }
}

int64_t AudioStream::frames() const {
  return std::max<int64_t>(0, final_frames(resampler_.outputs(), finished_) - next_);
}

int64_t AudioStream::read(float* y, int64_t count) {
  const int64_t mels = plan_.config().n_mels;
  int64_t done = 0;
  while (done < count) {
    const bool ended = resampler_.drained();
    const int64_t ready = std::min(count - done, final_frames(samples_.end(), ended) - next_);
    if (ready <= 0) break;
    const SignalPart part = samples_.part(ended ? samples_.end() : SignalPart::kOpen);
    device_->features(part, next_, ready, y + done * mels);
    next_ += ready;
    done += ready;
    pump();
  }
  return done;
}

void AudioStream::clear() {
  resampler_.clear();
  samples_.clear();
  next_ = 0;
  finished_ = false;
}

}  // namespace sns
