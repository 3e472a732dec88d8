#pragma once

// The host SIMT executor: runs CUDA kernels on the CPU, one fiber per CUDA thread, so that the very source
// that nvcc compiles is executed and tested on machines without a GPU.
//
// What it models: grids, blocks, warps of 32, static and dynamic shared memory, __syncthreads, __syncwarp,
// full-mask shuffles, ballots and votes, atomics, cp.async groups, ldmatrix, mma.sync, and in async.h
// mbarriers, bulk copies and wgmma. What it cannot show: bank conflicts, coalescing, occupancy, speed, and
// weak memory ordering.
//
// A kernel that is right only by luck of the schedule must not pass, hence Schedule: every test runs under
// schedules() — copies performed when issued and copies performed when waited for, each with threads in order
// and with one random warp running ahead until it blocks. Shared memory starts as NaN in every block, and
// guard bytes around it are checked when the block ends. A barrier or a collective that not every thread
// reaches is reported as a deadlock or as divergence instead of hanging.
//
// Kernels see this file through native/backend/cuda/kernel.h only.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace simt {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr Dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct Schedule {
  bool copy_at_wait = false;  ///< copies land and wgmma multiplies when waited for (else when issued)
  bool run_ahead = false;  ///< a random warp runs until it blocks before any other moves (else round robin)
  uint64_t seed = 1;
  std::string name() const;
};

/// The four schedules under which every kernel test runs.
std::vector<Schedule> schedules(uint64_t seed);
/// Sets the schedule of this host thread's following launches.
void set_schedule(const Schedule& schedule);

/// The device that is played: how many blocks its persistent kernels start.
constexpr int kMultiprocessors = 4;
/// Compute capability of the device that is played, 90 for 9.0 (or what the environment's
/// SENSORIUM_SIMT_CAPABILITY says), for this host thread's following launches.
int compute_capability();
void set_compute_capability(int value);
/// Bytes of dynamic shared memory that a block of it may ask for.
size_t shared_limit();

/// A kernel did what no GPU would forgive: deadlock, divergent collective, access outside shared memory.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Runs `body` once per thread of the grid. Throws Fault; exceptions of the body pass through.
void launch(Dim3 grid, Dim3 block, size_t dynamic_shared_bytes, const std::function<void()>& body);

// ---- what a running thread sees ---------------------------------------------------------------------------

struct Position {
  Dim3 thread_idx{0, 0, 0}, block_idx{0, 0, 0}, block_dim, grid_dim;
};
const Position& here();

void* dynamic_shared();
/// The block's static shared array of this declaration site (`site` is unique per declaration).
void* static_shared(const void* site, size_t bytes);

enum class Collective : int { kSyncWarp, kShuffle, kVote, kLdmatrix, kMma, kWgmma, kWgmmaWait };
/// Every lane of the warp brings `words` 32-bit words; returns the warp's table, lane-major [32][words],
/// valid until the lane's next collective. All 32 lanes must bring the same kind and size.
/// `finish`, if any, turns the complete table into what the lanes shall see, once for the whole warp.
const uint32_t* exchange(Collective kind, const uint32_t* values, int words,
                         void (*finish)(uint32_t* table) = nullptr);

void sync_threads();
/// sync_threads, and whether any thread's predicate was set.
int sync_threads_or(int predicate);
/// bar.sync id, count: named barrier of `count` threads (a multiple of 32); id 0 is __syncthreads'.
void named_barrier(int id, int count);

void copy_async(void* shared, const void* global, int bytes, int valid_bytes);
void copy_commit();
void copy_wait(int pending_groups);

}  // namespace simt
