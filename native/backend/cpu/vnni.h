#pragma once

// For the few files of int8 products, each of which runs only where has_avx512_vnni(). Highway's AVX3 target
// lacks VNNI, so they carry a target of their own.

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC bug 105593: its own AVX-512 header is reported wherever an intrinsic is inlined.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#define SNS_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")))
#define SNS_VNNI_INLINE SNS_VNNI __attribute__((always_inline)) inline

namespace sns {

/// Four bytes, in each of 16 lanes.
SNS_VNNI_INLINE __m512i four_bytes(const void* from) {
  int four;
  __builtin_memcpy(&four, from, 4);
  return _mm512_set1_epi32(four);
}

/// sum += Σ of four products u·s, unsigned by signed bytes, in each of 16 lanes. In assembly, because GCC 12
/// copies the accumulators of the intrinsic to the stack at every step, which halves the speed.
SNS_VNNI_INLINE void dot_bytes(__m512i& sum, __m512i u, __m512i s) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(s));
}

}  // namespace sns
#endif
