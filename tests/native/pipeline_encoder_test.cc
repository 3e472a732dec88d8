#include <gtest/gtest.h>

#include <cstring>

#include "pipeline_support.h"

namespace sns {
namespace {

constexpr double kNmse = 1e-9;

EncoderConfig small_encoder() {
  EncoderConfig c;
  c.layers = 2;
  c.heads = 4;
  c.hidden = 24;
  return c;
}

/// The encoder of one item's tokens [rows, d], op by op in float64.
std::vector<double> ref_encoder(const SmallModel& m, Modality modality, std::vector<double> tokens) {
  const EncoderConfig& c = *m.parts.encoders[static_cast<int>(modality)];
  const int64_t d = m.d();
  const std::string stem = std::string(part_name(modality)) + ".encoder.";
  Floats x = to_float(tokens);
  const int64_t rows = static_cast<int64_t>(x.size()) / d;
  const auto norm = [&](const std::string& name, const Floats& in) {
    LayerNormArgs a;
    a.x = in.data();
    a.rows = rows;
    a.dim = a.ldx = d;
    a.gamma = m.at(name + ".weight");
    a.beta = m.at(name + ".bias");
    a.eps = c.norm_eps;
    std::vector<double> y(in.size());
    layer_norm_ref(a, y.data());
    return to_float(y);
  };
  const auto linear = [&](const std::string& name, const Floats& in, int64_t out) {
    LinearArgs a;
    a.x = in.data();
    a.rows = rows;
    a.ldx = d;
    std::vector<double> y(static_cast<size_t>(rows * out));
    linear_ref(m.at(name + ".weight"), m.at(name + ".bias"), out, d, a, y.data());
    return to_float(y);
  };
  const auto add = [&](const std::vector<double>& more) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += static_cast<float>(more[i]);
  };
  if (c.pre_norm) x = norm(stem + "pre_norm", x);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = stem + std::to_string(i) + ".";
    const Floats n1 = norm(layer + "norm1", x);
    const Floats q = linear(layer + "q", n1, d), k = linear(layer + "k", n1, d),
                 v = linear(layer + "v", n1, d);
    const int64_t cu[2] = {0, rows};
    AttentionArgs a;
    a.q = q.data();
    a.k = k.data();
    a.v = v.data();
    a.ldq = a.ldk = a.ldv = d;
    a.heads = a.kv_heads = c.heads;
    a.qk_dim = a.v_dim = d / c.heads;
    a.scale = 1 / std::sqrt(static_cast<float>(a.qk_dim));
    a.cu_q = a.cu_k = cu;
    std::vector<double> attended(static_cast<size_t>(rows * d));
    attention_ref(a, attended.data());
    const Floats o = linear(layer + "o", to_float(attended), d);
    add(std::vector<double>(o.begin(), o.end()));
    const Floats n2 = norm(layer + "norm2", x);
    MlpArgs mlp;
    mlp.x = n2.data();
    mlp.rows = rows;
    mlp.ldx = d;
    mlp.activation = c.activation;
    std::vector<double> y(x.size());
    mlp_ref(m.at(layer + "mlp.up.weight"), m.at(layer + "mlp.up.bias"), m.at(layer + "mlp.down.weight"),
            m.at(layer + "mlp.down.bias"), d, c.hidden, d, mlp, y.data());
    add(y);
  }
  if (c.final_norm) x = norm(stem + "final_norm", x);
  return std::vector<double>(x.begin(), x.end());
}

/// ref_item without and then with what stands around and upon an encoder's output.
std::vector<double> ref_encoded(const SmallModel& m, const OwnedItem& item) {
  SmallModel bare(m.seed);
  bare.parts.sequence = SequenceConfig{m.d(), false, false};
  bare.parts.image = m.parts.image;
  bare.parts.audio = m.parts.audio;
  bare.parts.text = m.parts.text;
  for (const auto& [name, tensor] : m.parts.tensors) {
    Tensor copy;
    copy.dims = tensor.dims;
    copy.data = AlignedArray<float>(tensor.data.size());
    std::copy(tensor.data.begin(), tensor.data.end(), copy.data.begin());
    bare.parts.tensors[name] = std::move(copy);
  }
  std::vector<double> all = ref_encoder(m, item.item.modality, ref_item(bare, item));
  const int64_t d = m.d(), modality = static_cast<int64_t>(item.item.modality);
  if (m.parts.sequence->modality_embedding) {
    const float* row = m.at("sequence.modality") + modality * d;
    for (size_t i = 0; i < all.size(); ++i) all[i] += row[static_cast<int64_t>(i) % d];
  }
  if (m.parts.sequence->special_tokens) {
    const float* begin = m.at("sequence.begin") + modality * d;
    const float* end = m.at("sequence.end") + modality * d;
    all.insert(all.begin(), begin, begin + d);
    all.insert(all.end(), end, end + d);
  }
  return all;
}

