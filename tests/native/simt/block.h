#pragma once

// The executor's own view of a block that is running; kernels see simt.h and async.h.

#include <algorithm>
#include <array>
#include <exception>
#include <map>
#include <memory>

#include "simt/fiber.h"
#include "simt/simt.h"

namespace simt {

constexpr int kWarp = 32;
constexpr size_t kGuard = 64;
constexpr size_t kSharedAlign = 1024;
constexpr unsigned char kGuardByte = 0xA5;
constexpr unsigned char kPoison = 0xFF;  // NaN as float, double, half and bfloat16
constexpr int kBarriers = 16;
constexpr int kMaxWords = 16;

struct Copy {
  void* to;
  const void* from;
  int bytes, valid;
};

/// A wgmma that was issued and not yet waited for.
struct Wgmma {
  float* d;
  const uint32_t* a;  ///< the kernel's registers, which must stay as they were
  std::array<uint32_t, 4> a_then;
  uint64_t b;
};
/// Sums that a group in flight owns: the kernel's registers are poison meanwhile.
struct Sums {
  float* d;
  std::array<float, 64> values;
  int in_flight;
};

struct Thread {
  Fiber fiber;
  Position position;
  int warp = 0, lane = 0;
  bool finished = false;
  const uint64_t* waiting_on = nullptr;  // a generation counter...
  uint64_t waiting_past = 0;             // ...that must leave this value
  std::vector<std::vector<Copy>> groups;
  std::vector<Copy> open_group;
  std::vector<std::vector<Wgmma>> wgmma_groups;
  std::vector<Wgmma> wgmma_open;
  std::vector<Sums> sums;
  std::vector<Wgmma> fenced;  ///< registers of A known so far, with what they held at the last wgmma.fence
  bool wgmma_fenced = false;
  std::exception_ptr error;

  bool ready() const { return !finished && (!waiting_on || *waiting_on != waiting_past); }
};

struct Barrier {
  int arrived = 0, count = 0;
  uint64_t generation = 0;
  int votes[2] = {};  // of sync_threads_or, by the parity of the generation
};

struct Warp {
  Barrier barrier;
  int threads = 0;
  Collective kind{};
  int words = 0;
  // Two tables: a lane that runs on to the next collective must not overwrite what a slower lane still reads.
  uint32_t table[2][kWarp * kMaxWords];
  uint64_t turn = 0;
  size_t wgmmas = 0;
};

/// What is still to land of copies that an mbarrier waits for.
struct Landing {
  std::vector<Copy> copies;
  uint32_t bytes;  ///< of a bulk copy; 0: an arrival
};

struct MBarrier {
  uint32_t expected = 0, pending = 0;
  int64_t transactions = 0;
  uint64_t phase = 0, news = 0;  ///< news: phases and landings, what a waiting thread wakes up for
  bool fenced = false;
  std::vector<Landing> landings;
};

struct SharedArray {
  std::vector<unsigned char> storage;
  size_t bytes;
  explicit SharedArray(size_t size) : storage(size + 2 * kGuard + kSharedAlign), bytes(size) {
    std::fill(storage.begin(), storage.end(), kGuardByte);
    std::fill(data(), data() + bytes, kPoison);
  }
  unsigned char* data() {
    auto at = reinterpret_cast<uintptr_t>(storage.data() + kGuard);
    return reinterpret_cast<unsigned char*>((at + kSharedAlign - 1) & ~uintptr_t{kSharedAlign - 1});
  }
  bool holds(const void* p, size_t size) {
    const auto* at = static_cast<const unsigned char*>(p);
    return at >= data() && at + size <= data() + bytes;
  }
  bool intact() {
    return std::all_of(storage.data(), data(), [](unsigned char b) { return b == kGuardByte; }) &&
           std::all_of(data() + bytes, storage.data() + storage.size(),
                       [](unsigned char b) { return b == kGuardByte; });
  }
};

struct Block {
  std::vector<std::unique_ptr<Thread>>* threads = nullptr;
  std::vector<Warp> warps;
  Barrier barriers[kBarriers];
  int alive = 0;
  std::unique_ptr<SharedArray> dynamic;
  std::unique_ptr<SharedArray> proxy;  ///< dynamic shared memory as bulk copies left it: what wgmma sees
  std::map<const void*, std::unique_ptr<SharedArray>> statics;
  std::map<const uint64_t*, MBarrier> mbarriers;
  std::vector<std::vector<uint64_t>> wgmmas;  ///< descriptors, by warpgroup
};

inline thread_local Schedule schedule_now;
inline thread_local Thread* running = nullptr;
inline thread_local Block* block_now = nullptr;

/// Parks the running thread until *counter leaves `value`.
void wait_past(const uint64_t* counter, uint64_t value);
void perform(const std::vector<Copy>& copies);
std::string where(const Thread& t);
/// Faults if a block leaves copies or wgmmas behind that nobody waited for.
void check_nothing_in_flight(const Block& block);

}  // namespace simt
