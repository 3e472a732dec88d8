// The int8 product of PatchEmbedBytes with spares, which take VBMI besides VNNI.

#include "ops/patch_embed/patch_embed_vbmi.h"

#if defined(__x86_64__)
#include <utility>

#include "ops/patch_embed/store-inl.h"

#define SNS_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,fma")))
#define SNS_VBMI_INLINE SNS_VBMI __attribute__((always_inline)) inline

namespace sns {
namespace {

/// Rows 0 to 11 of a tile from four registers: 0, 1 or 2 strides are part of an address.
struct Rows {
  SNS_VBMI_INLINE Rows(const uint8_t* first, int64_t bytes)
      : stride(bytes), p{first, first + 3 * bytes, first + 6 * bytes, first + 9 * bytes} {}
  template <size_t kRow>
  SNS_VBMI_INLINE const uint8_t* at(int64_t k) const {
    return p[kRow / 3] + k + static_cast<int64_t>(kRow % 3) * stride;
  }
  int64_t stride;
  const uint8_t* p[4];
};

/// Sums of some patches × 32 outputs.
template <size_t... kRow>
struct Tile {
  SNS_VBMI_INLINE explicit Tile(const int32_t* start)
      : a{((void)kRow, _mm512_load_si512(start))...}, b{((void)kRow, _mm512_load_si512(start + 16))...} {}
  template <size_t kOne>
  SNS_VBMI_INLINE void four(const uint8_t* patch, __m512i wa, __m512i wb) {
    const __m512i x = four_bytes(patch);
    dot_bytes(a[kOne], x, wa);
    dot_bytes(b[kOne], x, wb);
  }
  /// Four bytes of every patch.
  SNS_VBMI_INLINE void step(const Rows& rows, int64_t k, const int8_t* digits) {
    const __m512i wa = _mm512_load_si512(digits), wb = _mm512_load_si512(digits + 64);
    (four<kRow>(rows.at<kRow>(k), wa, wb), ...);
  }
  /// Four spares of every output: their pixels are anywhere in the slice at k.
  SNS_VBMI_INLINE void spare(const Rows& rows, int64_t k, const int8_t* from) {
    const __m512i pick = _mm512_load_si512(from), digits = _mm512_load_si512(from + 64);
    (dot_bytes(a[kRow], _mm512_permutexvar_epi8(pick, _mm512_load_si512(rows.at<kRow>(k))), digits), ...);
    const __m512i pick_b = _mm512_load_si512(from + 128), digits_b = _mm512_load_si512(from + 192);
    (dot_bytes(b[kRow], _mm512_permutexvar_epi8(pick_b, _mm512_load_si512(rows.at<kRow>(k))), digits_b), ...);
  }
  SNS_VBMI_INLINE static void finish(const VbmiBlock& block, __m512i sum, int64_t row, int64_t first) {
    store<1>(&sum, block.step + first, block.bias + first,
             block.position ? block.position + row * block.ld_position + first : nullptr,
             lanes_of(block.outputs, first), block.y + row * block.ldy + first);
  }
  SNS_VBMI_INLINE void finish(const VbmiBlock& block, int64_t row) const {
    ((finish(block, a[kRow], row + static_cast<int64_t>(kRow), 0),
      finish(block, b[kRow], row + static_cast<int64_t>(kRow), 16)),
     ...);
  }
  __m512i a[sizeof...(kRow)], b[sizeof...(kRow)];
};

template <size_t... kRow>
SNS_VBMI_INLINE void rows_of(std::index_sequence<kRow...>, const VbmiBlock& block, const uint8_t* patches,
                             int64_t row, int64_t bytes) {
  const Rows rows(patches + row * bytes, bytes);
  Tile<kRow...> tile(block.start);
  const int8_t* quarter = block.quarters;
  for (int64_t slice = 0; slice < bytes; slice += 64) {
    // The spares among the plain products, so that the permutations' unit works beside the multipliers.
    for (int64_t k = slice; k < slice + 64; k += 16, quarter += VbmiBlock::kQuarterBytes) {
      tile.step(rows, k, quarter);
      tile.step(rows, k + 4, quarter + 128);
      tile.step(rows, k + 8, quarter + 256);
      tile.step(rows, k + 12, quarter + 384);
      tile.spare(rows, slice, quarter + 512);
    }
  }
  tile.finish(block, row);
}

}  // namespace

SNS_VBMI void vbmi_multiply(const VbmiBlock& block, const uint8_t* patches, int64_t rows, int64_t bytes) {
  int64_t r = 0;
  // Twelve patches: 24 sums, and with two weights and one patch element few of the 32 registers are free.
  for (; r + 12 <= rows; r += 12) rows_of(std::make_index_sequence<12>(), block, patches, r, bytes);
  for (; r + 4 <= rows; r += 4) rows_of(std::make_index_sequence<4>(), block, patches, r, bytes);
  for (; r < rows; ++r) rows_of(std::make_index_sequence<1>(), block, patches, r, bytes);
}

}  // namespace sns

#else

namespace sns {
void vbmi_multiply(const VbmiBlock&, const uint8_t*, int64_t, int64_t) {}
}  // namespace sns

#endif
