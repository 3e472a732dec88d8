#include "backend/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <vector>

namespace sns {
namespace {

/// Runs `count` tasks and checks that each index ran exactly once, on a worker that exists, and that what the
/// tasks wrote without atomics is visible afterwards.
void run_and_check(Parallel& parallel, int64_t count) {
  std::vector<int> hits(static_cast<size_t>(count), 0);
  std::atomic<bool> worker_ok{true};
  parallel_for(parallel, count, [&](int64_t i, int worker) {
    ++hits[static_cast<size_t>(i)];
    if (worker < 0 || worker >= parallel.threads()) worker_ok = false;
  });
  for (int64_t i = 0; i < count; ++i)
    ASSERT_EQ(hits[static_cast<size_t>(i)], 1) << "index " << i << " of " << count;
  EXPECT_TRUE(worker_ok);
}

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t count : {0, 1, 2, 3, 7, 8, 9, 1000, 1'000'000}) run_and_check(pool, count);
  }
}

TEST(ThreadPool, ManyShortJobsInARow) {
  ThreadPool pool(4);
  for (int job = 0; job < 20'000; ++job) {
    std::atomic<int64_t> sum{0};
    const int64_t count = 2 + job % 7;
    parallel_for(pool, count, [&](int64_t i, int) { sum.fetch_add(i + 1, std::memory_order_relaxed); });
    ASSERT_EQ(sum.load(), count * (count + 1) / 2) << "job " << job;
  }
}

TEST(ThreadPool, SleepingWorkersWake) {
  ThreadPool pool(3);
  for (int job = 0; job < 50; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // far past the spin
    run_and_check(pool, 100);
  }
}

TEST(ThreadPool, WorkersTakePart) {
  ThreadPool pool(2);
  // The two tasks wait for each other: one thread alone would never come back from the first.
  std::atomic<int> here{0};
  std::atomic<int> workers{0};
  parallel_for(pool, 2, [&](int64_t, int worker) {
    workers.fetch_or(1 << worker);
    here.fetch_add(1);
    while (here.load() < 2) std::this_thread::yield();
  });
  EXPECT_EQ(workers.load(), 3);
}

// `worker` names private scratch: no two tasks of a job may run with the same one at once.
TEST(ThreadPool, WorkerIndexIsExclusive) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<bool> shared{false};
  parallel_for(pool, 20'000, [&](int64_t, int worker) {
    if (inside[static_cast<size_t>(worker)].fetch_add(1) != 0) shared = true;
    inside[static_cast<size_t>(worker)].fetch_sub(1);
  });
  EXPECT_FALSE(shared);
}

TEST(ThreadPool, ManyCallersShareIt) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 6; ++c) {
    callers.emplace_back([&pool, &wrong, c] {
      for (int job = 0; job < 2000; ++job) {
        const int64_t count = 1 + (job * 7 + c) % 50;
        std::vector<int64_t> out(static_cast<size_t>(count), -1);
        parallel_for(pool, count, [&](int64_t i, int) { out[static_cast<size_t>(i)] = i * c; });
        for (int64_t i = 0; i < count; ++i) wrong += out[static_cast<size_t>(i)] != i * c;
      }
    });
  }
  for (auto& t : callers) t.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(ThreadPool, TasksMayUseThePoolTheyRunOn) {
  ThreadPool pool(3);
  for (int job = 0; job < 200; ++job) {
    std::atomic<int64_t> sum{0};
    parallel_for(pool, 8, [&](int64_t, int) {
      parallel_for(pool, 16, [&](int64_t i, int) { sum.fetch_add(i, std::memory_order_relaxed); });
    });
    ASSERT_EQ(sum.load(), 8 * 120);
  }
}

TEST(ThreadPool, MayBeDestroyedRightAfterUse) {
  for (int round = 0; round < 300; ++round) {
    auto pool = std::make_unique<ThreadPool>(1 + round % 5);
    std::atomic<int> done{0};
    if (round % 3 != 0) parallel_for(*pool, 5, [&](int64_t, int) { ++done; });
    pool.reset();
    EXPECT_EQ(done.load(), round % 3 != 0 ? 5 : 0);
  }
}

TEST(Serial, RunsInOrderOnWorkerZero) {
  Serial serial;
  std::vector<int64_t> order;
  parallel_for(serial, 5, [&](int64_t i, int worker) {
    EXPECT_EQ(worker, 0);
    order.push_back(i);
  });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace sns
