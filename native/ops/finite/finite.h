#pragma once

#include <cstdint>

namespace sns {

/// Index of the first NaN or infinity in x [n], or -1. Good data are scanned at the speed of memory.
int64_t first_non_finite(const float* x, int64_t n);

}  // namespace sns
