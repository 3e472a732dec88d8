#include "backend/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>

namespace sns {
namespace {

// Long enough to bridge the gap between two ops of one request, short enough not to burn a server's cores.
constexpr auto kSpin = std::chrono::microseconds(30);

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<size_t>(std::max(0, threads - 1)));
  try {
    for (int w = 1; w < threads; ++w) workers_.emplace_back([this, w] { work(w); });
  } catch (...) {
    stop_.store(true);
    { std::lock_guard<std::mutex> lock(sleep_); }
    wake_.notify_all();
    for (auto& t : workers_) t.join();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  { std::lock_guard<std::mutex> lock(sleep_); }  // no worker is between its last check and its wait
  wake_.notify_all();
  for (auto& t : workers_) t.join();
}

void ThreadPool::drain(uint64_t epoch, int worker) {
  // The job's fields are read before a ticket of its epoch is won; winning one proves they were this job's:
  // the next job is not written before done_ has counted every ticket, this one included.
  const int64_t count = count_.load(std::memory_order_acquire);
  const Task task = task_.load(std::memory_order_relaxed);
  void* const context = context_.load(std::memory_order_relaxed);
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (ticket >> 32 == epoch && static_cast<int64_t>(ticket & 0xFFFFFFFFu) < count) {
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    task(context, static_cast<int64_t>(ticket & 0xFFFFFFFFu), worker);
    done_.fetch_add(1, std::memory_order_acq_rel);
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void ThreadPool::run(int64_t count, Task task, void* context) {
  constexpr int64_t kMaxCount = int64_t{1} << 31;
  if (workers_.empty() || count <= 1 || count > kMaxCount ||
      busy_.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < count; ++i) task(context, i, 0);
    return;
  }
  const uint64_t epoch = ((ticket_.load(std::memory_order_relaxed) >> 32) + 1) & 0xFFFFFFFFu;
  // Close the old epoch first: a worker still looking at it then fails its compare-exchange.
  ticket_.store(epoch << 32 | 0xFFFFFFFFu, std::memory_order_seq_cst);
  done_.store(0, std::memory_order_relaxed);
  task_.store(task, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  count_.store(count, std::memory_order_release);
  const uint64_t open = ((epoch + 1) & 0xFFFFFFFFu);
  ticket_.store(open << 32, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    { std::lock_guard<std::mutex> guard(sleep_); }
    wake_.notify_all();
  }
  drain(open, 0);
  for (int spins = 0; done_.load(std::memory_order_acquire) < count; ++spins) {
    if (spins < 4096) {
      relax();
    } else {
      std::this_thread::yield();  // a worker lost its core in the middle of a task
    }
  }
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::work(int worker) {
  uint64_t seen = 0;
  for (;;) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    uint64_t ticket;
    auto fresh = [&] {
      ticket = ticket_.load(std::memory_order_seq_cst);
      return ticket >> 32 != seen && (ticket & 0xFFFFFFFFu) != 0xFFFFFFFFu;
    };
    while (!fresh() && !stop_.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 32; ++i) relax();
      if (std::chrono::steady_clock::now() < until) continue;
      std::unique_lock<std::mutex> lock(sleep_);
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] { return stop_.load() || fresh(); });
      sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    }
    if (stop_.load(std::memory_order_relaxed)) return;
    seen = ticket >> 32;
    drain(seen, worker);
  }
}

}  // namespace sns
