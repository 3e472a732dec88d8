#pragma once

#include <optional>

#include "ops/linear/linear.h"
#include "ops/segment_mean/segment_mean.h"
#include "pipeline/config.h"
#include "pipeline/weights.h"

namespace sns {

/// The first kModalities are those of sequences of one modality.
constexpr int32_t kJointHead = kModalities;
constexpr int32_t kHeads = kModalities + 1;

/// The meaning of every field is in sensorium.h (sns_head_config).
struct HeadConfig {
  int64_t dim = 0;
  bool present[kHeads] = {};  ///< image, audio, text, joint
  bool has_bias = false;
  float logit_scale = 0, logit_bias = 0;
};
/// Throws kInvalidArgument naming the field.
void validate(const HeadConfig& config);

struct HeadTensors {
  const float* weight[kHeads] = {};
  const float* bias[kHeads] = {};
};
HeadTensors take_head(const HeadConfig& config, int64_t width, WeightReader& reader);

/// Pools each sequence's rows, projects them by the head of its kind and normalises: one embedding a
/// sequence.
class Head {
 public:
  struct Buffers {
    int32_t* kind = nullptr;      ///< [max_sequences] which head
    int64_t* slots = nullptr;     ///< [max_sequences] place among the sequences ordered by head
    Segment* segments = nullptr;  ///< [max_sequences] rows of the sequence at each place
    float* pooled = nullptr;      ///< [max_sequences, width], ordered by head
    float* projected = nullptr;   ///< [max_sequences, dim], likewise
    float* embedding = nullptr;   ///< [max_sequences, dim], the result
  };

  Head(const HeadConfig& config, int64_t width, const HeadTensors& tensors);
  const HeadConfig& config() const { return config_; }
  Buffers lay_out(Carver& carver, int64_t max_sequences) const;
  size_t scratch(int64_t max_sequences, int threads) const;
  /// The head for a sequence of one modality (or kJointHead for a mixed one): its own if there is one, else
  /// the joint head; -1 where the model has neither.
  int32_t choose(int32_t kind) const {
    return config_.present[kind] ? kind : config_.present[kJointHead] ? kJointHead : -1;
  }
  /// Sequences of one head side by side, so that each head reads its weights once: head k has the places
  /// [first[k], first[k+1]).
  struct Order {
    int64_t first[kHeads + 1] = {};
  };
  /// Fills buffers.slots and .segments; buffers.kind must be filled.
  Order order(const int64_t* cu, int64_t sequences, const Buffers& buffers) const;
  /// rows [cu[sequences], width] → buffers.embedding; buffers.kind must be filled. A sequence's embedding
  /// does not depend on its neighbours.
  void run(const float* rows, const int64_t* cu, int64_t sequences, const Buffers& buffers, void* scratch,
           Parallel& parallel) const;

 private:
  HeadConfig config_;
  int64_t width_;
  std::optional<LinearWeights> weights_[kHeads];
};

}  // namespace sns
