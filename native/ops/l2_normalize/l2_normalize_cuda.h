#pragma once

#include "ops/l2_normalize/l2_normalize.h"

namespace sns {

/// l2_normalize_cpu on the GPU.
int l2_normalize_cuda(const L2NormalizeArgs& args, void* stream);
/// l2_normalize_grad_cpu on the GPU.
int l2_normalize_grad_cuda(const L2NormalizeArgs& args, const float* dy, int64_t lddy, void* stream);

}  // namespace sns
