#pragma once

#include "ops/rotary/rotary.h"

namespace sns {

/// rotary_table_cpu and rotary_cpu on the GPU.
int rotary_table_cuda(const RotaryTableArgs& args, void* stream);
int rotary_cuda(const RotaryArgs& args, void* stream);

}  // namespace sns
