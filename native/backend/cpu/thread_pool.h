#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/parallel.h"

namespace sns {

/// A fork-join pool of threads−1 workers plus the caller. Workers spin for some microseconds after a job and
/// then sleep, so that an idle engine costs nothing. Several callers may share a pool: whoever finds it busy
/// runs its tasks alone on its own thread instead of waiting. run() allocates nothing and does not throw.
class ThreadPool final : public Parallel {
 public:
  /// threads ≥ 1; with 1 no thread is made.
  explicit ThreadPool(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const override { return static_cast<int>(workers_.size()) + 1; }
  void run(int64_t count, Task task, void* context) override;

 private:
  void work(int worker);
  void drain(uint64_t epoch, int worker);

  std::vector<std::thread> workers_;
  // Taken by the caller whose job runs. Not a mutex: a task may call run() again on the thread that holds it.
  std::atomic<bool> busy_{false};
  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};

  // The job. `ticket` packs (epoch << 32 | next index), so that a late worker can never take an index of a
  // job that is over. Counts above 2³¹ do not fit and are run by the caller alone.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  std::atomic<int64_t> count_{0};
  std::atomic<Task> task_{nullptr};
  std::atomic<void*> context_{nullptr};
  alignas(64) std::atomic<int64_t> done_{0};
};

}  // namespace sns
