// The int8 screen on AVX-512 VNNI.

#include "ops/vector_quantize/nearest.h"

#if defined(__x86_64__)
#include "backend/cpu/vnni.h"

namespace sns {
namespace {

// Covers the roundings of float sums of squares of up to 2¹⁵ terms in 16 chains.
constexpr float kInflate = 1.001f;

/// Four dimensions of 64 codes.
struct Codes {
  SNS_VNNI_INLINE explicit Codes(const uint8_t* c)
      : v0(_mm512_load_si512(c)),
        v1(_mm512_load_si512(c + 64)),
        v2(_mm512_load_si512(c + 128)),
        v3(_mm512_load_si512(c + 192)) {}
  __m512i v0, v1, v2, v3;
};

/// Sums of one row against 64 codes.
struct Tile {
  SNS_VNNI_INLINE explicit Tile(int32_t offset) : a0(_mm512_set1_epi32(offset)), a1(a0), a2(a0), a3(a0) {}
  SNS_VNNI_INLINE void step(const Codes& c, const int8_t* q) {
    const __m512i x = four_bytes(q);
    dot_bytes(a0, c.v0, x);
    dot_bytes(a1, c.v1, x);
    dot_bytes(a2, c.v2, x);
    dot_bytes(a3, c.v3, x);
  }
  SNS_VNNI_INLINE static __m512 score(__m512i sum, __m512 scale, const float* minus_half) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, _mm512_load_ps(minus_half));
  }
  SNS_VNNI_INLINE void finish(float factor, const float* h, float* out) const {
    const __m512 scale = _mm512_set1_ps(factor);
    _mm512_store_ps(out, _mm512_max_ps(score(a0, scale, h), score(a1, scale, h + 16)));
    _mm512_store_ps(out + 16, _mm512_max_ps(score(a2, scale, h + 32), score(a3, scale, h + 48)));
  }
  __m512i a0, a1, a2, a3;
};

}  // namespace

SNS_VNNI ByteRow vnni_quantize(const float* z, int64_t dim, int8_t* q) {
  __m512 peak = _mm512_setzero_ps();
  for (int64_t i = 0; i < dim; i += 16) peak = _mm512_max_ps(peak, _mm512_abs_ps(_mm512_loadu_ps(z + i)));
  const float top = _mm512_reduce_max_ps(peak);
  ByteRow row;
  row.scale = top / 127.0f;
  const __m512 scale = _mm512_set1_ps(row.scale);
  const __m512 inverse = _mm512_set1_ps(top > 0 ? 127.0f / top : 0.0f);
  __m512i sum = _mm512_setzero_si512();
  __m512 error = _mm512_setzero_ps(), norm = _mm512_setzero_ps();
  for (int64_t i = 0; i < dim; i += 16) {
    const __m512 v = _mm512_loadu_ps(z + i);
    const __m512i k = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse));
    const __m512 f = _mm512_cvtepi32_ps(k);
    const __m512 left = _mm512_fnmadd_ps(f, scale, v);
    error = _mm512_fmadd_ps(left, left, error);
    norm = _mm512_fmadd_ps(f, f, norm);
    sum = _mm512_add_epi32(sum, k);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + i), _mm512_cvtsepi32_epi8(k));
  }
  row.error = kInflate * __builtin_sqrtf(_mm512_reduce_add_ps(error));
  row.norm = kInflate * row.scale * __builtin_sqrtf(_mm512_reduce_add_ps(norm));
  row.offset = -128 * _mm512_reduce_add_epi32(sum);
  return row;
}

SNS_VNNI void vnni_screen(const NearestCodes& codes, int64_t begin, int64_t end, const int8_t* const* q,
                          const ByteRow* rows, float* const* maxima) {
  static_assert(kScreenRows == 6, "one Tile per row");
  const int64_t steps = codes.bytes_dim / 4;
  const uint8_t* c = codes.bytes + begin * 128 * codes.bytes_dim;
  const float* minus_half = codes.minus_half + begin * 128;
  for (int64_t panel = 2 * begin; panel < 2 * end; ++panel, minus_half += 64) {
    Tile t0(rows[0].offset), t1(rows[1].offset), t2(rows[2].offset);
    Tile t3(rows[3].offset), t4(rows[4].offset), t5(rows[5].offset);
    for (int64_t k = 0; k < 4 * steps; k += 4, c += 256) {
      const Codes b(c);
      t0.step(b, q[0] + k);
      t1.step(b, q[1] + k);
      t2.step(b, q[2] + k);
      t3.step(b, q[3] + k);
      t4.step(b, q[4] + k);
      t5.step(b, q[5] + k);
    }
    const float tau = codes.byte_scale[panel / 2];
    const int64_t at = panel * 32;
    t0.finish(rows[0].scale * tau, minus_half, maxima[0] + at);
    t1.finish(rows[1].scale * tau, minus_half, maxima[1] + at);
    t2.finish(rows[2].scale * tau, minus_half, maxima[2] + at);
    t3.finish(rows[3].scale * tau, minus_half, maxima[3] + at);
    t4.finish(rows[4].scale * tau, minus_half, maxima[4] + at);
    t5.finish(rows[5].scale * tau, minus_half, maxima[5] + at);
  }
}

}  // namespace sns

#else

namespace sns {
ByteRow vnni_quantize(const float*, int64_t, int8_t*) { return {}; }
void vnni_screen(const NearestCodes&, int64_t, int64_t, const int8_t* const*, const ByteRow*, float* const*) {
}
}  // namespace sns

#endif
