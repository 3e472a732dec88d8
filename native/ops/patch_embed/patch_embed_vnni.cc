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

/// One patch's sums: three digits × 16 outputs.
struct Row {
  SNS_VNNI_INLINE explicit Row(const int32_t* start)
      : d0(_mm512_load_si512(start)), d1(_mm512_load_si512(start + 16)), d2(_mm512_load_si512(start + 32)) {}
  SNS_VNNI_INLINE void step(const uint8_t* patch, __m512i w0, __m512i w1, __m512i w2) {
    int32_t four;
    __builtin_memcpy(&four, patch, 4);
    const __m512i x = _mm512_set1_epi32(four);
    dot(d0, x, w0);
    dot(d1, x, w1);
    dot(d2, x, w2);
  }
  SNS_VNNI_INLINE void finish(const VnniPanel& panel, int64_t row, __mmask16 lanes) const {
    const __m512 step = _mm512_load_ps(panel.step);
    __m512 y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(d0), step, _mm512_load_ps(panel.bias));
    y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(d1), _mm512_mul_ps(step, _mm512_set1_ps(256.0f)), y);
    y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(d2), _mm512_mul_ps(step, _mm512_set1_ps(65536.0f)), y);
    if (panel.position) {
      y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(lanes, panel.position + row * panel.ld_position));
    }
    _mm512_mask_storeu_ps(panel.y + row * panel.ldy, lanes, y);
  }
  __m512i d0, d1, d2;
};

/// Eight patches fill the register file: 24 sums, three weights, one patch element.
SNS_VNNI_INLINE void eight_rows(const VnniPanel& panel, const uint8_t* p, int64_t row, int64_t bytes,
                                __mmask16 lanes) {
  Row r0(panel.start), r1(panel.start), r2(panel.start), r3(panel.start);
  Row r4(panel.start), r5(panel.start), r6(panel.start), r7(panel.start);
  const int8_t* w = panel.digits;
  for (int64_t k = 0; k < bytes; k += 4, w += 192) {
    const __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + 64), w2 = _mm512_load_si512(w + 128);
    r0.step(p + k, w0, w1, w2);
    r1.step(p + bytes + k, w0, w1, w2);
    r2.step(p + 2 * bytes + k, w0, w1, w2);
    r3.step(p + 3 * bytes + k, w0, w1, w2);
    r4.step(p + 4 * bytes + k, w0, w1, w2);
    r5.step(p + 5 * bytes + k, w0, w1, w2);
    r6.step(p + 6 * bytes + k, w0, w1, w2);
    r7.step(p + 7 * bytes + k, w0, w1, w2);
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

SNS_VNNI_INLINE void four_rows(const VnniPanel& panel, const uint8_t* p, int64_t row, int64_t bytes,
                               __mmask16 lanes) {
  Row r0(panel.start), r1(panel.start), r2(panel.start), r3(panel.start);
  const int8_t* w = panel.digits;
  for (int64_t k = 0; k < bytes; k += 4, w += 192) {
    const __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + 64), w2 = _mm512_load_si512(w + 128);
    r0.step(p + k, w0, w1, w2);
    r1.step(p + bytes + k, w0, w1, w2);
    r2.step(p + 2 * bytes + k, w0, w1, w2);
    r3.step(p + 3 * bytes + k, w0, w1, w2);
  }
  r0.finish(panel, row, lanes);
  r1.finish(panel, row + 1, lanes);
  r2.finish(panel, row + 2, lanes);
  r3.finish(panel, row + 3, lanes);
}

SNS_VNNI_INLINE void one_row(const VnniPanel& panel, const uint8_t* p, int64_t row, int64_t bytes,
                             __mmask16 lanes) {
  Row r(panel.start);
  const int8_t* w = panel.digits;
  for (int64_t k = 0; k < bytes; k += 4, w += 192) {
    r.step(p + k, _mm512_load_si512(w), _mm512_load_si512(w + 64), _mm512_load_si512(w + 128));
  }
  r.finish(panel, row, lanes);
}

}  // namespace

SNS_VNNI void vnni_multiply(const VnniPanel& panel, const uint8_t* patches, int64_t rows, int64_t bytes) {
  const auto lanes = static_cast<__mmask16>((1u << panel.outputs) - 1);
  int64_t r = 0;
  for (; r + 8 <= rows; r += 8) eight_rows(panel, patches + r * bytes, r, bytes, lanes);
  if (r + 4 <= rows) {
    four_rows(panel, patches + r * bytes, r, bytes, lanes);
    r += 4;
  }
  for (; r < rows; ++r) one_row(panel, patches + r * bytes, r, bytes, lanes);
}

}  // namespace sns

#else

namespace sns {
void vnni_multiply(const VnniPanel&, const uint8_t*, int64_t, int64_t) {}
}  // namespace sns

#endif
