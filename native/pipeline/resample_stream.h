#pragma once

#include "pipeline/stream_device.h"

namespace sns {

/// The last samples of a signal that grows at its end and is forgotten at its start; positions are counted
/// from the signal's first sample. Samples lie side by side in the device's memory; moving them together
/// costs a copy per sample at most.
class SampleWindow {
 public:
  SampleWindow(StreamDevice& device, int64_t capacity)
      : device_(device), capacity_(capacity), data_(device.allocate(2 * capacity)) {}
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  int64_t room() const { return capacity_ - (end_ - begin_); }
  const float* data() const { return data_ + offset_; }  ///< sample begin()
  /// Where the next samples go: `count` ≤ room() of them; advance() then says how many came.
  float* append(int64_t count);
  void advance(int64_t count) { end_ += count; }
  /// Forgets what is before `position`.
  void drop(int64_t position);
  void clear() { begin_ = end_ = offset_ = 0; }
  /// What is held, of a signal of that length.
  SignalPart part(int64_t total) const { return {data(), begin_, end_, total}; }

 private:
  StreamDevice& device_;
  int64_t capacity_, begin_ = 0, end_ = 0, offset_ = 0;
  float* data_;
};

/// The filter of a stream. Throws what ResampleFilter does, naming input_rate, and kLimitExceeded when the
/// samples that have to be kept for it pass kMaxHistory.
ResampleFilter stream_filter(int64_t input_rate, int64_t output_rate);

/// Resamples a signal that comes in chunks of any size, to the bits that the device's resampler gives for the
/// whole. Memory is fixed; nothing is allocated after construction. One thread at a time.
class ResampleStream {
 public:
  /// Longest filter of a stream, in input samples: it is the history that has to be kept.
  static constexpr int64_t kMaxHistory = int64_t{1} << 20;

  /// `filter` is a stream_filter and the device's; both must outlive the stream. `capacity`: samples that may
  /// wait unread, beside the filter's history.
  ResampleStream(const ResampleFilter& filter, StreamDevice& device, int64_t capacity);
  const ResampleFilter& filter() const { return filter_; }

  /// How many samples it can take now.
  int64_t room() const { return input_.room(); }
  /// Takes `count` ≤ room() samples of the caller.
  void push(const void* samples, bool s16, int64_t count);
  int64_t received() const { return input_.end(); }
  /// No more samples will come: what is missing at the end is zeros.
  void finish() { finished_ = true; }
  void clear();

  /// Outputs that what came so far determines, read ones included; after finish() all there will ever be.
  int64_t outputs() const {
    return finished_ ? filter_.output_length(received()) : resample_final_outputs(filter_, received());
  }
  /// No output is left and none will come.
  bool drained() const { return finished_ && produced_ == outputs(); }
  /// The next outputs, at most `count`, into the device's memory; returns how many.
  int64_t read(float* y, int64_t count);

 private:
  const ResampleFilter& filter_;
  StreamDevice& device_;
  SampleWindow input_;
  int64_t produced_ = 0;
  bool finished_ = false;
};

}  // namespace sns
