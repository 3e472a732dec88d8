// The words of the CUDA runtime that the device pipeline is made of, one by one: on the host's stand-in, and
// on a GPU the first thing to look at when something fails there.

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "cuda_support.h"

namespace sns {
namespace {

constexpr auto kDevice = CudaBlock::Place::kDevice;
constexpr auto kHost = CudaBlock::Place::kHost;
constexpr int64_t kCount = 1000, kBytes = kCount * sizeof(float);

class RuntimeCuda : public testing::Test {
 protected:
  RuntimeCuda() : device_(cuda_engine()->cuda()), runtime_(device_->runtime()), stream_(device_) {}

  /// Page-locked floats that count from `first` on.
  CudaBlock counting(float first, int64_t count = kCount) const {
    CudaBlock block(device_, kHost, count * static_cast<int64_t>(sizeof(float)));
    std::iota(floats(block), floats(block) + count, first);
    return block;
  }
  static float* floats(const CudaBlock& block) { return static_cast<float*>(block.data()); }
  CudaBlock on_device() const { return CudaBlock(device_, kDevice, kBytes); }
  /// y = x by a kernel.
  int32_t launch(const CudaBlock& x, const CudaBlock& y) const {
    const ResampleCudaFilter same;
    return device_->ops().resample(same, {floats(x), 0, kCount, floats(y), 0, kCount}, stream_.get());
  }
  void expect_counting(const CudaBlock& y, float first) const {
    for (int64_t i = 0; i < kCount; ++i) ASSERT_EQ(first + static_cast<float>(i), floats(y)[i]) << i;
  }

