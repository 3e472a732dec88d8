#pragma once

#include "ops/attention/attention.h"

namespace sns {

/// The lengths of the sequences are read on the device (cu_q, cu_k); the host knows their bounds, so that one
/// captured launch serves every request of a bucket. The wide heads of absorbed cross-attention (qk_dim and
/// v_dim of the whole input, kv_heads = 1, k = v) are heads like any other here.
struct AttentionCudaArgs {
  AttentionArgs attention;
  int64_t total_q = 0;            ///< at least cu_q[batch]
  int64_t max_q = 0;              ///< at least the queries of any sequence
  int64_t max_k = 0;              ///< at least the keys of any sequence
  int32_t multiprocessors = 132;  ///< of the device: few queries over many keys are split to fill them
};

/// Partial results of split keys; 0 where nothing is split.
size_t attention_cuda_workspace(const AttentionCudaArgs& args);
/// attention.precision: bfloat16 once (kFast), or in parts that add up to kStrict's accuracy (narrow heads,
/// too).
int attention_cuda(const AttentionCudaArgs& args, void* workspace, void* stream);

}  // namespace sns
