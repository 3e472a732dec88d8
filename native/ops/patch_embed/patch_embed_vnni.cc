// The int8 product of PatchEmbedBytes.

#include "ops/patch_embed/patch_embed_vnni.h"

#if defined(__x86_64__)
#include <utility>

#include "ops/patch_embed/store-inl.h"

namespace sns {
namespace {

/// Sums of some patches × 16 outputs, digit by digit.
template <int kDigits, size_t... kRow>
struct Tile {
  SNS_VNNI_INLINE explicit Tile(const int32_t* start)
      : a{((void)kRow, _mm512_load_si512(start))...},
        b{((void)kRow, _mm512_load_si512(start + 16))...},
        c{((void)kRow, _mm512_load_si512(start + 16 * (kDigits - 1)))...} {}
  template <size_t kOne>
  SNS_VNNI_INLINE void four(const uint8_t* patch, __m512i wa, __m512i wb, __m512i wc) {
    const __m512i x = four_bytes(patch);
    dot_bytes(a[kOne], x, wa);
    dot_bytes(b[kOne], x, wb);
    if constexpr (kDigits > 2) dot_bytes(c[kOne], x, wc);
  }
  /// Four bytes of every patch.
  SNS_VNNI_INLINE void step(const uint8_t* p, int64_t bytes, const int8_t* digits) {
    const __m512i wa = _mm512_load_si512(digits), wb = _mm512_load_si512(digits + 64),
                  wc = _mm512_load_si512(digits + 64 * (kDigits - 1));
    (four<kRow>(p + static_cast<int64_t>(kRow) * bytes, wa, wb, wc), ...);
  }
  template <size_t kOne>
  SNS_VNNI_INLINE void finish(const VnniPanel& panel, int64_t row, __mmask16 lanes) const {
    const __m512i sums[] = {a[kOne], b[kOne], c[kOne]};
    store<kDigits>(sums, panel.step, panel.bias,
                   panel.position ? panel.position + row * panel.ld_position : nullptr, lanes,
                   panel.y + row * panel.ldy);
  }
  __m512i a[sizeof...(kRow)], b[sizeof...(kRow)], c[sizeof...(kRow)];  ///< c is used of three digits
};

template <int kDigits, size_t... kRow>
SNS_VNNI_INLINE void rows_of(std::index_sequence<kRow...>, const VnniPanel& panel, const uint8_t* patches,
                             int64_t row, int64_t bytes, __mmask16 lanes) {
  const uint8_t* p = patches + row * bytes;
  Tile<kDigits, kRow...> tile(panel.start);
  const int8_t* digits = panel.digits;
  for (int64_t k = 0; k < bytes; k += 4, digits += 64 * kDigits) tile.step(p + k, bytes, digits);
  (tile.template finish<kRow>(panel, row + static_cast<int64_t>(kRow), lanes), ...);
}

template <int kDigits>
SNS_VNNI void multiply(const VnniPanel& panel, const uint8_t* patches, int64_t rows, int64_t bytes) {
  const __mmask16 lanes = lanes_of(panel.outputs, 0);
  int64_t r = 0;
  // With three digits, eight patches fill the register file: 24 sums, three weights, one patch element.
  for (; r + 8 <= rows; r += 8) {
    rows_of<kDigits>(std::make_index_sequence<8>(), panel, patches, r, bytes, lanes);
  }
  for (; r + 4 <= rows; r += 4) {
    rows_of<kDigits>(std::make_index_sequence<4>(), panel, patches, r, bytes, lanes);
  }
  for (; r < rows; ++r) rows_of<kDigits>(std::make_index_sequence<1>(), panel, patches, r, bytes, lanes);
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
