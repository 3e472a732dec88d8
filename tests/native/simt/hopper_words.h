#pragma once

// native/backend/cuda/hopper.h for g++; what each word demands is checked in simt/async.cc.

#include "simt/async.h"
#include "simt/cuda_words.h"

namespace sns::gpu {

constexpr bool kHopper = true;
inline bool hopper() { return ::simt::compute_capability() == 90; }
inline void not_built() {}

inline void mbarrier_init(uint64_t* bar, uint32_t count) {
  ::simt::require_capability(90, "mbarrier with transactions");
  ::simt::mbarrier_init(bar, count);
}
inline void mbarrier_init_fence() { ::simt::mbarrier_init_fence(); }
inline void mbarrier_arrive(uint64_t* bar) { ::simt::mbarrier_arrive(bar); }
inline void mbarrier_expect(uint64_t* bar, uint32_t bytes) { ::simt::mbarrier_expect(bar, bytes); }
inline void mbarrier_wait(uint64_t* bar, uint32_t parity) { ::simt::mbarrier_wait(bar, parity); }
inline void cp_async_arrive(uint64_t* bar) { ::simt::copy_arrive(bar); }
inline void bulk_copy(void* shared, const void* global, uint32_t bytes, uint64_t* bar) {
  ::simt::bulk_copy(shared, global, bytes, bar);
}
inline void named_barrier(int id, int count) { ::simt::named_barrier(id, count); }
template <int>
void give_registers() {}
template <int>
void take_registers() {}

inline uint64_t wgmma_descriptor(const void* tile) { return ::simt::wgmma_descriptor(tile); }
inline void wgmma_fence() { ::simt::wgmma_fence(); }
inline void wgmma_commit() { ::simt::wgmma_commit(); }
template <int N>
void wgmma_wait() {
  ::simt::wgmma_wait(N);
}
template <class T, int kCount>
void wgmma_registers(T (&)[kCount]) {}
inline void wgmma_bf16(float (&d)[64], const uint32_t (&a)[4], uint64_t b) { ::simt::wgmma(d, a, b); }

}  // namespace sns::gpu
