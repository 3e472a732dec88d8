#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory.h"
#include "core/parallel.h"

namespace sns {

// Nearest-code search shared by vector quantisation and token merging.
//
// A cheap screen scores every (row, code) pair and keeps only the maximum of each cell of two codes; every
// cell that the screen's error bound does not rule out is then evaluated in float64. The answer is therefore
// the float64 oracle's, whatever the screen's precision, and only its speed depends on the data.
//
// Score of a code: s = z·c' − h, the larger the nearer, where
//   kDistance  z = x − μ, c' = c − μ, h = ½‖c'‖²   (½‖z‖² − s = ½‖x − c‖²; μ = mean code, so that a common
//                                                  offset costs no precision)
//   kDot       z = x,     c' = c − μ, h = 0        (s = x·c − x·μ)
//
// Bound of the screen's error, u = 2⁻²⁴, per row and group of codes with n = max‖c'‖:
//   fp32  |ŝ − s| ≤ (d + 8)·u·(‖z‖n + ½n²): d fused or split multiply-adds starting at −h, the rounding of z,
//         c' and h to float, and two roundings when the bound itself is applied.
//   int8  ẑ = σ·q, ĉ = τ·p with |q|, |p| ≤ 127; z·c' − ẑ·ĉ = (z − ẑ)·c' + ẑ·(c' − ĉ), so by Cauchy-Schwarz
//         |ŝ − s| ≤ ‖z − ẑ‖n + ‖ẑ‖ρ + 8u·(‖ẑ‖(n + ρ) + ‖z‖n + ½n²), ρ = max‖c' − ĉ‖. The integer sum is
//         exact.
//   both  plus the oracle's own float64 rounding, (d + 4)·2⁻⁵²·(‖z‖² + n²), or ‖x‖(n + ‖μ‖) for kDot.
// With L = max over cells of (ŝ_max − bound), a cell with ŝ_max + bound < L holds no nearest code.

enum class Nearness { kDistance, kDot };

/// Codes laid out for the running CPU; all arrays are carved from one block.
struct NearestCodes {
  // Given.
  int64_t size = 0, dim = 0;
  Nearness nearness = Nearness::kDistance;
  const float* codes = nullptr;  ///< [size, dim], stride ld
  int64_t ld = 0;
  bool normalise = false;  ///< codes and rows are L2-normalised first (in float64)

  // Laid out.
  int64_t lanes = 0, groups = 0, bytes_dim = 0;  ///< a group is 8·lanes codes; bytes_dim = dim up to 64
  double* scale = nullptr;                       ///< [size] 1/‖c‖; null unless normalise
  float* row_shift = nullptr;                    ///< [dim] taken from rows
  float* code_shift = nullptr;                   ///< [dim] taken from codes
  float* panels = nullptr;                       ///< c' in float
  float* minus_half = nullptr;                   ///< [groups·8·lanes] −h, −∞ in the padding
  uint8_t* bytes = nullptr;                      ///< p + 128; null without VNNI
  float* byte_scale = nullptr;                   ///< [groups] τ
  float* norm = nullptr;                         ///< [groups] n
  float* byte_error = nullptr;                   ///< [groups] ρ
  double shift_norm = 0, max_norm = 0;           ///< ‖μ‖, max n
  bool screenable = false;                       ///< all finite and of sane magnitude
};

/// Carves the arrays (counts only, with a counting Carver). `codes`, sizes and flags must be set.
void lay_out_codes(NearestCodes& codes, Carver& carver);
/// Fills them.
void pack_codes(NearestCodes& codes, Parallel& parallel);

struct NearestArgs {
  const float* x = nullptr;  ///< [rows, dim], stride ldx
  int64_t rows = 0, ldx = 0;
  int64_t* ids = nullptr;  ///< [rows], stride id_stride
  int64_t id_stride = 1;
  /// [rows], stride id_stride: float64 squared distance to the chosen code (kDistance) or dot product (kDot);
  /// or null. As exact_distance / exact_dot give it.
  double* value = nullptr;
  int64_t* evaluated = nullptr;  ///< [threads] is increased by the codes evaluated in float64; or null
};

size_t nearest_scratch(const NearestCodes& codes, int threads);
/// id of the nearest code of each row, the lowest on ties; 0 where no distance is a number.
void find_nearest(const NearestCodes& codes, const NearestArgs& args, void* scratch, Parallel& parallel);

/// Cells of two codes, four vectors of them a group.
inline int64_t cell_count(const NearestCodes& codes) { return codes.groups * 4 * codes.lanes; }

// The int8 screen (nearest_vnni.cc); call only where has_avx512_vnni().
constexpr int kScreenRows = 6;  ///< rows of one register tile

struct ByteRow {
  float scale;        ///< σ
  float error, norm;  ///< upper bounds of ‖z − ẑ‖ and ‖ẑ‖
  int32_t offset;     ///< −128·Σq
};
/// z [dim], dim a multiple of 64, to q.
ByteRow vnni_quantize(const float* z, int64_t dim, int8_t* q);
/// maxima[r][cell] for groups [begin, end). Cell u·lanes + lane holds codes 2·u·lanes + lane and one `lanes`
/// on.
void vnni_screen(const NearestCodes& codes, int64_t begin, int64_t end, const int8_t* const* q,
                 const ByteRow* rows, float* const* maxima);

}  // namespace sns
