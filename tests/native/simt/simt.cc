#include "simt/simt.h"

#include <cstdlib>

#include "backend/cuda/kernel.h"
#include "simt/block.h"

namespace simt {
namespace {

inline thread_local Fiber* scheduler = nullptr;
inline thread_local const std::function<void()>* body_now = nullptr;

void yield() { Fiber::switch_to(running->fiber, *scheduler); }

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

/// What a block takes of shared memory: dynamic memory is aligned behind what is static.
void check_shared(const Block& block) {
  constexpr size_t kUnasked = 48 * 1024, kArrayAlign = 16;
  const auto up = [](size_t n, size_t to) { return (n + to - 1) / to * to; };
  const size_t dynamic = block.dynamic->bytes;
  size_t bytes = 0;
  for (const auto& entry : block.statics) bytes = up(bytes, kArrayAlign) + entry.second->bytes;
  if (dynamic > 0) bytes = up(bytes, kSharedAlign) + dynamic;
  if (bytes > (dynamic > sns::gpu::kSharedUnasked ? shared_limit() : kUnasked)) {
    throw Fault("a block of " + std::to_string(bytes) + " bytes of shared memory, " +
                std::to_string(dynamic) + " of them dynamic");
  }
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

void wait_past(const uint64_t* counter, uint64_t value) {
  running->waiting_on = counter;
  running->waiting_past = value;
  // The scheduler may resume us only once ready(); a fault ends the launch without resuming at all.
  yield();
  running->waiting_on = nullptr;
}

void perform(const std::vector<Copy>& copies) {
  for (const Copy& c : copies) {
    std::memcpy(c.to, c.from, static_cast<size_t>(c.valid));
    std::memset(static_cast<char*>(c.to) + c.valid, 0, static_cast<size_t>(c.bytes - c.valid));
  }
}

std::string where(const Thread& t) {
  return "block (" + std::to_string(t.position.block_idx.x) + "," + std::to_string(t.position.block_idx.y) +
         "," + std::to_string(t.position.block_idx.z) + ") warp " + std::to_string(t.warp) + " lane " +
         std::to_string(t.lane);
}

std::string Schedule::name() const {
  return std::string(copy_at_wait ? "copies at wait" : "copies at issue") +
         (run_ahead ? ", a warp runs ahead" : ", in order") + ", seed " + std::to_string(seed);
}

std::vector<Schedule> schedules(uint64_t seed) {
  return {{false, false, seed}, {true, false, seed}, {false, true, seed}, {true, true, seed}};
}

void set_schedule(const Schedule& schedule) { schedule_now = schedule; }

namespace {
int initial_capability() {
  const char* set = std::getenv("SENSORIUM_SIMT_CAPABILITY");
  return set ? std::atoi(set) : 90;
}
inline thread_local int capability = initial_capability();
}  // namespace
int compute_capability() { return capability; }
void set_compute_capability(int value) { capability = value; }
size_t shared_limit() {
  return capability >= 90   ? 227 * 1024
         : capability == 80 ? 163 * 1024
         : capability > 80  ? 99 * 1024
                            : 64 * 1024;
}

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
        block.wgmmas.resize(block.warps.size() / 4);
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
          t.wgmma_groups.clear();
          t.wgmma_open.clear();
          t.sums.clear();
          t.fenced.clear();
          t.wgmma_fenced = false;
          t.error = nullptr;
          t.fiber.prepare(thread_main, &t);
          ++block.warps[static_cast<size_t>(t.warp)].threads;
        }
        block_now = &block;
        run_block(block, random);
        check_nothing_in_flight(block);
        check_shared(block);
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
  // Also where nothing is read of the source.
  if (reinterpret_cast<uintptr_t>(shared) % static_cast<unsigned>(bytes) != 0 ||
      reinterpret_cast<uintptr_t>(global) % static_cast<unsigned>(bytes) != 0) {
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

}  // namespace simt
