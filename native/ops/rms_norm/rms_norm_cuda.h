#pragma once

#include "ops/rms_norm/rms_norm.h"

namespace sns {

/// rms_norm_cpu on the GPU.
int rms_norm_cuda(const RmsNormArgs& args, void* stream);

}  // namespace sns
