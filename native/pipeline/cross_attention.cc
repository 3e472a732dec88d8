#include "pipeline/cross_attention.h"

#include <algorithm>
#include <cmath>

namespace sns {
namespace {

/// Multiply-adds an input of the two ways, the absorbed ones weighted by 4/3 because wide heads run slower
/// than the GEMM. With qk = v = in their bare comparison is the rule queries·(heads − 1) < in. Measured with
/// 8 heads, in = 768, 1k to 4k inputs, AVX-512, 2 threads: absorbed is 35 to 47 times as fast for 1 query, 11
/// for 8, 4 to 5.6 for 16, 2.8 for 32, 1.4 for 64; 0.6 to 0.9 for 96, where the bare rule would still take
/// it.
bool absorbing_pays(int64_t queries, int64_t in, int64_t heads, int64_t qk, int64_t v) {
  return 8 * static_cast<double>(queries * heads) * static_cast<double>(in) <
         3 * static_cast<double>(in + queries) * static_cast<double>(qk + v);
}

}  // namespace

AlignedArray<float> absorbed_queries(const float* q, int64_t queries, int64_t in, int64_t heads, int64_t qk,
                                     const float* k_weight) {
  const int64_t qk_dim = qk / heads;
  AlignedArray<float> wide(checked_mul(checked_mul(queries, heads, "queries"), in, "queries"));
  AlignedArray<double> sum(in);
  for (int64_t r = 0; r < queries * heads; ++r) {  // row r: query r / heads, head r % heads
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t d = 0; d < qk_dim; ++d) {
      const int64_t channel = r % heads * qk_dim + d;
      const double factor = q[r / heads * qk + channel];
      const float* w = k_weight + channel * in;
      for (int64_t i = 0; i < in; ++i) sum[i] += factor * w[i];
    }
    std::copy(sum.begin(), sum.end(), wide.data() + r * in);
  }
  return wide;
}

LearnedCrossAttention::LearnedCrossAttention(const float* q, int64_t queries, int64_t in, int64_t heads,
                                             int64_t qk, int64_t v, const Tensors& t)
    : queries_(queries), in_(in), heads_(heads), qk_(qk), v_(v), precision_(t.k.precision) {
  absorbed_ = absorbing_pays(queries, in, heads, qk, v);
  if (!absorbed_) {
    q_ = AlignedArray<float>(checked_mul(queries, qk, "queries"));
    std::copy(q, q + queries * qk, q_.data());
    kv_ = side_by_side({t.k, t.v}, {qk, v}, in);
    return;
  }
  const int64_t v_dim = v / heads;
  q_ = absorbed_queries(q, queries, in, heads, qk, t.k.weight);
  v_heads_.reserve(static_cast<size_t>(heads));
  for (int64_t h = 0; h < heads; ++h) {
    v_heads_.emplace_back(t.v.weight + h * v_dim * in, t.v.bias ? t.v.bias + h * v_dim : nullptr, v_dim, in,
                          t.v.precision);
  }
}

LearnedCrossAttention::Buffers LearnedCrossAttention::lay_out(Carver& carver, int64_t max_inputs,
                                                              int64_t max_sequences) const {
  const int64_t rows = checked_mul(max_sequences, queries_, "max_sequences");
  Buffers b;
  b.q = RepeatedRows::lay_out(carver, rows, absorbed_ ? heads_ * in_ : qk_, max_sequences);
  if (absorbed_) {
    b.wide = carver.take<float>(checked_mul(rows, heads_ * in_, "max_sequences"));
  } else {
    b.kv = carver.take<float>(checked_mul(max_inputs, qk_ + v_, "max_tokens"));
  }
  return b;
}

AttentionArgs LearnedCrossAttention::args(const Inputs& inputs, const int64_t* cu_q, int64_t sequences,
                                          const Buffers& b, float* y) const {
  AttentionArgs a;
  if (absorbed_) {
    a = attention_args({heads_, 1, in_, in_}, b.q.rows, heads_ * in_, inputs.rows, in_, b.wide, sequences,
                       cu_q, inputs.cu);
    a.v = inputs.rows;
    a.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(qk_ / heads_)));
  } else {
    a = attention_args(AttentionShape::of_channels(heads_, qk_, v_), b.q.rows, qk_, b.kv, qk_ + v_, y,
                       sequences, cu_q, inputs.cu);
  }
  a.key_weight = inputs.sizes;
  a.precision = precision_;
  return a;
}

size_t LearnedCrossAttention::scratch(int64_t max_inputs, int64_t max_sequences, int threads) const {
  const size_t attention = attention_scratch(args({}, nullptr, max_sequences, {}, nullptr), threads);
  if (!absorbed_) return std::max(attention, linear_scratch(kv_, max_inputs, threads));
  return std::max(attention, linear_scratch(v_heads_[0], max_sequences * queries_, threads));
}

void LearnedCrossAttention::run(const Inputs& inputs, const int64_t* cu_q, int64_t sequences,
                                const Buffers& b, float* y, void* scratch, Parallel& parallel) const {
  b.q.fill(q_.data(), q_.size() / queries_, cu_q, sequences);
  if (!absorbed_) {
    linear(kv_, inputs.rows, in_, inputs.cu[sequences], b.kv, qk_ + v_, nullptr, scratch, parallel);
    attention_cpu(args(inputs, cu_q, sequences, b, y), scratch, parallel);
    return;
  }
  attention_cpu(args(inputs, cu_q, sequences, b, nullptr), scratch, parallel);
  for (int64_t h = 0; h < heads_; ++h) {
    linear(v_heads_[static_cast<size_t>(h)], b.wide + h * in_, heads_ * in_, cu_q[sequences],
           y + h * (v_ / heads_), v_, nullptr, scratch, parallel);
  }
  for (int64_t s = 0; s < sequences; ++s) {  // the values' bias belongs to no one there
    if (inputs.cu[s] == inputs.cu[s + 1]) std::fill(y + cu_q[s] * v_, y + cu_q[s + 1] * v_, 0.0f);
  }
}

void LearnedCrossAttention::weights(const Inputs& inputs, const int64_t* cu_q, int64_t sequences,
                                    const Buffers& b, int64_t s, float* out, Parallel& parallel) const {
  attention_weights(args(inputs, cu_q, sequences, b, nullptr), s, inputs.cu[s + 1] - inputs.cu[s], out,
                    parallel);
}

}  // namespace sns
