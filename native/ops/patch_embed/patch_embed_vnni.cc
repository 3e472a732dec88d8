// The int8 product of PatchEmbedBytes. Highway's AVX3 target lacks VNNI, so this file carries its own target.

#include "ops/patch_embed/patch_embed_vnni.h"

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
namespace {

/// sum += Σ of four products patch·digit in each of 16 lanes. In assembly, because GCC 12 copies the
/// accumulators of the intrinsic to the stack at every step, which halves the speed.
SNS_VNNI_INLINE void dot(__m512i& sum, __m512i patch, __m512i digit) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(patch), "v"(digit));
}

/// One patch's sums: digits × 16 outputs.
template <int kDigits>
struct Row {
  SNS_VNNI_INLINE explicit Row(const int32_t* start) {
#pragma GCC unroll 3
    for (int i = 0; i < kDigits; ++i) d[i] = _mm512_load_si512(start + 16 * i);
  }
  SNS_VNNI_INLINE void step(const uint8_t* patch, const __m512i (&w)[kDigits]) {
    int32_t four;
    __builtin_memcpy(&four, patch, 4);
    const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 3
    for (int i = 0; i < kDigits; ++i) dot(d[i], x, w[i]);
  }
  SNS_VNNI_INLINE void finish(const VnniPanel& panel, int64_t row, __mmask16 lanes) const {
    __m512 step = _mm512_load_ps(panel.step), y = _mm512_load_ps(panel.bias);
#pragma GCC unroll 3
    for (int i = 0; i < kDigits; ++i) {
      y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(d[i]), step, y);
      step = _mm512_mul_ps(step, _mm512_set1_ps(256.0f));
    }
    if (panel.position) {
      y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(lanes, panel.position + row * panel.ld_position));
    }
    _mm512_mask_storeu_ps(panel.y + row * panel.ldy, lanes, y);
  }
  __m512i d[kDigits];
};

template <int kDigits>
SNS_VNNI_INLINE void load(const int8_t* from, __m512i (&w)[kDigits]) {
#pragma GCC unroll 3
  for (int i = 0; i < kDigits; ++i) w[i] = _mm512_load_si512(from + 64 * i);
}

/// With three digits, eight patches fill the register file: 24 sums, three weights, one patch element.
template <int kDigits>
SNS_VNNI_INLINE void eight_rows(const VnniPanel& panel, const uint8_t* p, int64_t row, int64_t bytes,
                                __mmask16 lanes) {
  using R = Row<kDigits>;
  R r0(panel.start), r1(panel.start), r2(panel.start), r3(panel.start);
  R r4(panel.start), r5(panel.start), r6(panel.start), r7(panel.start);
  const int8_t* digits = panel.digits;
  for (int64_t k = 0; k < bytes; k += 4, digits += 64 * kDigits) {
    __m512i w[kDigits];
    load(digits, w);
    r0.step(p + k, w);
    r1.step(p + bytes + k, w);
    r2.step(p + 2 * bytes + k, w);
    r3.step(p + 3 * bytes + k, w);
    r4.step(p + 4 * bytes + k, w);
    r5.step(p + 5 * bytes + k, w);
    r6.step(p + 6 * bytes + k, w);
    r7.step(p + 7 * bytes + k, w);
  }
  r0.finish(panel, row, lanes);
  r1.finish(panel, row + 1, lanes);
  r2.finish(panel, row + 2, lanes);
  r3.finish(panel, row + 3, lanes);
  r4.finish(panel, row + 4, lanes);
  r5.finish(panel, row + 5, lanes);
  r6.finish(panel, row + 6, lanes);
  r7.finish(panel, row + 7, lanes);
}

template <int kDigits>
SNS_VNNI_INLINE void four_rows(const VnniPanel& panel, const uint8_t* p, int64_t row, int64_t bytes,
                               __mmask16 lanes) {
  using R = Row<kDigits>;
  R r0(panel.start), r1(panel.start), r2(panel.start), r3(panel.start);
  const int8_t* digits = panel.digits;
  for (int64_t k = 0; k < bytes; k += 4, digits += 64 * kDigits) {
    __m512i w[kDigits];
    load(digits, w);
    r0.step(p + k, w);
    r1.step(p + bytes + k, w);
    r2.step(p + 2 * bytes + k, w);
    r3.step(p + 3 * bytes + k, w);
  }
  r0.finish(panel, row, lanes);
  r1.finish(panel, row + 1, lanes);
  r2.finish(panel, row + 2, lanes);
  r3.finish(panel, row + 3, lanes);
}

template <int kDigits>
SNS_VNNI_INLINE void one_row(const VnniPanel& panel, const uint8_t* p, int64_t row, int64_t bytes,
                             __mmask16 lanes) {
  Row<kDigits> r(panel.start);
  const int8_t* digits = panel.digits;
  for (int64_t k = 0; k < bytes; k += 4, digits += 64 * kDigits) {
    __m512i w[kDigits];
    load(digits, w);
    r.step(p + k, w);
  }
  r.finish(panel, row, lanes);
}

template <int kDigits>
SNS_VNNI void multiply(const VnniPanel& panel, const uint8_t* patches, int64_t rows, int64_t bytes) {
  const auto lanes = static_cast<__mmask16>((1u << panel.outputs) - 1);
  int64_t r = 0;
  for (; r + 8 <= rows; r += 8) eight_rows<kDigits>(panel, patches + r * bytes, r, bytes, lanes);
  if (r + 4 <= rows) {
    four_rows<kDigits>(panel, patches + r * bytes, r, bytes, lanes);
    r += 4;
  }
  for (; r < rows; ++r) one_row<kDigits>(panel, patches + r * bytes, r, bytes, lanes);
}

}  // namespace

void vnni_multiply(const VnniPanel& panel, const uint8_t* patches, int64_t rows, int64_t bytes) {
  (panel.digit_count == 2 ? &multiply<2> : &multiply<3>)(panel, patches, rows, bytes);
}

}  // namespace sns

#else

namespace sns {
void vnni_multiply(const VnniPanel&, const uint8_t*, int64_t, int64_t) {}
}  // namespace sns

#endif
