#include "pipeline/resample_stream.h"

#include <algorithm>

namespace sns {
namespace {

int64_t history(const ResampleFilter& filter) {
  return filter.taps_per_phase() + filter.orig() / filter.target() + 1;
}

}  // namespace

float* SampleWindow::append(int64_t count) {
  const int64_t held = end_ - begin_;
  if (offset_ + held + count > 2 * capacity_) {  // then offset_ is past capacity_: nothing overlaps
    if (held > 0) device_.move(data_, data(), held);
    offset_ = 0;
  }
  return data_ + offset_ + held;
}

void SampleWindow::drop(int64_t position) {
  position = std::min(position, end_);
  if (position <= begin_) return;
  offset_ += position - begin_;
  begin_ = position;
  if (begin_ == end_) offset_ = 0;
}

ResampleFilter stream_filter(int64_t input_rate, int64_t output_rate) {
  ResampleFilter filter;
  try {
    filter = ResampleFilter(input_rate, output_rate);
  } catch (const Error& e) {
    throw Error(e.code(), "input_rate", std::string("input_rate: ") + e.what(), e.limit());
  }
  if (filter.orig() != filter.target() && history(filter) > ResampleStream::kMaxHistory) {
    throw Error(Code::kLimitExceeded, "input_rate",
                "input_rate: " + std::to_string(input_rate) + " to " + std::to_string(output_rate) +
                    " Hz needs a history of " + std::to_string(history(filter)) + " samples; the limit is " +
                    std::to_string(ResampleStream::kMaxHistory),
                ResampleStream::kMaxHistory);
  }
  return filter;
}

ResampleStream::ResampleStream(const ResampleFilter& filter, StreamDevice& device, int64_t capacity)
    : filter_(filter),
      device_(device),
      input_(device, checked_add(capacity, std::min(history(filter), kMaxHistory), "capacity")) {}

void ResampleStream::push(const void* samples, bool s16, int64_t count) {
  device_.put(input_.append(count), samples, s16, count);
  input_.advance(count);
}

void ResampleStream::clear() {
  input_.clear();
  produced_ = 0;
  finished_ = false;
}

int64_t ResampleStream::read(float* y, int64_t count) {
  count = std::min(count, outputs() - produced_);
  if (count <= 0) return 0;
  device_.resample(input_.part(received()), produced_, count, y);
  produced_ += count;
  input_.drop(resample_first_needed(filter_, produced_));
  return count;
}

}  // namespace sns
