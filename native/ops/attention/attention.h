#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.h"
#include "core/precision.h"

namespace sns {

/// softmax(scale·Q·Kᵀ)·V over packed sequences, self or cross; grouped heads when kv_heads < heads.
/// Head h reads columns [h·qk_dim, (h+1)·qk_dim) of q and those of head h/(heads/kv_heads) of k and v.
struct AttentionArgs {
  const float* q = nullptr;  ///< [total_q, heads·qk_dim], stride ldq
  const float* k = nullptr;  ///< [total_k, kv_heads·qk_dim], stride ldk
  const float* v = nullptr;  ///< [total_k, kv_heads·v_dim], stride ldv
  float* y = nullptr;        ///< [total_q, heads·v_dim], stride ldy; overlaps nothing
  int64_t ldq = 0, ldk = 0, ldv = 0, ldy = 0;
  int64_t heads = 1, kv_heads = 1, qk_dim = 0, v_dim = 0;
  float scale = 1;  ///< usually qk_dim^-0.5
  /// Sequence s owns queries [cu_q[s], cu_q[s+1]) and keys [cu_k[s], cu_k[s+1]); both start at 0, ascend, and
  /// have batch+1 entries. Empty sequences are allowed.
  int64_t batch = 1;
  const int64_t* cu_q = nullptr;
  const int64_t* cu_k = nullptr;
  /// [total_k] bytes, 0 = never attend to this key; or null. A query whose keys are all masked (or absent)
  /// gives a row of zeros.
  const uint8_t* key_mask = nullptr;
  /// [total_k] how many keys each stands for, finite and above 0; or null, which is 1 each. Its probability
  /// counts so often, which is log(weight) on its scores: ToMe's proportional attention.
  const float* key_weight = nullptr;
  /// kFast rounds q, k, v and the probabilities to bfloat16 (on the CPU where there are units for it) in
  /// heads of kAttentionFastDim or more.
  Precision precision = Precision::kStrict;
  /// Query i of a sequence attends to its keys 0 to i. Sequences then have as many queries as keys, and there
  /// is no key_mask.
  bool causal = false;
};

/// In heads narrower than this the few roundings of a score do not average out, and there is little to gain:
/// kFast computes them as kStrict.
constexpr int64_t kAttentionFastDim = 16;

/// NMSE bound of one case against attention_ref (fp32 arithmetic).
constexpr double kAttentionNmse = 1e-10;
/// The same with kFast where queries and keys are about as large as 1: a probability's error grows with its
/// score.
constexpr double kAttentionFastNmse = 1e-4;

/// Scores are held one tile at a time (online softmax): scratch does not grow with total_q × total_k.
size_t attention_scratch(const AttentionArgs& args, int threads);
/// A sequence's result does not depend on its neighbours, its place in the batch, or threads.
void attention_cpu(const AttentionArgs& args, void* scratch, Parallel& parallel);
/// float64 oracle; y is dense [total_q, heads·v_dim].
void attention_ref(const AttentionArgs& args, double* y);

}  // namespace sns
