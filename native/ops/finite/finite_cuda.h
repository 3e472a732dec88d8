#pragma once

#include <cstdint>

namespace sns {

/// *index = that of the first NaN or infinity in x [n], or −1; both are device pointers.
int first_non_finite_cuda(const float* x, int64_t n, int64_t* index, void* stream);

}  // namespace sns
