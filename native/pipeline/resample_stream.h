#pragma once

#include "core/memory.h"
#include "ops/resample/resample.h"

namespace sns {

/// The last samples of a signal that grows at its end and is forgotten at its start; positions are counted
/// from the signal's first sample. Samples lie side by side; moving them together costs a copy per sample at
/// most.
class SampleWindow {
 public:
  SampleWindow() = default;
  explicit SampleWindow(int64_t capacity) : capacity_(capacity), data_(2 * capacity) {}
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  int64_t room() const { return capacity_ - (end_ - begin_); }
  int64_t bytes() const { return data_.size() * static_cast<int64_t>(sizeof(float)); }
  const float* data() const { return data_.data() + offset_; }  ///< sample begin()
  /// Where the next samples go: `count` ≤ room() of them; advance() then says how many came.
  float* append(int64_t count);
  void advance(int64_t count) { end_ += count; }
  /// Forgets what is before `position`.
  void drop(int64_t position);
  void clear() { begin_ = end_ = offset_ = 0; }

 private:
  int64_t capacity_ = 0, begin_ = 0, end_ = 0, offset_ = 0;
  AlignedArray<float> data_;
};

/// Resamples a signal that comes in chunks of any size, to the bits that resample_cpu gives for the whole.
/// Memory is fixed; nothing is allocated after construction. One thread at a time.
class ResampleStream {
 public:
  /// Longest filter of a stream, in input samples: it is the history that has to be kept.
  static constexpr int64_t kMaxHistory = int64_t{1} << 20;

  ResampleStream() = default;
  /// `capacity`: samples that may wait unread, beside the filter's history. Throws kLimitExceeded naming
  /// input_rate when that history passes kMaxHistory.
  ResampleStream(int64_t input_rate, int64_t output_rate, int64_t capacity);
  const ResampleFilter& filter() const { return filter_; }
  int64_t bytes() const { return input_.bytes(); }

  /// How many samples it can take now.
  int64_t room() const { return input_.room(); }
  /// Room for `count` ≤ room() samples that advance() then adds.
  float* append(int64_t count) { return input_.append(count); }
  void advance(int64_t count) { input_.advance(count); }
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
  /// The next outputs, at most `count`; returns how many.
  int64_t read(float* y, int64_t count);

 private:
  ResampleFilter filter_;
  SampleWindow input_;
  int64_t produced_ = 0;
  bool finished_ = false;
};

}  // namespace sns
