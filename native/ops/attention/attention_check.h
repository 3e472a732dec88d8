#pragma once

#include <functional>

#include "check/check.h"
#include "ops/attention/attention.h"

namespace sns {

/// Runs one case; false if something around its scratch was touched.
using AttentionKernel = std::function<bool(const AttentionArgs& args)>;

/// A random batch (ragged, grouped heads, masks, weights), computed by `kernel` and compared with
/// attention_ref. Without `large_scores` queries and keys are standard normal, with it queries are three
/// times that in half of the cases.
Parity attention_parity(uint64_t seed, const AttentionKernel& kernel, bool large_scores = true);

}  // namespace sns
