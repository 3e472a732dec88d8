#pragma once

#include <cstdint>

#include "core/parallel.h"

namespace sns {

// Rotary positions (RoFormer, Su et al. 2021): pairs of channels of a query or key turn by an angle that is
// the token's position times the pair's frequency, so that their product depends on the distance alone. A
// token may have a position on several axes (row and column; time, height and width): each pair turns by one
// of them. The angles of a request's tokens are tabled once and serve every layer.

/// y[r, i] = cos(α), y[r, pairs + i] = sin(α), α = ids[r, axis[i]]·frequency[i].
struct RotaryTableArgs {
  const int32_t* ids = nullptr;  ///< [rows, axes], any int32
  int64_t rows = 0, axes = 1;
  const int32_t* axis = nullptr;      ///< [pairs], each in [0, axes)
  const double* frequency = nullptr;  ///< [pairs], radians an id, at most 1 in magnitude
  int64_t pairs = 0;
  float* y = nullptr;  ///< [rows, 2·pairs] dense
};

/// Which two channels of a head are pair i.
enum class RotaryPairs : int32_t {
  kHalves = 0,      ///< (i, pairs + i): rotate_half of transformers, GPT-NeoX
  kInterleaved = 1  ///< (2i, 2i + 1): RoFormer, GPT-J
};

/// (a, b) → (a·cos − b·sin, b·cos + a·sin) for each pair of each head; the head's channels from 2·pairs on
/// stay.
struct RotaryArgs {
  const float* x = nullptr;  ///< [rows, heads·head_dim], stride ldx
  int64_t rows = 0, heads = 1, head_dim = 0, ldx = 0;
  const float* table = nullptr;  ///< of these rows
  int64_t pairs = 0;             ///< 2·pairs ≤ head_dim
  RotaryPairs layout = RotaryPairs::kHalves;
  float* y = nullptr;  ///< likewise, stride ldy; may be x
  int64_t ldy = 0;
};

/// Bound on |y − rotary_table_ref|: one rounding to float.
constexpr double kRotaryTableError = 1e-7;
/// Bound on NMSE against rotary_ref.
constexpr double kRotaryNmse = 1e-13;

/// Rows do not depend on each other, nor on threads.
void rotary_table_cpu(const RotaryTableArgs& args, Parallel& parallel);
void rotary_cpu(const RotaryArgs& args, Parallel& parallel);
/// float64 oracles, y dense; rotary_ref takes the table as it is.
void rotary_table_ref(const RotaryTableArgs& args, double* y);
void rotary_ref(const RotaryArgs& args, double* y);

}  // namespace sns
