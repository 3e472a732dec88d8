#pragma once

#include <vector>

#include "pipeline/blocks.h"

namespace sns {

/// The queries q [queries, qk] with W_K [qk, in] absorbed: [queries, heads·in].
AlignedArray<float> absorbed_queries(const float* q, int64_t queries, int64_t in, int64_t heads, int64_t qk,
                                     const float* k_weight);

/// Attention of learned queries, the same for every sequence, over the inputs of each sequence. The queries
/// are projected once, when the model is made. There are two ways to the same numbers:
///  - projected: K = x·W_Kᵀ + b_K and V = x·W_Vᵀ + b_V for every input, then attention;
///  - absorbed: scores are (W_K,hᵀ·q_h)·x and the output is W_V,h·(Σ p·x) + b_V, so that no input is
///  projected
///    at all; the part of b_K is the same for all keys and falls out of the softmax.
class LearnedCrossAttention {
 public:
  struct Tensors {
    Affine k, v;
  };
  struct Buffers {
    RepeatedRows q;
    float* kv = nullptr;    ///< projected: [max_inputs, qk + v]
    float* wide = nullptr;  ///< absorbed: [rows, heads·in]
  };

  LearnedCrossAttention() = default;
  /// q [queries, qk], already projected; `in` is the inputs' width.
  LearnedCrossAttention(const float* q, int64_t queries, int64_t in, int64_t heads, int64_t qk, int64_t v,
                        const Tensors& tensors);
  bool absorbed() const { return absorbed_; }
  int64_t y_width() const { return v_; }

  Buffers lay_out(Carver& carver, int64_t max_inputs, int64_t max_sequences) const;
  void prepare(const Buffers& buffers) const { buffers.q.reset(); }
  size_t scratch(int64_t max_inputs, int64_t max_sequences, int threads) const;
  /// What the queries of a request read.
  struct Inputs {
    const float* rows = nullptr;   ///< [cu[sequences], in]
    const int64_t* cu = nullptr;   ///< [sequences + 1]
    const float* sizes = nullptr;  ///< AttentionArgs::key_weight
  };
  /// y [cu_q[sequences], v]. A sequence without inputs gives zeros.
  void run(const Inputs& inputs, const int64_t* cu_q, int64_t sequences, const Buffers& buffers, float* y,
           void* scratch, Parallel& parallel) const;
  /// Of one sequence: out [its queries, its inputs]. `inputs` as in the last run.
  void weights(const Inputs& inputs, const int64_t* cu_q, int64_t sequences, const Buffers& buffers,
               int64_t sequence, float* out, Parallel& parallel) const;

 private:
  AttentionArgs args(const Inputs& inputs, const int64_t* cu_q, int64_t sequences, const Buffers& buffers,
                     float* y) const;

  int64_t queries_ = 0, in_ = 0, heads_ = 1, qk_ = 0, v_ = 0;
  Precision precision_ = Precision::kStrict;
  bool absorbed_ = false;
  AlignedArray<float> q_;  ///< [queries, qk] or, absorbed, [queries, heads·in]
  LinearWeights kv_;
  std::vector<LinearWeights> v_heads_;  ///< absorbed: [v/heads, in] each
};

}  // namespace sns
