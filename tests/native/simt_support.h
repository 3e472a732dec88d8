#pragma once

#include <gtest/gtest.h>

#include "check/guarded.h"
#include "core/memory.h"
#include "seed.h"
#include "simt/simt.h"

namespace sns {

/// Runs `test(random)` `cases` times under every schedule of the executor, each with the same printed seed.
template <class Test>
void under_every_schedule(const char* op, int cases, Test test) {
  const uint64_t seed = printed_seed(op);
  for (const auto& schedule : simt::schedules(seed)) {
    SCOPED_TRACE(schedule.name());
    simt::set_schedule(schedule);
    Random random(seed);
    for (int i = 0; i < cases && !testing::Test::HasFatalFailure(); ++i) test(random);
  }
  simt::set_schedule({});
}

/// Runs `test` under every schedule; returns under how many it returned false or threw a Fault.
template <class Test>
inline int failures(Test test) {
  int failed = 0;
  for (const auto& schedule : simt::schedules(7)) {
    simt::set_schedule(schedule);
    try {
      if (!test()) ++failed;
    } catch (const simt::Fault&) {
      ++failed;
    }
  }
  simt::set_schedule({});
  return failed;
}

/// With a handful of outputs, or of weights that all outputs share, Σref² can come out near zero by
/// cancellation, and NMSE then says nothing of the kernel: such cases get positive operands only, as on the
/// CPU.
inline bool few(int64_t rows, int64_t in, int64_t out) { return rows * out < 32 || in * out < 64; }

template <class T = float>
Guarded<T> normal(Random& random, int64_t count, double deviation = 1, bool positive = false) {
  Guarded<T> x(count);
  random.fill_normal(x.data(), x.data() + count, deviation);
  for (int64_t i = 0; positive && i < count; ++i) x[i] = std::abs(x[i]);
  return x;
}

/// What a device block is packed into; "device" memory is the host's here.
class PackedBlock {
 public:
  explicit PackedBlock(size_t bytes) : memory_(static_cast<int64_t>(bytes)) {}
  void* data() { return memory_.data(); }

 private:
  AlignedArray<unsigned char> memory_;
};

}  // namespace sns