SmallModel model_of_three(bool around, const EncoderConfig& c) {
  SmallModel m(21);
  m.sequence(16, around, around).image(Position::kLearned).frames(Position::kSinCos).text(Position::kSinCos);
  for (Modality modality : {Modality::kImage, Modality::kAudio, Modality::kText}) add_encoder(m, modality, c);
  return m;
}

std::vector<OwnedItem> mixed_items() {
  Random random(5);
  std::vector<OwnedItem> items;
  items.push_back(make_item(Format::kI64Ids, {7}, random));
  items.push_back(make_item(Format::kU8Hwc, {11, 8, 3}, random));
  items.push_back(make_item(Format::kF32Pcm, {333}, random));
  items.push_back(make_item(Format::kI64Ids, {0}, random));
  items.push_back(make_item(Format::kF32Chw, {8, 7, 3}, random));
  items.push_back(make_item(Format::kI64Ids, {13}, random));
  return items;
}

TEST(Encoder, MatchesTheOraclesInEveryForm) {
  for (int form = 0; form < 8; ++form) {
    EncoderConfig c = small_encoder();
    c.pre_norm = form & 1;
    c.final_norm = form & 2;
    c.qkv_bias = c.bias = form & 4;
    c.activation = form & 1 ? Activation::kQuickGelu : Activation::kGeluTanh;
    c.layers = form == 7 ? 0 : 2;
    for (bool around : {false, true}) {
      const SmallModel m = model_of_three(around, c);
      std::vector<OwnedItem> owned = mixed_items();
      std::vector<Item> items;
      for (size_t i = 0; i < owned.size(); ++i) {
        owned[i].item.sequence = static_cast<int64_t>(i);
        items.push_back(owned[i].item);
      }
      Session session(m.make(3), small_limits());
      const Result r = run(session, items);
      for (size_t i = 0; i < items.size(); ++i) {
        const std::vector<double> ref = ref_encoded(m, owned[i]);
        const int64_t first = r.cu_seqlens[i], rows = r.cu_seqlens[i + 1] - first;
        ASSERT_EQ(rows * 16, static_cast<int64_t>(ref.size())) << "item " << i;
        if (rows == 0) continue;
        EXPECT_LE(nmse(r.tokens + first * 16, 16, ref.data(), rows, 16), kNmse)
            << "form " << form << " item " << i;
      }
    }
  }
}

TEST(Encoder, ItemsDoNotSeeEachOtherAndThreadsDoNotShow) {
  const SmallModel m = model_of_three(true, small_encoder());
  const std::vector<OwnedItem> owned = mixed_items();
  std::vector<Item> items;
  for (const OwnedItem& o : owned) items.push_back(o.item);
  Session together(m.make(3), small_limits()), alone(m.make(1), small_limits());
  const Result all = run(together, items);
  int64_t at = 0;
  for (const Item& item : items) {
    const Result one = run(alone, {item});
    ASSERT_LE(at + one.tokens_count, all.tokens_count);
    EXPECT_EQ(0, std::memcmp(all.tokens + at * 16, one.tokens,
                             static_cast<size_t>(one.tokens_count * 16) * sizeof(float)));
    at += one.tokens_count;
  }
  EXPECT_EQ(at, all.tokens_count);
}

TEST(Encoder, FinishedTokensPassItBy) {
  const SmallModel m = model_of_three(false, small_encoder());
  Random random(6);
  const OwnedItem tokens = make_item(Format::kF32Tokens, {5, 16}, random, Modality::kImage);
  Session session(m.make(), small_limits());
  const Result r = run(session, {tokens.item});
  ASSERT_EQ(r.tokens_count, 5);
  EXPECT_EQ(0, std::memcmp(r.tokens, tokens.bytes.data(), tokens.bytes.size()));
}

TEST(Encoder, WrongConfigurationsAndTensorsAreNamed) {
  const auto error_of = [](const SmallModel& m) {
    try {
      m.make();
    } catch (const Error& e) {
      return std::make_pair(e.field(), std::string(e.what()));
    }
    return std::make_pair(std::string(), std::string());
  };
  EncoderConfig c = small_encoder();
  c.heads = 3;  // does not divide 16
  EXPECT_EQ(error_of(model_of_three(false, c)).first, "image.encoder.heads");

  SmallModel orphan(3);
  orphan.sequence(16, false, false).text(Position::kNone);
  add_encoder(orphan, Modality::kAudio, small_encoder());
  EXPECT_EQ(error_of(orphan).first, "audio.encoder");

  SmallModel m = model_of_three(false, small_encoder());
  m.parts.tensors.erase("text.encoder.1.mlp.up.bias");
  m.tensor("image.encoder.0.q.weight", {16, 8});
  m.tensor("audio.encoder.2.norm1.weight", {16});
  const std::string what = error_of(m).second;
  EXPECT_NE(what.find("missing: text.encoder.1.mlp.up.bias [24]"), std::string::npos) << what;
  EXPECT_NE(what.find("wrong shape: image.encoder.0.q.weight is [16, 8], expected [16, 16]"),
            std::string::npos);
  EXPECT_NE(what.find("extra: audio.encoder.2.norm1.weight [16]"), std::string::npos);
}

}  // namespace
}  // namespace sns
