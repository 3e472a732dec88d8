#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "ops/attention/attention.h"
#include "ops/linear/linear.h"
#include "pipeline/weights.h"

namespace sns {

// The parts that compressors are made of.

/// A linear or normalisation layer as it was found; bias may be null. The precision is a linear layer's.
struct Affine {
  const float *weight = nullptr, *bias = nullptr;
  Precision precision = Precision::kStrict;
};
/// name.weight [out, in] and, if there is one, name.bias [out].
Affine take_linear(WeightReader& reader, const std::string& name, int64_t out, int64_t in, bool bias = true);
/// name.weight [dim] and, if there is one, name.bias [dim].
Affine take_norm(WeightReader& reader, const std::string& name, int64_t dim, bool bias = true);

/// A linear layer as the kernels want it.
LinearWeights packed(const Affine& layer, int64_t out, int64_t in);
/// Linear layers that read the same input, as one: their outputs stand side by side.
struct StackedAffine {
  AlignedArray<float> weight, bias;  ///< [Σout, in], [Σout]; zeros where a layer has no bias
};
StackedAffine stack(std::initializer_list<Affine> parts, std::initializer_list<int64_t> outs, int64_t in);
LinearWeights side_by_side(std::initializer_list<Affine> parts, std::initializer_list<int64_t> outs,
                           int64_t in);

/// Layer norm or RMS norm of dense rows.
class Norm {
 public:
  enum class Kind { kLayer, kRms };
  Norm() = default;
  Norm(const Affine& affine, int64_t dim, float eps, Kind kind = Kind::kLayer);
  /// y may be x.
  void run(const float* x, int64_t rows, float* y, Parallel& parallel) const;

 private:
  AlignedArray<float> gamma_, beta_;
  float eps_ = 0;
  Kind kind_ = Kind::kLayer;
};

/// y = x·Wᵀ + b (+ residual, of y's stride; may be y).
void linear(const LinearWeights& w, const float* x, int64_t ldx, int64_t rows, float* y, int64_t ldy,
            const float* residual, void* scratch, Parallel& parallel);

/// Heads and their widths; channels are over all heads.
struct AttentionShape {
  int64_t heads = 1, kv_heads = 1, qk_dim = 0, v_dim = 0;
  int64_t q_width() const { return heads * qk_dim; }
  int64_t k_width() const { return kv_heads * qk_dim; }
  int64_t v_width() const { return kv_heads * v_dim; }
  int64_t y_width() const { return heads * v_dim; }
  static AttentionShape of_channels(int64_t heads, int64_t qk, int64_t v) {
    return {heads, heads, qk / heads, v / heads};
  }
};
/// Keys and values stand side by side in rows of ldkv; y is dense.
AttentionArgs attention_args(const AttentionShape& shape, const float* q, int64_t ldq, const float* kv,
                             int64_t ldkv, float* y, int64_t batch, const int64_t* cu_q, const int64_t* cu_k);

/// out[i, j] = mean over heads of softmax(scale·q·kᵀ)[i, j] for the queries and keys of sequence `s`, in
/// float64. The softmax runs over all keys; only the first `shown` are written. Allocates.
void attention_weights(const AttentionArgs& args, int64_t s, int64_t shown, float* out, Parallel& parallel);

/// Learned rows, repeated for every sequence: sequence s gets the first cu[s+1] − cu[s] of them. What was
/// filled for the last request is kept when the next one wants the same.
struct RepeatedRows {
  float* rows = nullptr;
  int64_t* filled = nullptr;  ///< [max_sequences + 2]: a count of sequences, then their offsets

  static RepeatedRows lay_out(Carver& carver, int64_t max_rows, int64_t width, int64_t max_sequences);
  void reset() const { filled[0] = 0; }
  void fill(const float* table, int64_t width, const int64_t* cu, int64_t sequences) const;
};

}  // namespace sns
