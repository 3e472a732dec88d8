#pragma once

#include <functional>

#include "check/check.h"
#include "ops/contrastive/contrastive.h"

namespace sns {

/// Runs one batch; false if something around its scratch was touched.
using ContrastiveKernel = std::function<bool(const ContrastiveArgs& args, ContrastiveResult* result)>;

/// A random batch, computed by `kernel` and compared with contrastive_ref.
Parity contrastive_parity(uint64_t seed, const ContrastiveKernel& kernel);

}  // namespace sns
