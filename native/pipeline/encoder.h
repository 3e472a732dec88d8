#pragma once

#include <string>
#include <vector>

#include "pipeline/blocks.h"
#include "pipeline/config.h"

namespace sns {

/// Tensors of an encoder.
struct EncoderTensors {
  struct Layer {
    Affine norm1, q, k, v, o, norm2, up, down;
  };
  Affine pre_norm, final_norm;
  std::vector<Layer> layers;
};
/// `part` is "image", "audio" or "text".
EncoderTensors take_encoder(const EncoderConfig& config, const std::string& part, int64_t d_model,
                            WeightReader& reader);

/// How queries and keys of a rotary encoder turn: the row turns the first half of the pairs, the column the
/// second, at the same frequencies.
struct RotaryAxes {
  std::vector<int32_t> axis;      ///< [pairs of a head]
  std::vector<double> frequency;  ///< likewise
  int64_t pairs() const { return static_cast<int64_t>(axis.size()); }
};
RotaryAxes rotary_axes(int64_t head_dim);

/// Pre-norm transformer over each item's tokens (prefix tokens included): x += O(attention(norm1(x))),
/// x += down(act(up(norm2(x)))). All items of one modality of a request pass at once; none sees another.
class Encoder {
 public:
  /// Where a session keeps what passes between the ops; encoders of one model share it.
  struct Buffers {
    float* x = nullptr;           ///< [max_tokens, d_model], the tokens on their way
    float* normed = nullptr;      ///< [max_tokens, d_model], also what attention gives
    float* qkv = nullptr;         ///< [max_tokens, 3·d_model]
    int64_t* cu_items = nullptr;  ///< [max_items + 1]
    int32_t* grid = nullptr;      ///< [max_tokens, 2], rotary only: row and column of each token
    float* turns = nullptr;       ///< [max_tokens, width of a head], rotary only
  };

  Encoder(const EncoderConfig& config, int64_t d_model, const EncoderTensors& tensors);
  const EncoderConfig& config() const { return config_; }

  /// `head`: the widest head of an encoder that is rotary, 0 if there is none.
  static Buffers lay_out(Carver& carver, int64_t d_model, int64_t max_tokens, int64_t max_items,
                         int64_t head);
  size_t scratch(int64_t max_tokens, int64_t max_items, int threads) const;
  /// Everything but the last norm, in place on b.x. Item i has rows [b.cu_items[i], b.cu_items[i+1]). An
  /// item's numbers do not depend on its neighbours.
  void run(int64_t items, const Buffers& b, void* scratch, Parallel& parallel) const;
  /// y = final norm of `rows` rows of x, or a copy where there is none; both dense.
  void finish(const float* x, int64_t rows, float* y, Parallel& parallel) const;

 private:
  struct Layer {
    Norm norm1, norm2;
    LinearWeights qkv, out, up, down;
  };

  EncoderConfig config_;
  int64_t d_model_;
  RotaryAxes rotary_;  ///< empty unless it is
  Norm pre_norm_, final_norm_;
  std::vector<Layer> layers_;
};

}  // namespace sns
