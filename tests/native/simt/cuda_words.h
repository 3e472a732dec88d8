#pragma once

// CUDA's words for g++: what native/backend/cuda/kernel.h includes instead of cuda_runtime.h.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include "core/bfloat16.h"
#include "simt/simt.h"
#include "simt/stream.h"
#include "simt/tensor_core.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define SNS_UNROLL
#define SNS_NO_UNROLL

#define threadIdx (::simt::here().thread_idx)
#define blockIdx (::simt::here().block_idx)
#define blockDim (::simt::here().block_dim)
#define gridDim (::simt::here().grid_dim)

#define SNS_SHARED(T, name, count)    \
  static const char name##_site_ = 0; \
  T* const name = static_cast<T*>(::simt::static_shared(&name##_site_, sizeof(T) * (count)))
#define SNS_DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(::simt::dynamic_shared())

using dim3 = ::simt::Dim3;
struct float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline void __syncthreads() { ::simt::sync_threads(); }
inline int __syncthreads_or(int predicate) { return ::simt::sync_threads_or(predicate); }
inline void __syncwarp() { ::simt::exchange(::simt::Collective::kSyncWarp, nullptr, 0); }

namespace simt {

inline void require_capability(int least, const char* word) {
  if (compute_capability() < least) {
    throw Fault(std::string(word) + " on compute capability " + std::to_string(compute_capability()));
  }
}

constexpr unsigned kFullMask = 0xFFFFFFFFu;

inline void require_full(unsigned mask) {
  if (mask != kFullMask) throw Fault("collective with a partial mask");
}

/// The value that lane `from` brought to this collective; out-of-range lanes give the caller its own.
template <class T>
T from_lane(T value, int from) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  constexpr int words = sizeof(T) / 4;
  uint32_t mine[words];
  std::memcpy(mine, &value, sizeof(T));
  const uint32_t* table = exchange(Collective::kShuffle, mine, words);
  if (from < 0 || from >= 32) return value;
  T result;
  std::memcpy(&result, table + from * words, sizeof(T));
  return result;
}

inline int lane() {
  const Position& p = here();
  return static_cast<int>(
      (p.thread_idx.x + p.block_dim.x * (p.thread_idx.y + p.block_dim.y * p.thread_idx.z)) % 32);
}

}  // namespace simt

template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
  simt::require_full(mask);
  return simt::from_lane(value, source & 31);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask) {
  simt::require_full(mask);
  return simt::from_lane(value, simt::lane() ^ lane_mask);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int delta) {
  simt::require_full(mask);
  return simt::from_lane(value, simt::lane() + delta);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, int delta) {
  simt::require_full(mask);
  return simt::from_lane(value, simt::lane() - delta);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  simt::require_full(mask);
  const uint32_t mine = predicate != 0;
  const uint32_t* table = simt::exchange(simt::Collective::kVote, &mine, 1);
  unsigned result = 0;
  for (int i = 0; i < 32; ++i) result |= table[i] << i;
  return result;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) == simt::kFullMask;
}

// One host thread runs the whole grid, so plain read-modify-write is atomic.
template <class T>
T atomicAdd(T* address, T value) {
  const T old = *address;
  *address = old + value;
  return old;
}
template <class T>
T atomicMax(T* address, T value) {
  const T old = *address;
  *address = std::max(old, value);
  return old;
}
template <class T>
T atomicMin(T* address, T value) {
  const T old = *address;
  *address = std::min(old, value);
  return old;
}
template <class T>
T atomicCAS(T* address, T compare, T value) {
  const T old = *address;
  if (old == compare) *address = value;
  return old;
}
inline void __threadfence() {}

template <class T>
T __ldg(const T* p) {
  return *p;
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }

namespace sns::gpu {

using Stream = void*;
constexpr int kNoKernel = 209;

template <class... P, class... A>
int gpu_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, Stream stream, A&&... args) {
  if (shared_bytes > ::simt::shared_limit()) return 1;                         // invalid value, as CUDA says
  if (grid.x > 0x7FFFFFFFu || grid.y > 0xFFFFu || grid.z > 0xFFFFu) return 9;  // invalid configuration
  std::tuple<P...> values(static_cast<P>(args)...);
  return ::simt::enqueue(stream, [kernel, grid, block, shared_bytes, values] {
    ::simt::launch(grid, block, shared_bytes, [&] { std::apply(kernel, values); });
  });
}

inline int compute_capability() { return ::simt::compute_capability(); }
inline int multiprocessors() { return ::simt::kMultiprocessors; }

