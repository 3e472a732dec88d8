#include "pipeline/blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/layer_norm/layer_norm.h"
#include "ops/rms_norm/rms_norm.h"
#include "pipeline/fold.h"

namespace sns {

Affine take_linear(WeightReader& reader, const std::string& name, int64_t out, int64_t in, bool bias) {
  const float* weight = reader.take(name + ".weight", {out, in});
  return {weight, bias ? reader.take(name + ".bias", {out}) : nullptr, reader.precision()};
}

Affine take_norm(WeightReader& reader, const std::string& name, int64_t dim, bool bias) {
  const float* weight = reader.take(name + ".weight", {dim});
  return {weight, bias ? reader.take(name + ".bias", {dim}) : nullptr};
}

LinearWeights packed(const Affine& layer, int64_t out, int64_t in) {
  return LinearWeights(layer.weight, layer.bias, out, in, layer.precision);
}

StackedAffine stack(std::initializer_list<Affine> parts, std::initializer_list<int64_t> outs, int64_t in) {
  int64_t out = 0;
  for (int64_t o : outs) out = checked_add(out, o, "compressor");
  StackedAffine stacked;
  stacked.weight = AlignedArray<float>(checked_mul(out, in, "compressor"));
  stacked.bias = AlignedArray<float>(out);
  float *w = stacked.weight.data(), *b = stacked.bias.data();
  const int64_t* o = outs.begin();
  for (const Affine& part : parts) {
    w = std::copy(part.weight, part.weight + *o * in, w);
    b = part.bias ? std::copy(part.bias, part.bias + *o, b) : std::fill_n(b, *o, 0.0f);
    ++o;
  }
  return stacked;
}

LinearWeights side_by_side(std::initializer_list<Affine> parts, std::initializer_list<int64_t> outs,
                           int64_t in) {
  const StackedAffine stacked = stack(parts, outs, in);
  return LinearWeights(stacked.weight.data(), stacked.bias.data(), stacked.bias.size(), in,
                       parts.begin()->precision);
}

Norm::Norm(const Affine& affine, int64_t dim, float eps, Kind kind)
    : gamma_(folded(affine.weight, 1, dim, nullptr)), eps_(eps), kind_(kind) {
  if (affine.bias) beta_ = folded(affine.bias, 1, dim, nullptr);
}

void Norm::run(const float* x, int64_t rows, float* y, Parallel& parallel) const {
  const int64_t dim = gamma_.size();
  if (kind_ == Kind::kRms) {
    rms_norm_cpu({x, rows, dim, dim, gamma_.data(), eps_, y, dim}, parallel);
  } else {
    layer_norm_cpu({x, rows, dim, dim, gamma_.data(), beta_.data(), eps_, y, dim}, parallel);
  }
}

void linear(const LinearWeights& w, const float* x, int64_t ldx, int64_t rows, float* y, int64_t ldy,
            const float* residual, void* scratch, Parallel& parallel) {
  if (rows == 0) return;
  LinearArgs a;
  a.x = x;
  a.rows = rows;
  a.ldx = ldx;
  a.y = y;
  a.ldy = ldy;
  a.residual = residual;
  a.ld_residual = ldy;
  linear_cpu(w, a, scratch, parallel);
}

AttentionArgs attention_args(const AttentionShape& shape, const float* q, int64_t ldq, const float* kv,
                             int64_t ldkv, float* y, int64_t batch, const int64_t* cu_q,
                             const int64_t* cu_k) {
  AttentionArgs a;
  a.q = q;
  a.k = kv;
  a.v = kv ? kv + shape.k_width() : nullptr;
  a.y = y;
  a.ldq = ldq;
  a.ldk = a.ldv = ldkv;
  a.ldy = shape.y_width();
  a.heads = shape.heads;
  a.kv_heads = shape.kv_heads;
  a.qk_dim = shape.qk_dim;
  a.v_dim = shape.v_dim;
  a.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(a.qk_dim)));
  a.batch = batch;
  a.cu_q = cu_q;
  a.cu_k = cu_k;
  return a;
}

void attention_weights(const AttentionArgs& a, int64_t s, int64_t shown, float* out, Parallel& parallel) {
  const int64_t first = a.cu_k[s], keys = a.cu_k[s + 1] - first, queries = a.cu_q[s + 1] - a.cu_q[s];
  if (queries == 0 || shown == 0) return;
  AlignedArray<double> scores(checked_mul(2 * keys, parallel.threads(), "attention"));
  parallel_for(parallel, queries, [&](int64_t i, int worker) {
    double* score = scores.data() + 2 * keys * worker;
    double* sum = score + keys;
    std::fill(sum, sum + keys, 0.0);
    for (int64_t h = 0; h < a.heads; ++h) {
      const float* q = a.q + (a.cu_q[s] + i) * a.ldq + h * a.qk_dim;
      const float* k = a.k + first * a.ldk + h / (a.heads / a.kv_heads) * a.qk_dim;
      double top = -INFINITY, total = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0;
        for (int64_t d = 0; d < a.qk_dim; ++d) dot += static_cast<double>(q[d]) * k[j * a.ldk + d];
        score[j] = static_cast<double>(a.scale) * dot;
        top = std::max(top, score[j]);
      }
      for (int64_t j = 0; j < keys; ++j) {
        score[j] = std::exp(score[j] - top);
        if (a.key_weight) score[j] *= static_cast<double>(a.key_weight[first + j]);
        total += score[j];
      }
      for (int64_t j = 0; j < keys; ++j) sum[j] += score[j] / total;
    }
    for (int64_t j = 0; j < shown; ++j) {
      out[i * shown + j] = static_cast<float>(sum[j] / static_cast<double>(a.heads));
    }
  });
}

RepeatedRows RepeatedRows::lay_out(Carver& carver, int64_t max_rows, int64_t width, int64_t max_sequences) {
  RepeatedRows r;
  r.rows = carver.take<float>(checked_mul(max_rows, width, "max_sequences"));
  r.filled = carver.take<int64_t>(max_sequences + 2);
  return r;
}

void RepeatedRows::fill(const float* table, int64_t width, const int64_t* cu, int64_t sequences) const {
  // More sequences than now may have been filled: their beginning is what is wanted all the same.
  if (filled[0] >= sequences && std::equal(cu, cu + sequences + 1, filled + 1)) return;
  for (int64_t s = 0; s < sequences; ++s) {
    std::memcpy(rows + cu[s] * width, table,
                static_cast<size_t>((cu[s + 1] - cu[s]) * width) * sizeof(float));
  }
  filled[0] = sequences;
  std::copy(cu, cu + sequences + 1, filled + 1);
}

}  // namespace sns