  const CudaDevicePtr device_;
  const sns_cuda_runtime& runtime_;
  const CudaStream stream_;
};

TEST_F(RuntimeCuda, CopiesFillsAndLaunchesInTheStreamsOrder) {
  const CudaBlock x = counting(3), y = counting(0), a = on_device(), b = on_device(), c = on_device();
  stream_.copy_in(a.data(), x.data(), kBytes);
  stream_.copy(b.data(), a.data(), kBytes);
  stream_.fill(a.data(), 0, kBytes);
  stream_.check(launch(b, c), "resample");
  stream_.copy_out(y.data(), c.data(), kBytes);
  stream_.synchronize();
  expect_counting(y, 3);
  stream_.copy_out(y.data(), a.data(), kBytes);
  stream_.synchronize();
  EXPECT_EQ(0, floats(y)[kCount - 1]);
}

TEST_F(RuntimeCuda, WhatIsNotReadyIsNoErrorOfTheNextLaunch) {
  const CudaBlock a = on_device(), b = on_device();
  void* event = nullptr;
  ASSERT_EQ(0, runtime_.event_create(&event));
  EXPECT_EQ(0, runtime_.event_query(event));  // never recorded
  bool seen = false;
  for (int round = 0; round < 100 && !seen; ++round) {
    for (int i = 0; i < 50; ++i) stream_.check(launch(a, b), "resample");
    ASSERT_EQ(0, runtime_.event_record(event, stream_.get()));
    const int32_t status = runtime_.event_query(event);
    seen = status == SNS_CUDA_NOT_READY;
    EXPECT_TRUE(seen || status == 0) << status;
    EXPECT_EQ(0, launch(a, b));
  }
  EXPECT_TRUE(seen);
  EXPECT_EQ(0, runtime_.event_synchronize(event));
  EXPECT_EQ(0, runtime_.event_query(event));
  EXPECT_EQ(0, runtime_.event_destroy(event));
}

TEST_F(RuntimeCuda, ARefusedCallIsNoErrorOfTheNextLaunch) {
  const CudaBlock a = on_device(), b = on_device();
  EXPECT_NE(0, runtime_.use_device(1 << 20));
  EXPECT_EQ(0, launch(a, b));
  void* none = nullptr;
  const int32_t status = runtime_.allocate(int64_t{1} << 42, &none);
  EXPECT_EQ(SNS_CUDA_OUT_OF_MEMORY, status);
  EXPECT_EQ(0, launch(a, b));
  stream_.synchronize();
  EXPECT_FALSE(device_->lost());
}

TEST_F(RuntimeCuda, AnEventOrdersStreams) {
  const CudaBlock x = counting(7), y = counting(0), a = on_device(), b = on_device();
  const CudaStream other(device_);
  void* event = nullptr;
  ASSERT_EQ(0, runtime_.event_create(&event));
  for (int i = 0; i < 100; ++i) stream_.check(launch(b, a), "resample");
  stream_.copy_in(a.data(), x.data(), kBytes);
  ASSERT_EQ(0, runtime_.event_record(event, stream_.get()));
  ASSERT_EQ(0, runtime_.stream_wait(other.get(), event));
  other.copy_out(y.data(), a.data(), kBytes);
  other.synchronize();
  expect_counting(y, 7);
  EXPECT_EQ(0, runtime_.event_destroy(event));
}

/// A graph of copies from `x`, kCount floats each, to all of `to`, and of the last one's way to `y`.
void* capture(const sns_cuda_runtime& runtime, const CudaStream& stream, const float* x,
              const std::vector<CudaBlock>& to, float* y) {
  stream.check(runtime.capture_begin(stream.get()), "graph");
  for (const CudaBlock& a : to) {
    stream.copy_in(a.data(), x, kBytes);
    x += kCount;
  }
  for (const CudaBlock& a : to) {
    stream.copy_out(y, a.data(), kBytes);
    y += kCount;
  }
  void* graph = nullptr;
  stream.check(runtime.capture_end(stream.get(), &graph), "graph");
  return graph;
}

TEST_F(RuntimeCuda, AGraphsCopiesAreToldWhereToRead) {
  constexpr int64_t kCopies = 5;
  const CudaBlock x = counting(0, 3 * kCopies * kCount), y = counting(0, kCopies * kCount);
  std::vector<CudaBlock> to;
  for (int64_t i = 0; i < kCopies; ++i) to.push_back(on_device());
  const auto at = [&](int64_t place) { return floats(x) + place * kCount; };
  const auto expect = [&](std::vector<int64_t> places) {
    for (int64_t i = 0; i < kCopies; ++i) {
      const float first = static_cast<float>(places[static_cast<size_t>(i)] * kCount);
      EXPECT_EQ(first, floats(y)[i * kCount]) << i;
      EXPECT_EQ(first + kCount - 1, floats(y)[(i + 1) * kCount - 1]) << i;
    }
  };
  std::fill(floats(y), floats(y) + kCopies * kCount, -1.0f);
  void* const graph = capture(runtime_, stream_, at(0), to, floats(y));
  stream_.synchronize();
  EXPECT_EQ(-1, floats(y)[0]);  // nothing has run yet

  const auto run = [&] {
    stream_.check(runtime_.graph_launch(graph, stream_.get()), "graph");
    stream_.synchronize();
  };
  run();
  expect({0, 1, 2, 3, 4});
  for (int64_t i = 0; i < kCopies; ++i) {  // all of them, in their order
    EXPECT_EQ(0, runtime_.graph_copy_from(graph, to[static_cast<size_t>(i)].data(), at(14 - i)));
  }
  run();
  expect({14, 13, 12, 11, 10});
  EXPECT_EQ(0, runtime_.graph_copy_from(graph, to[3].data(), at(7)));  // some, in another
  EXPECT_EQ(0, runtime_.graph_copy_from(graph, to[1].data(), at(6)));
  EXPECT_EQ(0, runtime_.graph_copy_from(graph, to[1].data(), at(6)));
  run();
  expect({14, 6, 12, 7, 10});
  EXPECT_NE(0, runtime_.graph_copy_from(graph, y.data(), at(0)));  // not one of its copies
  stream_.check(runtime_.graph_launch(graph, stream_.get()), "graph");
  EXPECT_EQ(0, runtime_.graph_copy_from(graph, to[0].data(), at(2)));  // too late for that launch
  stream_.synchronize();
  expect({14, 6, 12, 7, 10});
  const CudaStream other(device_);
  stream_.check(runtime_.graph_launch(graph, other.get()), "graph");
  other.synchronize();
  expect({2, 6, 12, 7, 10});
  EXPECT_EQ(0, runtime_.graph_destroy(graph));
}

TEST_F(RuntimeCuda, TheStandInHoldsGraphsToPageLockedMemory) {
  if (!cuda_symbol("sns_simt_control")) return;  // what a GPU reads of other memory, and when, is not said
  const CudaBlock x = counting(0), elsewhere = counting(0);
  std::vector<CudaBlock> to;
  to.push_back(on_device());
  const CudaBlock y = counting(0);
  void* const graph = capture(runtime_, stream_, floats(x), to, floats(y));
  EXPECT_NE(0, runtime_.graph_copy_from(graph, to[0].data(), floats(elsewhere)));
  EXPECT_NE(0, runtime_.graph_copy_from(graph, to[0].data(), floats(x) + 1));  // ends behind it
  EXPECT_EQ(0, runtime_.graph_destroy(graph));
  const std::vector<float> pageable(kCount);
  ASSERT_EQ(0, runtime_.capture_begin(stream_.get()));
  EXPECT_NE(0, runtime_.copy_in(to[0].data(), pageable.data(), kBytes, stream_.get()));
  void* none = nullptr;
  runtime_.capture_end(stream_.get(), &none);
  if (none) runtime_.graph_destroy(none);
}

TEST_F(RuntimeCuda, OtherThreadsTakeMemoryWhileOneCaptures) {
  const CudaBlock x = counting(5, 2 * kCount), y = counting(0, 2 * kCount);
  std::vector<CudaBlock> to;
  for (int i = 0; i < 2; ++i) to.push_back(on_device());
  std::atomic<bool> over{false};
  std::atomic<int> turns{0};
  std::thread other([&] {
    device_->enter();
    const std::vector<float> values(kCount, 1);
    while (!over || turns == 0) {
      const CudaArray<float> array(device_, values.data(), kCount);
      const CudaBlock host(device_, kHost, kBytes);
      const CudaStream stream(device_);
      stream.copy_out(host.data(), array.data(), kBytes);
      stream.synchronize();
      EXPECT_EQ(1, floats(host)[kCount - 1]);
      ++turns;
    }
  });
  for (int i = 0; i < 20; ++i) {
    void* const graph = capture(runtime_, stream_, floats(x), to, floats(y));
    stream_.check(runtime_.graph_launch(graph, stream_.get()), "graph");
    stream_.synchronize();
    expect_counting(y, 5);
    std::fill(floats(y), floats(y) + kCount, -1.0f);
    EXPECT_EQ(0, runtime_.graph_destroy(graph));
  }
  over = true;
  other.join();
}

TEST_F(RuntimeCuda, ABrokenCaptureLeavesTheStreamUsable) {
  const CudaBlock x = counting(9), y = counting(0), a = on_device();
  ASSERT_EQ(0, runtime_.capture_begin(stream_.get()));
  stream_.copy_in(a.data(), x.data(), kBytes);
  EXPECT_NE(0, runtime_.stream_synchronize(stream_.get()));  // not while it is captured
  void* graph = nullptr;
  runtime_.capture_end(stream_.get(), &graph);
  if (graph) runtime_.graph_destroy(graph);
  EXPECT_NE(0, runtime_.capture_end(stream_.get(), &graph));  // there is none any more
  EXPECT_EQ(nullptr, graph);
  stream_.copy_in(a.data(), x.data(), kBytes);
  stream_.copy_out(y.data(), a.data(), kBytes);
  stream_.synchronize();
  expect_counting(y, 9);
}

}  // namespace
}  // namespace sns
