#pragma once

#include "ops/pack/pack.h"

namespace sns {

/// pack_cpu on the GPU; `segments` itself is a device array.
int pack_cuda(const PackArgs& args, void* stream);

}  // namespace sns
