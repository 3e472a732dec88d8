#pragma once

#include <memory>
#include <optional>

#include "pipeline/audio_tokenizer.h"
#include "pipeline/compressor.h"
#include "pipeline/encoder.h"
#include "pipeline/engine.h"
#include "pipeline/head.h"
#include "pipeline/image_tokenizer.h"
#include "pipeline/text_embedder.h"

namespace sns {

/// What a model is made of; the sequence is required.
struct ModelParts {
  std::optional<SequenceConfig> sequence;
  std::optional<ImageConfig> image;
  std::optional<AudioConfig> audio;
  std::optional<TextConfig> text;
  std::optional<EncoderConfig> encoders[kModalities];
  /// At most one compressor: a Perceiver (with a decoder or without), or one of the others. A merge can also
  /// stand before one that attends.
  std::optional<PerceiverConfig> perceiver;
  std::optional<PerceiverDecoderConfig> perceiver_decoder;
  std::optional<LatentResamplerConfig> resampler;
  std::optional<QFormerConfig> qformer;
  std::optional<PoolConfig> pool;
  std::optional<MergeConfig> merge;
  std::optional<HeadConfig> head;
  TensorMap tensors;
};

class CudaModel;

/// Tokenizers, special tokens and compressor with their packed weights; immutable, shared by sessions.
class Model {
 public:
  Model(std::shared_ptr<Engine> engine, const ModelParts& parts);
  ~Model();
  Engine& engine() const { return *engine_; }

  int64_t d_model() const { return d_model_; }
  /// How fast rotary positions run with time.
  double ids_per_second() const { return ids_per_second_; }
  const ImageTokenizer* image() const { return image_ ? &*image_ : nullptr; }
  const AudioTokenizer* audio() const { return audio_ ? &*audio_ : nullptr; }
  const TextEmbedder* text() const { return text_ ? &*text_ : nullptr; }
  /// Null when the model stops at tokens.
  const Compressor* compressor() const { return compressor_.get(); }
  /// Runs over the modality's tokens before they are packed; null without.
  const Encoder* encoder(Modality m) const {
    const std::optional<Encoder>& e = encoders_[static_cast<int>(m)];
    return e ? &*e : nullptr;
  }
  /// The weights on the GPU; null on a CPU engine.
  const CudaModel* cuda() const { return cuda_.get(); }
  const Head* head() const { return head_ ? &*head_ : nullptr; }
  /// Width of the rows that adapters and heads read: latents, or tokens where there is no compressor.
  int64_t row_width() const { return compressor_ ? compressor_->dim() : d_model_; }
  /// [d_model], or null without modality embeddings.
  const float* modality(Modality m) const { return row(modality_, m); }
  /// The modality's prefix tokens; null without.
  const float* prefix(Modality m) const;
  /// The special tokens [d_model], or null without.
  const float* begin(Modality m) const { return row(begin_, m); }
  const float* end(Modality m) const { return row(end_, m); }

 private:
  const float* row(const AlignedArray<float>& table, Modality m) const {
    return table.data() ? table.data() + static_cast<int64_t>(m) * d_model_ : nullptr;
  }

  std::shared_ptr<Engine> engine_;
  int64_t d_model_ = 0;
  double ids_per_second_ = 25;
  AlignedArray<float> modality_, begin_, end_;
  std::optional<ImageTokenizer> image_;
  std::optional<AudioTokenizer> audio_;
  std::optional<TextEmbedder> text_;
  std::unique_ptr<const Compressor> compressor_;
  std::optional<Encoder> encoders_[kModalities];
  std::optional<Head> head_;
  std::unique_ptr<const CudaModel> cuda_;
};

}  // namespace sns
