#pragma once

#include "ops/layer_norm/layer_norm.h"

namespace sns {

/// layer_norm_cpu on the GPU.
int layer_norm_cuda(const LayerNormArgs& args, void* stream);

}  // namespace sns
