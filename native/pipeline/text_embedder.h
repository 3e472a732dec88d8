#pragma once

#include "ops/embed/embed.h"
#include "pipeline/config.h"
#include "pipeline/weights.h"

namespace sns {

struct TextTensors {
  const float *embedding = nullptr, *position = nullptr;
};
TextTensors take_text(const TextConfig& config, int64_t d_model, WeightReader& reader);

/// Table look-up plus positions; the modality embedding is folded into the positions, else into the table.
class TextEmbedder {
 public:
  TextEmbedder(const TextConfig& config, int64_t d_model, const TextTensors& tensors, const float* modality);
  const TextConfig& config() const { return config_; }
  /// [vocabulary, d_model] and, if learned, [max_tokens, d_model]; one of them with the modality.
  const AlignedArray<float>& table() const { return table_; }
  const AlignedArray<float>& position() const { return position_; }
  /// Throws kLimitExceeded past max_tokens.
  void check_count(int64_t count) const;
  /// Index of the first id outside the vocabulary, or -1.
  int64_t first_invalid(const int64_t* ids, int64_t count) const;
  /// `sincos` [count, d_model] already carries the modality; null for other positions.
  void run(const int64_t* ids, int64_t count, const float* sincos, float* y, Parallel& parallel) const;

 private:
  EmbedArgs args(const int64_t* ids, int64_t count) const;

  TextConfig config_;
  int64_t d_model_;
  AlignedArray<float> table_, position_;
};

}  // namespace sns
