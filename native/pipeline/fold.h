#pragma once

#include "core/memory.h"

namespace sns {

/// Copy of rows [count, dim], each with `add` [dim] added; null rows count as zeros, null `add` too.
inline AlignedArray<float> folded(const float* rows, int64_t count, int64_t dim, const float* add) {
  AlignedArray<float> out(checked_mul(count, dim, "table"));
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < dim; ++i) {
      out[r * dim + i] = (rows ? rows[r * dim + i] : 0.0f) + (add ? add[i] : 0.0f);
    }
  }
  return out;
}

}  // namespace sns
