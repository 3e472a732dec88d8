#pragma once

// What compute capability 9.0 adds to kernel.h's vocabulary: mbarriers, bulk copies and wgmma. Kernels that
// use it are templates whose body stands in `if constexpr (gpu::kHopper)`: only sm_90a has the instructions.
// Elsewhere they end in not_built(), and launchers ask hopper() before they take them.
// On the host SIMT executor the same words hold the kernel to the contracts written here.

#include <type_traits>

#include "backend/cuda/kernel.h"

#if defined(SNS_SIMT)

#include "simt/hopper_words.h"

#else

namespace sns::gpu {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
constexpr bool kHopper = true;
#else
constexpr bool kHopper = false;
#pragma nv_diag_suppress 177  // what only those kernels call is not called here
#endif

/// Whether the current device is of compute capability 9.0 and the library has sm_90a's code: sm_90's runs
/// there, too.
inline bool hopper() {
#if defined(SNS_SM90A)
  return compute_capability() == 90;
#else
  return false;
#endif
}
/// An error of the launch instead of sums that nobody wrote, such as when the driver is told to take PTX.
__device__ inline void not_built() { __trap(); }

// ---- mbarriers: a phase is over when `count` arrivals came and all expected bytes landed ----

__device__ inline void mbarrier_init(uint64_t* bar, uint32_t count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(bar)), "r"(count) : "memory");
}
/// By the thread that initialised them, before the barrier after which they are used.
__device__ inline void mbarrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ inline void mbarrier_arrive(uint64_t* bar) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(bar)) : "memory");
}
/// The phase in progress also waits for `bytes` of bulk copies.
__device__ inline void mbarrier_expect(uint64_t* bar, uint32_t bytes) {
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(bar)),
               "r"(bytes)
               : "memory");
}
/// Waits until the phase of this parity is over: 0 for the first, 1 for the second … A fresh barrier
/// passes 1.
__device__ inline void mbarrier_wait(uint64_t* bar, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred over;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 over, [%0], %1;\n"
      "@!over bra again;\n"
      "}" ::"r"(shared_address(bar)),
      "r"(parity)
      : "memory");
}
/// The phase in progress also waits for this thread's cp_async so far. The thread itself has yet to arrive.
__device__ inline void cp_async_arrive(uint64_t* bar) {
  asm volatile("cp.async.mbarrier.arrive.shared::cta.b64 [%0];" ::"r"(shared_address(bar)) : "memory");
}

/// Copies global → shared and counts `bytes` towards bar's phase; nothing may be read before it is over. Both
/// addresses and `bytes` are multiples of 16.
__device__ inline void bulk_copy(void* shared, const void* global, uint32_t bytes, uint64_t* bar) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(shared)),
      "l"(global), "r"(bytes), "r"(shared_address(bar))
      : "memory");
}

/// A barrier of `count` threads (whole warps), id 1 … 15.
__device__ inline void named_barrier(int id, int count) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory");
}

/// What the threads of a warpgroup may hold from here on, a multiple of 8. Those that give come to it, too,
/// before those that take get it.
template <int kRegisters>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// ---- wgmma: a warpgroup (four warps from a multiple of four) multiplies asynchronously ----

/// Where wgmma finds B: `tile` is at column 0 … 48 (in steps of 16) of rows of 64 bfloat16 in dynamic shared
/// memory, 1024-byte aligned, swizzled as LinearTiles. Only what bulk copies brought may be read.
__device__ inline uint64_t wgmma_descriptor(const void* tile) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kEightRows = uint64_t{1024 / 16} << 32;
  return kSwizzle128 | kEightRows | uint64_t{1} << 16 | (shared_address(tile) & 0x3FFFF) >> 4;
}

/// Before the first wgmma of each group: what was written to its registers is there.
__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Ends a group.
__device__ inline void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until at most N groups are in flight. Until then neither the sums nor the registers of A of a group
/// may be touched, nor the shared memory it reads.
template <int N>
__device__ inline void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}
/// Keeps the compiler from moving reads and writes of these registers to the other side.
template <class T, int kCount>
__device__ inline void wgmma_registers(T (&x)[kCount]) {
  SNS_UNROLL
  for (int i = 0; i < kCount; ++i) {
    if constexpr (std::is_same_v<T, float>) {
      asm volatile("" : "+f"(x[i])::"memory");
    } else {
      asm volatile("" : "+r"(x[i])::"memory");
    }
  }
}

/// d[64×128] += a[64×16]·b[128×16]ᵀ, bfloat16 in, fp32 out. Warp w of the warpgroup holds rows 16w … 16w +
/// 15: its `a` as mma.m16n8k16 lays it out, d[4j + i] as c[i] of the 8 columns from 8j.
__device__ inline void wgmma_bf16(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
#define SNS_D(i) "+f"(d[i])
#define SNS_D4(i) SNS_D(i), SNS_D(i + 1), SNS_D(i + 2), SNS_D(i + 3)
#define SNS_D16(i) SNS_D4(i), SNS_D4(i + 4), SNS_D4(i + 8), SNS_D4(i + 12)
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "{%64, %65, %66, %67}, %68, 1, 1, 1, 0;"
      : SNS_D16(0), SNS_D16(16), SNS_D16(32), SNS_D16(48)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
#undef SNS_D16
#undef SNS_D4
#undef SNS_D
}

}  // namespace sns::gpu

#endif  // SNS_SIMT
