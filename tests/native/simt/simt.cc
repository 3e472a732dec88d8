#include "simt/simt.h"

#include <algorithm>
#include <exception>
#include <map>
#include <memory>

#include "simt/fiber.h"

namespace simt {
namespace {

constexpr int kWarp = 32;
constexpr size_t kGuard = 64;
constexpr unsigned char kGuardByte = 0xA5;
constexpr unsigned char kPoison = 0xFF;  // NaN as float, double, half and bfloat16
constexpr int kBarriers = 16;
constexpr int kMaxWords = 16;

struct Copy {
  void* to;
  const void* from;
  int bytes, valid;
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
};

struct MBarrier {
  uint32_t expected = 0, pending = 0;
  int64_t transactions = 0;
  uint64_t phase = 0;
};

struct SharedArray {
  std::vector<unsigned char> storage;
  size_t bytes;
  explicit SharedArray(size_t size) : storage(size + 2 * kGuard + 128), bytes(size) {
    std::fill(storage.begin(), storage.end(), kGuardByte);
    std::fill(data(), data() + bytes, kPoison);
  }
  unsigned char* data() {
    auto at = reinterpret_cast<uintptr_t>(storage.data() + kGuard);
    return reinterpret_cast<unsigned char*>((at + 127) & ~uintptr_t{127});
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
  std::map<const void*, std::unique_ptr<SharedArray>> statics;
  std::map<const uint64_t*, MBarrier> mbarriers;
};

inline thread_local Schedule schedule_now;
inline thread_local Thread* running = nullptr;
inline thread_local Block* block_now = nullptr;
inline thread_local Fiber* scheduler = nullptr;
inline thread_local const std::function<void()>* body_now = nullptr;

void yield() { Fiber::switch_to(running->fiber, *scheduler); }

void wait_past(const uint64_t* counter, uint64_t value) {
  running->waiting_on = counter;
  running->waiting_past = value;
  // The scheduler may resume us only once ready(); a fault ends the launch without resuming at all.
  yield();
  running->waiting_on = nullptr;
}

void release(Barrier& barrier) {
  barrier.arrived = 0;
  ++barrier.generation;
  // All have arrived, so all have read the votes before these, whose place is the next ones'.
  barrier.votes[barrier.generation & 1] = 0;
}

void arrive(Barrier& barrier, int count) {
  const uint64_t generation = barrier.generation;
  barrier.count = count;
  if (++barrier.arrived == count) {
    release(barrier);
    return;
  }
  wait_past(&barrier.generation, generation);
}

void perform(const std::vector<Copy>& copies) {
  for (const Copy& c : copies) {
    std::memcpy(c.to, c.from, static_cast<size_t>(c.valid));
    std::memset(static_cast<char*>(c.to) + c.valid, 0, static_cast<size_t>(c.bytes - c.valid));
  }
}

void thread_main(void* argument) {
  auto* self = static_cast<Thread*>(argument);
  try {
    (*body_now)();
  } catch (...) {
    self->error = std::current_exception();
  }
  self->finished = true;
  // Threads that have left no longer count at __syncthreads.
  Barrier& barrier = block_now->barriers[0];
  --block_now->alive;
  if (barrier.arrived > 0 && barrier.arrived == block_now->alive) release(barrier);
  Fiber::switch_to(self->fiber, *scheduler);
}

uint64_t next_random(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void resume(Thread& thread) {
  running = &thread;
  Fiber::switch_to(*scheduler, thread.fiber);
  running = nullptr;
  if (thread.error) std::rethrow_exception(thread.error);
}

std::string where(const Thread& t) {
  return "block (" + std::to_string(t.position.block_idx.x) + "," + std::to_string(t.position.block_idx.y) +
         "," + std::to_string(t.position.block_idx.z) + ") warp " + std::to_string(t.warp) + " lane " +
         std::to_string(t.lane);
}

void run_block(Block& block, uint64_t& random) {
  auto& threads = *block.threads;
  const int warps = static_cast<int>(block.warps.size());
  for (;;) {
    bool moved = false;
    const int ahead = schedule_now.run_ahead ? static_cast<int>(next_random(random) % warps) : -1;
    if (ahead >= 0) {
      // The favourite warp goes as far as it can before anybody else moves.
      for (bool again = true; again;) {
        again = false;
        for (auto& t : threads) {
          if (t->warp == ahead && t->ready()) {
            resume(*t);
            again = moved = true;
          }
        }
      }
    }
    for (auto& t : threads) {
      if (t->warp != ahead && t->ready()) {
        resume(*t);
        moved = true;
        if (ahead >= 0 && next_random(random) % 4 == 0) break;  // choose a new favourite now and then
      }
    }
    if (block.alive == 0) return;
    if (!moved) {
      for (auto& t : threads) {
        if (!t->finished) throw Fault("deadlock: " + where(*t) + " waits for threads that never come");
      }
    }
  }
}

}  // namespace

std::string Schedule::name() const {
  return std::string(copy_at_wait ? "copies at wait" : "copies at issue") +
         (run_ahead ? ", a warp runs ahead" : ", in order") + ", seed " + std::to_string(seed);
}

std::vector<Schedule> schedules(uint64_t seed) {
  return {{false, false, seed}, {true, false, seed}, {false, true, seed}, {true, true, seed}};
}

void set_schedule(const Schedule& schedule) { schedule_now = schedule; }

const Position& here() { return running->position; }

void launch(Dim3 grid, Dim3 block_dim, size_t dynamic_shared_bytes, const std::function<void()>& body) {
  const size_t count = size_t{block_dim.x} * block_dim.y * block_dim.z;
  if (count == 0 || count > 1024) throw Fault("block of " + std::to_string(count) + " threads");
  // Stacks are kept from launch to launch.
  static thread_local std::vector<std::unique_ptr<Thread>> pool;
  std::vector<std::unique_ptr<Thread>> threads;
  for (size_t i = 0; i < count; ++i) {
    if (pool.empty()) {
      threads.push_back(std::make_unique<Thread>());
    } else {
      threads.push_back(std::move(pool.back()));
      pool.pop_back();
    }
  }
  Fiber host;
  scheduler = &host;
  body_now = &body;
  uint64_t random = schedule_now.seed;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        Block block;
        block.threads = &threads;
        block.warps.resize((count + kWarp - 1) / kWarp);
        block.alive = static_cast<int>(count);
        block.dynamic = std::make_unique<SharedArray>(dynamic_shared_bytes);
        for (size_t i = 0; i < count; ++i) {
          Thread& t = *threads[i];
          t.position.thread_idx = Dim3(static_cast<unsigned>(i % block_dim.x),
                                       static_cast<unsigned>(i / block_dim.x % block_dim.y),
                                       static_cast<unsigned>(i / block_dim.x / block_dim.y));
          t.position.block_idx = Dim3(x, y, z);
          t.position.block_dim = block_dim;
          t.position.grid_dim = grid;
          t.warp = static_cast<int>(i / kWarp);
          t.lane = static_cast<int>(i % kWarp);
          t.finished = false;
          t.waiting_on = nullptr;
          t.groups.clear();
          t.open_group.clear();
          t.error = nullptr;
          t.fiber.prepare(thread_main, &t);
          ++block.warps[static_cast<size_t>(t.warp)].threads;
        }
        block_now = &block;
        run_block(block, random);
        if (!block.dynamic->intact()) throw Fault("write outside dynamic shared memory");
        for (auto& [site, array] : block.statics) {
          if (!array->intact()) throw Fault("write outside a static shared array");
        }
        block_now = nullptr;
      }
    }
  }
  for (auto& t : threads) pool.push_back(std::move(t));
}

