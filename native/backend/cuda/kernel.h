#pragma once

// The vocabulary of the CUDA kernels (ops/<op>/<op>_cuda.cu). Two compilers read those files: nvcc, and g++
// with SNS_SIMT defined, which maps the same words to the host SIMT executor (tests/native/simt). So a kernel
// uses
//  - gpu_launch() instead of <<<>>>,
//  - SNS_SHARED / SNS_DYNAMIC_SHARED instead of __shared__,
//  - the wrappers below instead of inline PTX.

#include <cstddef>
#include <cstdint>

#include "core/bfloat16.h"

namespace sns::gpu {
/// A launch with more dynamic shared memory asks for leave to take all there is. Without, static and dynamic
/// together may be 48 KiB; what is static is known to nvcc only.
constexpr size_t kSharedUnasked = 30 * 1024;
}  // namespace sns::gpu

#if defined(SNS_SIMT)

#include "simt/cuda_words.h"

#else

#include <cuda_runtime.h>

/// `T name[count]` in static shared memory.
#define SNS_SHARED(T, name, count) __shared__ T name[count]
/// `T* name`: the dynamic shared memory of the launch.
#define SNS_DYNAMIC_SHARED(T, name)                               \
  extern __shared__ __align__(1024) unsigned char sns_dynamic_[]; \
  T* name = reinterpret_cast<T*>(sns_dynamic_)

#define SNS_UNROLL _Pragma("unroll")
#define SNS_NO_UNROLL _Pragma("unroll 1")

namespace sns::gpu {

using Stream = cudaStream_t;
constexpr int kNoKernel = cudaErrorNoKernelImageForDevice;

/// Asks for all that the device has. The leave is the kernel's, whoever launches it: were it for what one
/// launch needs, another thread's launch of the same kernel could take it back.
inline cudaError_t ask_for_shared(const void* kernel) {
  int device = 0, most = 0;
  cudaFuncAttributes own;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  if (error == cudaSuccess) error = cudaFuncGetAttributes(&own, kernel);
  return error != cudaSuccess ? error
                              : cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                     most - static_cast<int>(own.sharedSizeBytes));
}

template <class... P, class... A>
inline int gpu_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, Stream stream,
                      A&&... args) {
  cudaError_t error = cudaSuccess;
  if (shared_bytes > kSharedUnasked) error = ask_for_shared(reinterpret_cast<const void*>(kernel));
  if (error == cudaSuccess) {
    cudaLaunchConfig_t config = {};
    config.gridDim = grid, config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes, config.stream = stream;
    // What it gives is this launch's, not what an earlier call left behind.
    error = cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
  }
  if (error != cudaSuccess) cudaGetLastError();
  return error;
}

/// Of the current device: 90 for 9.0; 0 if it does not say.
inline int compute_capability() {
  int device = 0, major = 0, minor = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  return 10 * major + minor;
}
inline int multiprocessors() {
  int device = 0, count = 1;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
  return count;
}

__device__ inline uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/// Copies 16 bytes global → shared asynchronously, or writes 16 zeros when !valid. Both addresses 16-byte
/// aligned.
__device__ inline void cp_async16(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid ? 16 : 0));
}
/// The same with the first `valid_bytes` copied and the rest of the 16 written as zeros.
__device__ inline void cp_async16_partial(void* shared, const void* global, int valid_bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid_bytes));
}
/// 4 bytes, for sources that are only 4-byte aligned.
__device__ inline void cp_async4(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid ? 4 : 0));
}
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until at most N of this thread's groups are still in flight.
template <int N>
__device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/// Four 8×8 matrices of 16-bit elements; lane l gives the address of row l%8 of matrix l/8.
__device__ inline void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)));
}
__device__ inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)));
}

/// Each rounded once: never contracted into a fused multiply-add.
__device__ inline double multiply(double a, double b) { return __dmul_rn(a, b); }
__device__ inline double add(double a, double b) { return __dadd_rn(a, b); }

/// sum + Σ pair[i]·bytes[i]: two int16 by the lower or the upper two of four bytes.
__device__ inline int32_t dot_lower(uint32_t pair, uint32_t bytes, int32_t sum) {
  asm("dp2a.lo.s32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(pair), "r"(bytes));
  return sum;
}
__device__ inline int32_t dot_upper(uint32_t pair, uint32_t bytes, int32_t sum) {
  asm("dp2a.hi.s32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(pair), "r"(bytes));
  return sum;
}

/// Each clipped to a byte; the first is the lowest.
__device__ inline uint32_t saturate_bytes(int32_t a, int32_t b, int32_t c, int32_t d) {
  uint32_t upper, all;
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, 0;" : "=r"(upper) : "r"(d), "r"(c));
  asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;" : "=r"(all) : "r"(b), "r"(a), "r"(upper));
  return all;
}

/// Two floats rounded to nearest even as packed bfloat16, `low` in the lower half.
__device__ inline uint32_t pack_bf16(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/// c[16×8] += a[16×16]·b[16×8], bfloat16 in, fp32 out; fragments as PTX mma.m16n8k16 lays them out.
__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

}  // namespace sns::gpu

#endif  // SNS_SIMT
