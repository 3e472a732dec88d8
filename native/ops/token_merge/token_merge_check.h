#pragma once

#include <functional>

#include "check/check.h"
#include "ops/token_merge/token_merge.h"

namespace sns {

/// Runs one sequence; false if something around its scratch was touched.
using TokenMergeKernel = std::function<bool(const TokenMergeArgs& args)>;

/// A random sequence, computed by `kernel` and compared with token_merge_ref.
Parity token_merge_parity(uint64_t seed, const TokenMergeKernel& kernel);

}  // namespace sns