void* dynamic_shared() { return block_now->dynamic->data(); }

void* static_shared(const void* site, size_t bytes) {
  auto& array = block_now->statics[site];
  if (!array) array = std::make_unique<SharedArray>(bytes);
  return array->data();
}

const uint32_t* exchange(Collective kind, const uint32_t* values, int words, void (*finish)(uint32_t*)) {
  Thread& self = *running;
  Warp& warp = block_now->warps[static_cast<size_t>(self.warp)];
  if (warp.threads != kWarp)
    throw Fault("collective in a warp of " + std::to_string(warp.threads) + " threads");
  if (warp.barrier.arrived == 0) {
    warp.kind = kind;
    warp.words = words;
  } else if (warp.kind != kind || warp.words != words) {
    throw Fault("divergent collective at " + where(self));
  }
  uint32_t* table = warp.table[warp.turn & 1];
  if (words > 0)
    std::memcpy(table + self.lane * words, values, sizeof(uint32_t) * static_cast<size_t>(words));
  if (warp.barrier.arrived + 1 == kWarp) {
    if (finish) finish(table);
    ++warp.turn;
  }
  arrive(warp.barrier, kWarp);
  return table;
}

void sync_threads() { sync_threads_or(0); }

int sync_threads_or(int predicate) {
  Barrier& barrier = block_now->barriers[0];
  int& votes = barrier.votes[barrier.generation & 1];
  votes |= predicate != 0;
  arrive(barrier, block_now->alive);
  return votes;
}

