#pragma once

#include "ops/l2_normalize/l2_normalize.h"

namespace sns {

/// l2_normalize_cpu on the GPU.
int l2_normalize_cuda(const L2NormalizeArgs& args, void* stream);

}  // namespace sns
