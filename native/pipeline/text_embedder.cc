#include "pipeline/text_embedder.h"

#include "pipeline/fold.h"

namespace sns {

TextTensors take_text(const TextConfig& config, int64_t d_model, WeightReader& reader) {
  TextTensors t;
  t.embedding = reader.take("text.embedding", {config.vocabulary, d_model});
  if (config.position == Position::kLearned) {
    t.position = reader.take("text.position", {config.max_tokens, d_model});
  }
  if (config.position == Position::kSinCos && d_model % 2 != 0) {
    throw Error(Code::kInvalidArgument, "d_model", "d_model: sine-cosine positions need an even number");
  }
  return t;
}

TextEmbedder::TextEmbedder(const TextConfig& config, int64_t d_model, const TextTensors& tensors,
                           const float* modality)
    : config_(config), d_model_(d_model) {
  const bool none = config.position == Position::kNone;
  table_ = folded(tensors.embedding, config.vocabulary, d_model, none ? modality : nullptr);
  if (tensors.position) position_ = folded(tensors.position, config.max_tokens, d_model, modality);
}

void TextEmbedder::check_count(int64_t count) const {
  if (count > config_.max_tokens) {
    throw Error(
        Code::kLimitExceeded, "count",
        "count: " + std::to_string(count) + " ids, the model takes " + std::to_string(config_.max_tokens),
        config_.max_tokens);
  }
}

EmbedArgs TextEmbedder::args(const int64_t* ids, int64_t count) const {
  EmbedArgs a;
  a.table = table_.data();
  a.vocabulary = config_.vocabulary;
  a.dim = d_model_;
  a.ids = ids;
  a.count = count;
  return a;
}

int64_t TextEmbedder::first_invalid(const int64_t* ids, int64_t count) const {
  return embed_first_invalid(args(ids, count));
}

void TextEmbedder::run(const int64_t* ids, int64_t count, const float* sincos, float* y,
                       Parallel& parallel) const {
  EmbedArgs a = args(ids, count);
  a.position = config_.position == Position::kLearned ? position_.data() : sincos;
  a.y = y;
  a.ldy = d_model_;
  embed_cpu(a, parallel);
}

}  // namespace sns