void named_barrier(int id, int count) {
  if (id <= 0 || id >= kBarriers || count % kWarp != 0) throw Fault("named barrier " + std::to_string(id));
  arrive(block_now->barriers[id], count);
}

void copy_async(void* shared, const void* global, int bytes, int valid) {
  if ((bytes != 4 && bytes != 8 && bytes != 16) || valid < 0 || valid > bytes) throw Fault("cp.async size");
  if (reinterpret_cast<uintptr_t>(shared) % static_cast<unsigned>(bytes) != 0 ||
      (valid > 0 && reinterpret_cast<uintptr_t>(global) % static_cast<unsigned>(bytes) != 0)) {
    throw Fault("cp.async of " + std::to_string(bytes) + " bytes is not aligned");
  }
  const Copy copy{shared, global, bytes, valid};
  if (schedule_now.copy_at_wait) {
    running->open_group.push_back(copy);
  } else {
    perform({copy});
  }
}

void copy_commit() {
  running->groups.push_back(std::move(running->open_group));
  running->open_group.clear();
}

void copy_wait(int pending) {
  auto& groups = running->groups;
  while (static_cast<int>(groups.size()) > pending) {
    perform(groups.front());
    groups.erase(groups.begin());
  }
}

namespace {

MBarrier& find(uint64_t* bar) {
  auto it = block_now->mbarriers.find(bar);
  if (it == block_now->mbarriers.end()) throw Fault("mbarrier used before its initialisation");
  return it->second;
}

void complete(MBarrier& b) {
  if (b.pending == 0 && b.transactions == 0) {
    b.pending = b.expected;
    ++b.phase;
  }
}

}  // namespace

void mbarrier_init(uint64_t* bar, uint32_t count) {
  block_now->mbarriers[bar] = MBarrier{count, count, 0, 0};
}

void mbarrier_arrive(uint64_t* bar) {
  MBarrier& b = find(bar);
  if (b.pending == 0) throw Fault("more arrivals at an mbarrier than it expects");
  --b.pending;
  complete(b);
}

void mbarrier_arrive_expect_tx(uint64_t* bar, uint32_t bytes) {
  find(bar).transactions += bytes;
  mbarrier_arrive(bar);
}

void mbarrier_wait(uint64_t* bar, uint32_t parity) {
  MBarrier& b = find(bar);
  // As try_wait.parity: passes once the phase of this parity is over.
  while ((b.phase & 1) == parity) wait_past(&b.phase, b.phase);
}

void bulk_copy(void* shared, const void* global, uint32_t bytes, uint64_t* bar) {
  if (bytes % 16 != 0 || reinterpret_cast<uintptr_t>(shared) % 16 != 0 ||
      reinterpret_cast<uintptr_t>(global) % 16 != 0) {
    throw Fault("bulk copy is not a multiple of, or not aligned to, 16 bytes");
  }
  std::memcpy(shared, global, bytes);
  MBarrier& b = find(bar);
  b.transactions -= bytes;
  complete(b);
}

}  // namespace simt
