#pragma once

#include <cstdint>
#include <string>

#include "core/status.h"

namespace sns {

/// Index of the first NaN or infinity in x [n], or -1. Good data are scanned at the speed of memory.
int64_t first_non_finite(const float* x, int64_t n);

/// Throws `code` on the first NaN or infinity in x [n], which is called `field`.
void check_finite(const std::string& field, const float* x, int64_t n, Code code = Code::kOutOfRange);

}  // namespace sns