inline void cp_async16(void* shared, const void* global, bool valid) {
  ::simt::require_capability(80, "cp.async");
  ::simt::copy_async(shared, global, 16, valid ? 16 : 0);
}
inline void cp_async16_partial(void* shared, const void* global, int valid_bytes) {
  ::simt::require_capability(80, "cp.async");
  ::simt::copy_async(shared, global, 16, valid_bytes);
}
inline void cp_async4(void* shared, const void* global, bool valid) {
  ::simt::require_capability(80, "cp.async");
  ::simt::copy_async(shared, global, 4, valid ? 4 : 0);
}
inline void cp_async_commit() { ::simt::copy_commit(); }
template <int N>
void cp_async_wait() {
  ::simt::copy_wait(N);
}

/// Rows of the four matrices, as addresses brought by the lanes; lane l receives elements 2(l%4), 2(l%4)+1 of
/// row l/4 (transposed: of column l/4).
inline void ldmatrix(uint32_t (&r)[4], const void* row, bool transposed) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0) throw ::simt::Fault("ldmatrix row is not 16-byte aligned");
  uint32_t address[2];
  std::memcpy(address, &row, sizeof(row));
  const uint32_t* table = ::simt::exchange(::simt::Collective::kLdmatrix, address, 2);
  const int lane = ::simt::lane();
  for (int m = 0; m < 4; ++m) {
    uint16_t pair[2];
    for (int e = 0; e < 2; ++e) {
      const int major = lane / 4, minor = 2 * (lane % 4) + e;
      const int source = transposed ? minor : major, column = transposed ? major : minor;
      const uint16_t* from;
      std::memcpy(&from, table + 2 * (8 * m + source), sizeof(from));
      pair[e] = from[column];
    }
    std::memcpy(&r[m], pair, 4);
  }
  // A lane may overwrite the rows right after; on the GPU the load is one instruction of the whole warp.
  __syncwarp();
}
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row) { ldmatrix(r, row, false); }
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) { ldmatrix(r, row, true); }

// Compiled with -ffp-contract=off.
inline double multiply(double a, double b) { return a * b; }
inline double add(double a, double b) { return a + b; }

inline int32_t dot2(uint32_t pair, uint32_t bytes, int32_t sum) {
  const int low = static_cast<int16_t>(pair), high = static_cast<int16_t>(pair >> 16);
  const auto first = static_cast<int>(bytes & 255), second = static_cast<int>(bytes >> 8 & 255);
  return static_cast<int32_t>(static_cast<uint32_t>(sum) +
                              static_cast<uint32_t>(low * first + high * second));
}
inline int32_t dot_lower(uint32_t pair, uint32_t bytes, int32_t sum) { return dot2(pair, bytes, sum); }
inline int32_t dot_upper(uint32_t pair, uint32_t bytes, int32_t sum) { return dot2(pair, bytes >> 16, sum); }

inline uint32_t saturate_bytes(int32_t a, int32_t b, int32_t c, int32_t d) {
  const auto byte = [](int32_t x) { return static_cast<uint32_t>(std::clamp(x, 0, 255)); };
  return byte(a) | byte(b) << 8 | byte(c) << 16 | byte(d) << 24;
}

inline uint32_t pack_bf16(float low, float high) {
  ::simt::require_capability(80, "cvt to bfloat16");
  return to_bf16(low) | static_cast<uint32_t>(to_bf16(high)) << 16;
}

/// The table holds four words of A, two of B and four of C a lane; C becomes the result.
inline void mma_bf16_table(uint32_t* table) {
  constexpr int kWords = 10;
  float a[16][16], b[16][8], c[16][8];
  const auto part = [&](int lane, int word, int half) {
    const uint32_t bits = table[lane * kWords + word];
    return from_bf16(static_cast<uint16_t>(half ? bits >> 16 : bits));
  };
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 4, pair = lane % 4;
    for (int e = 0; e < 2; ++e) {
      for (int i = 0; i < 4; ++i) a[group + i % 2 * 8][2 * pair + e + i / 2 * 8] = part(lane, i, e);
      for (int i = 0; i < 2; ++i) b[2 * pair + e + 8 * i][group] = part(lane, 4 + i, e);
      for (int i = 0; i < 2; ++i) {
        std::memcpy(&c[group + 8 * i][2 * pair + e], table + lane * kWords + 6 + 2 * i + e, 4);
      }
    }
  }
  ::simt::tensor_core(a, b, c);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      std::memcpy(table + lane * kWords + 6 + i, &c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2], 4);
    }
  }
}

inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  ::simt::require_capability(80, "mma of bfloat16");
  uint32_t mine[10] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  std::memcpy(mine + 6, c, sizeof(c));
  const uint32_t* table = ::simt::exchange(::simt::Collective::kMma, mine, 10, mma_bf16_table);
  std::memcpy(c, table + ::simt::lane() * 10 + 6, sizeof(c));
}

}  // namespace sns::gpu
