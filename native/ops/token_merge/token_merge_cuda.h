#pragma once

#include "ops/token_merge/token_merge.h"

namespace sns {

size_t token_merge_cuda_workspace(const TokenMergeArgs& args);
/// token_merge_cpu on the GPU: one sequence, the same pairs as the oracle.
int token_merge_cuda(const TokenMergeArgs& args, void* workspace, void* stream);

}  // namespace sns
