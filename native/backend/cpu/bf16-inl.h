// The two kinds of products that kernels are written for, fp32 and bfloat16. The latter needs AVX-512 BF16,
// which Highway's AVX3 target leaves out: use it only where has_avx512_bf16(). Its numbers lie in pairs of
// two neighbours of the summed axis, one pair in each 32-bit lane, the first in the low half, so that a
// kernel moves them as it moves floats and takes half as many steps.

#if defined(SNS_BACKEND_CPU_BF16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_BACKEND_CPU_BF16_INL_H_
#undef SNS_BACKEND_CPU_BF16_INL_H_
#else
#define SNS_BACKEND_CPU_BF16_INL_H_
#endif

#include <hwy/highway.h>

/// Whether this target's copy of a kernel can have a bfloat16 form.
#undef SNS_HAVE_BF16
#if HWY_TARGET == HWY_AVX3
#define SNS_HAVE_BF16 1
#else
#define SNS_HAVE_BF16 0
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

using Products = hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::ScalableTag<float>>;

struct Fp32Products {
  static constexpr bool kPairs = false;
  static HWY_INLINE Products MulAdd(Products a, Products b, Products sum) {
    return hwy::HWY_NAMESPACE::MulAdd(a, b, sum);
  }
};

#if SNS_HAVE_BF16

struct Bf16Products {
  static constexpr bool kPairs = true;
  /// sum + a.first·b.first + a.second·b.second in each lane, fp32 sums. In assembly, because the target's
  /// flags do not name the extension, and because GCC 12 spills the accumulators of such intrinsics.
  static HWY_INLINE Products MulAdd(Products a, Products b, Products sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
    return sum;
  }
};

/// Lane i: the pair (first[i], second[i]), rounded to nearest even.
HWY_INLINE Products Bf16Pairs(Products first, Products second) {
  __m512i both;  // 16 firsts, then 16 seconds
  asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(both) : "v"(second.raw), "v"(first.raw));
  alignas(64) static constexpr uint16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                      21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                      11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return Products{_mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_load_si512(kOrder), both))};
}

/// 32 floats as 16 pairs of neighbours: (low[0], low[1]), …, (high[14], high[15]).
HWY_INLINE Products Bf16Neighbours(Products low, Products high) {
  __m512i both;
  asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(both) : "v"(high.raw), "v"(low.raw));
  return Products{_mm512_castsi512_ps(both)};
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif
