#pragma once

#include <optional>
#include <vector>

#include "ops/mlp/mlp.h"
#include "pipeline/compressor.h"
#include "pipeline/config.h"
#include "pipeline/cross_attention.h"

namespace sns {

/// Tensors of one attention layer; all have biases.
struct PerceiverLayerTensors {
  const float* start = nullptr;             // cross-attention only: the learned queries
  Affine norm, norm_inputs /* likewise */;  // of the side that asks, of the side that is read
  Affine q, k, v, o, norm_mlp, up, down;
};
struct PerceiverTensors {
  PerceiverLayerTensors cross;
  std::vector<PerceiverLayerTensors> self;
  PerceiverLayerTensors decoder;
};
PerceiverTensors take_perceiver(const PerceiverConfig& config, const PerceiverDecoderConfig* decoder,
                                int64_t d_model, WeightReader& reader);

/// Learned rows that read inputs once: x = start (+) attention(norm(start), norm(inputs)); x += MLP(norm(x)).
/// The rows are the same for every sequence, so their norm and Q projection are computed when the model is
/// made.
class PerceiverCross {
 public:
  struct Shape {
    int64_t rows = 0, dim = 0, in = 0;
    int64_t heads = 1, qk = 0, v = 0, hidden = 0;
    Activation activation = Activation::kGelu;
    bool query_residual = true;
    float norm_eps = 1e-5f;
  };
  struct Buffers {
    RepeatedRows start;              ///< only where it is added to the output
    float* normed_inputs = nullptr;  ///< [max_inputs, in]
    LearnedCrossAttention::Buffers attention;
    float* attended = nullptr;  ///< [rows, v]
    float* normed = nullptr;    ///< [rows, dim]
    float* y = nullptr;         ///< [rows, dim], the result
  };

  PerceiverCross(const Shape& shape, const PerceiverLayerTensors& tensors, Parallel& parallel);
  const Shape& shape() const { return shape_; }
  Buffers lay_out(Carver& carver, int64_t max_inputs, int64_t max_sequences) const;
  void prepare(const Buffers& buffers) const;
  size_t scratch(int64_t max_inputs, int64_t max_sequences, int threads) const;
  using Inputs = LearnedCrossAttention::Inputs;
  /// inputs → buffers.y [cu_rows[sequences], dim].
  void run(const Inputs& inputs, const int64_t* cu_rows, int64_t sequences, const Buffers& buffers,
           void* scratch, Parallel& parallel) const;
  /// out [rows of the sequence, its inputs], of the last run, which had these inputs.
  void weights(const Inputs& inputs, const int64_t* cu_rows, int64_t sequences, const Buffers& buffers,
               int64_t sequence, float* out, Parallel& parallel) const;

 private:
  Shape shape_;
  AlignedArray<float> start_;
  Norm norm_inputs_, norm_mlp_;
  LearnedCrossAttention attention_;
  LinearWeights out_, up_, down_;
};

PerceiverCross::Shape cross_shape(const PerceiverConfig& config, int64_t d_model);
PerceiverCross::Shape decoder_shape(const PerceiverDecoderConfig& config, int64_t d_latents);
/// The learned queries [rows, qk], normed and projected.
AlignedArray<float> projected_queries(const PerceiverCross::Shape& shape,
                                      const PerceiverLayerTensors& tensors, Parallel& parallel);

/// Perceiver (Jaegle et al. 2021) and Perceiver IO: `num_latents` learned latents read each sequence once,
/// then attend to themselves; with a decoder, learned queries read the latents and their rows are the result.
/// A limit takes the first latents; with a decoder the first queries, of all latents. That gives the bits of
/// a model with only these rows, or, where so few rows make that model absorb its projections
/// (LearnedCrossAttention) and this one not, the same up to rounding.
class Perceiver final : public Compressor {
 public:
  Perceiver(const PerceiverConfig& config, const PerceiverDecoderConfig* decoder, int64_t d_model,
            const PerceiverTensors& tensors, Parallel& parallel);

  int64_t dim() const override { return last().dim; }
  int64_t max_latents() const override { return last().rows; }
  int64_t latents(int64_t tokens, int64_t limit) const override;
  size_t workspace(const CompressorLimits& limits) const override;
  size_t scratch(const CompressorLimits& limits) const override;
  void prepare(const CompressorMemory& memory) const override;
  const float* run(const CompressorInput& in, const CompressorMemory& memory,
                   Parallel& parallel) const override;
  /// Of the cross-attention; with a decoder, its weights times those.
  void attention(const CompressorInput& in, const CompressorMemory& memory, int64_t sequence, float* out,
                 Parallel& parallel) const override;

 private:
  struct Layer {
    Norm norm, norm_mlp;
    LinearWeights in, out, up, down;  // in: Q, K and V side by side
  };
  struct Buffers {
    PerceiverCross::Buffers cross, decoder;
    float* qkv = nullptr;           ///< [max_sequences·num_latents, 2·self_qk + self_v]
    float* attended = nullptr;      ///< [max_sequences·num_latents, self_v]
    int64_t* cu_latents = nullptr;  ///< [max_sequences + 1], all latents; with a decoder only
  };
  const PerceiverCross::Shape& last() const { return decoder_ ? decoder_->shape() : cross_.shape(); }
  Buffers lay_out(Carver& carver, const CompressorLimits& limits) const;

  PerceiverConfig config_;
  PerceiverCross cross_;
  std::vector<Layer> self_;
  std::optional<PerceiverCross> decoder_;
};

}  // namespace sns
