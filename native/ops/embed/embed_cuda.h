#pragma once

#include "ops/embed/embed.h"

namespace sns {

/// embed_cpu on the GPU; ids must be valid.
int embed_cuda(const EmbedArgs& args, void* stream);

}  // namespace sns
