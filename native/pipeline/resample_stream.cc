#include "pipeline/resample_stream.h"

#include <algorithm>
#include <cstring>

namespace sns {

float* SampleWindow::append(int64_t count) {
  if (offset_ + (end_ - begin_) + count > data_.size()) {
    std::memmove(data_.data(), data(), static_cast<size_t>(end_ - begin_) * sizeof(float));
    offset_ = 0;
  }
  return data_.data() + offset_ + (end_ - begin_);
}

void SampleWindow::drop(int64_t position) {
  position = std::min(position, end_);
  if (position <= begin_) return;
  offset_ += position - begin_;
  begin_ = position;
  if (begin_ == end_) offset_ = 0;
}

ResampleStream::ResampleStream(int64_t input_rate, int64_t output_rate, int64_t capacity) {
  try {
    filter_ = ResampleFilter(input_rate, output_rate);
  } catch (const Error& e) {
    throw Error(e.code(), "input_rate", std::string("input_rate: ") + e.what(), e.limit());
  }
  const int64_t history = filter_.taps_per_phase() + filter_.orig() / filter_.target() + 1;
  if (filter_.orig() != filter_.target() && history > kMaxHistory) {
    throw Error(Code::kLimitExceeded, "input_rate",
                "input_rate: " + std::to_string(input_rate) + " to " + std::to_string(output_rate) +
                    " Hz needs a history of " + std::to_string(history) + " samples; the limit is " +
                    std::to_string(kMaxHistory),
                kMaxHistory);
  }
  input_ = SampleWindow(checked_add(capacity, std::min(history, kMaxHistory), "capacity"));
}

void ResampleStream::clear() {
  input_.clear();
  produced_ = 0;
  finished_ = false;
}

int64_t ResampleStream::read(float* y, int64_t count) {
  count = std::min(count, outputs() - produced_);
  if (count <= 0) return 0;
  resample_range_cpu(filter_, input_.data(), input_.begin(), input_.end(), received(), produced_, count, y);
  produced_ += count;
  input_.drop(resample_first_needed(filter_, produced_));
  return count;
}

}  // namespace sns
