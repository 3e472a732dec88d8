#include "pipeline/model.h"

#include <functional>

#include "pipeline/attention_pool.h"
#include "pipeline/cuda/model.h"
#include "pipeline/fold.h"
#include "pipeline/latent_resampler.h"
#include "pipeline/mean_pool.h"
#include "pipeline/merge_first.h"
#include "pipeline/perceiver.h"
#include "pipeline/qformer.h"
#include "pipeline/token_merger.h"

namespace sns {
namespace {

/// The compressor's tensors are looked up at once; what is returned packs them.
using MakeCompressor = std::function<std::unique_ptr<const Compressor>()>;
MakeCompressor take_compressor(const ModelParts& parts, int64_t d, WeightReader& reader, Parallel& parallel) {
  const int set = int{parts.perceiver.has_value()} + int{parts.resampler.has_value()} +
                  int{parts.qformer.has_value()} + int{parts.pool.has_value()};
  if (set > 1) throw Error(Code::kInvalidArgument, "compressor", "compressor: a model has only one");
  if (parts.merge && parts.pool && parts.pool->kind != PoolKind::kAttention) {
    throw Error(
        Code::kInvalidArgument, "merge",
        "merge: means of merged tokens would forget their sizes; only a compressor that attends can follow");
  }
  if (parts.perceiver_decoder && !parts.perceiver) {
    throw Error(Code::kInvalidArgument, "perceiver_decoder",
                "perceiver_decoder: there is no Perceiver to read from");
  }
  if (parts.perceiver) {
    const PerceiverConfig& c = *parts.perceiver;
    const PerceiverDecoderConfig* decoder = parts.perceiver_decoder ? &*parts.perceiver_decoder : nullptr;
    return [&parallel, &c, d, decoder, t = take_perceiver(c, decoder, d, reader)] {
      return std::make_unique<const Perceiver>(c, decoder, d, t, parallel);
    };
  }
  if (parts.resampler) {
    const LatentResamplerConfig& c = *parts.resampler;
    return [&parallel, &c, d, t = take_latent_resampler(c, d, reader)] {
      return std::make_unique<const LatentResampler>(c, d, t, parallel);
    };
  }
  if (parts.qformer) {
    const QFormerConfig& c = *parts.qformer;
    return [&parallel, &c, d, t = take_qformer(c, d, reader)] {
      return std::make_unique<const QFormer>(c, d, t, parallel);
    };
  }
  if (parts.pool && parts.pool->kind == PoolKind::kAttention) {
    const PoolConfig& c = *parts.pool;
    return [&parallel, &c, d, t = take_attention_pool(c, d, reader)] {
      return std::make_unique<const AttentionPool>(c, d, t, parallel);
    };
  }
  if (parts.pool) {
    const PoolConfig& c = *parts.pool;
    return [&c, d, t = take_mean_pool(c, d, reader)] { return std::make_unique<const MeanPool>(c, d, t); };
  }
  return [] { return nullptr; };
}

/// Merging stands alone, or before a compressor that attends.
std::unique_ptr<const Compressor> with_merge(const ModelParts& parts, int64_t d,
                                             std::unique_ptr<const Compressor> then) {
  if (!parts.merge) return then;
  if (!then) return std::make_unique<const TokenMerger>(*parts.merge, d);
  return std::make_unique<const MergeFirst>(*parts.merge, d, std::move(then));
}

}  // namespace

Model::Model(std::shared_ptr<Engine> engine, const ModelParts& parts) : engine_(std::move(engine)) {
  if (!parts.sequence) {
    throw Error(Code::kInvalidArgument, "sequence", "the sequence configuration is not set");
  }
  const SequenceConfig& sequence = *parts.sequence;
  d_model_ = sequence.d_model;
  ids_per_second_ = sequence.ids_per_second;

  // First everything is looked up, so that one error lists all that is wrong with the tensors; then packed.
  WeightReader reader(parts.tensors, engine_->precision());
  const float *modality = nullptr, *begin = nullptr, *end = nullptr;
  if (sequence.modality_embedding) modality = reader.take("sequence.modality", {kModalities, d_model_});
  if (sequence.special_tokens) {
    begin = reader.take("sequence.begin", {kModalities, d_model_});
    end = reader.take("sequence.end", {kModalities, d_model_});
  }
  ImageTensors image;
  AudioTensors audio;
  TextTensors text;
  EncoderTensors encoders[kModalities];
  if (parts.image) image = take_image(*parts.image, d_model_, reader);
  if (parts.audio) audio = take_audio(*parts.audio, d_model_, reader);
  if (parts.text) text = take_text(*parts.text, d_model_, reader);
  const bool tokenizers[kModalities] = {parts.image.has_value(), parts.audio.has_value(),
                                        parts.text.has_value()};
  for (int m = 0; m < kModalities; ++m) {
    if (!parts.encoders[m]) continue;
    if (!tokenizers[m]) {
      const std::string field = std::string(part_name(static_cast<Modality>(m))) + ".encoder";
      throw Error(Code::kInvalidArgument, field, field + ": the model has no tokenizer of this modality");
    }
    encoders[m] = take_encoder(*parts.encoders[m], part_name(static_cast<Modality>(m)), d_model_, reader);
  }
  const auto make_compressor = take_compressor(parts, d_model_, reader, engine_->parallel());
  HeadTensors head;
  const int64_t width = parts.perceiver_decoder               ? parts.perceiver_decoder->d_queries
                        : parts.perceiver                     ? parts.perceiver->d_latents
                        : parts.qformer                       ? parts.qformer->d_latents
                        : parts.pool && parts.pool->dense > 0 ? parts.pool->dense
                                                              : d_model_;
  if (parts.head) head = take_head(*parts.head, width, reader);
  reader.finish();

  if (modality) modality_ = folded(modality, kModalities, d_model_, nullptr);
  if (begin) begin_ = folded(begin, kModalities, d_model_, nullptr);
  if (end) end_ = folded(end, kModalities, d_model_, nullptr);
  for (int m = 0; m < kModalities; ++m) {
    if (parts.encoders[m]) encoders_[m].emplace(*parts.encoders[m], d_model_, encoders[m]);
  }
  // Encoders read tokens as they were trained: the modality is then added to what they give.
  const auto folded_in = [this](Modality m) { return encoder(m) ? nullptr : this->modality(m); };
  if (parts.image) image_.emplace(*parts.image, d_model_, image, folded_in(Modality::kImage));
  if (parts.audio) audio_.emplace(*parts.audio, d_model_, audio, folded_in(Modality::kAudio));
  if (parts.text) text_.emplace(*parts.text, d_model_, text, folded_in(Modality::kText));
  compressor_ = with_merge(parts, d_model_, make_compressor());
  if (parts.head) head_.emplace(*parts.head, row_width(), head);
  if (engine_->cuda()) cuda_ = std::make_unique<const CudaModel>(engine_->cuda(), *this, parts);
}

Model::~Model() = default;

const float* Model::prefix(Modality m) const {
  switch (m) {
    case Modality::kImage:
      return image_->prefix();
    case Modality::kAudio:
      return audio_->prefix();
    case Modality::kText:
      return nullptr;
  }
  return nullptr;
}

}  // namespace sns
