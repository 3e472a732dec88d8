#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "compressors.h"
#include "pipeline/cross_attention.h"

namespace sns {
namespace {

struct Out {
  std::vector<int64_t> cu;
  int64_t dim = 0;
  Floats values;
  Floats row(int64_t s) const {
    return Floats(values.begin() + cu[s] * dim, values.begin() + cu[s + 1] * dim);
  }
};

Out latents(Session& session, const std::vector<OwnedItem>& items) {
  std::vector<Item> list;
  for (size_t i = 0; i < items.size(); ++i) {
    list.push_back(items[i].item);
    list.back().sequence = static_cast<int64_t>(i);
  }
  const Result r = run(session, list);
  Out o;
  o.cu.assign(r.cu_latents, r.cu_latents + r.sequences + 1);
  o.dim = session.model().compressor()->dim();
  o.values.assign(r.latents, r.latents + r.latents_count * o.dim);
  EXPECT_EQ(o.cu.back(), r.latents_count);
  return o;
}

std::vector<OwnedItem> some_items() {
  Random random(41);
  std::vector<OwnedItem> items;
  for (int64_t n : {40, 1, 77, 3, 0, 130}) items.push_back(token_item(n, 16, random));
  return items;
}

class Compressors : public ::testing::TestWithParam<Kind> {};

TEST_P(Compressors, PackedIsOneByOneBitForBit) {
  const std::vector<OwnedItem> items = some_items();
  for (int threads : {1, 3}) {
    const auto model = compressing(GetParam()).make(threads);
    Session batch(model, small_limits());
    for (int64_t limit : {100, 4, 1}) {
      batch.set_latents(limit);
      const Out all = latents(batch, items);
      for (size_t i = 0; i < items.size(); ++i) {
        Session alone(model, small_limits());
        alone.set_latents(limit);
        EXPECT_EQ(latents(alone, {items[i]}).values, all.row(static_cast<int64_t>(i))) << "sequence " << i;
      }
      for (float v : all.values) ASSERT_TRUE(std::isfinite(v));
    }
  }
}

TEST_P(Compressors, ThreadsChangeNoBit) {
  const std::vector<OwnedItem> items = some_items();
  Session one(compressing(GetParam()).make(1), small_limits()),
      four(compressing(GetParam()).make(4), small_limits());
  EXPECT_EQ(latents(one, items).values, latents(four, items).values);
}

TEST_P(Compressors, EachSequenceHasItsOwnLimit) {
  const std::vector<OwnedItem> items = some_items();
  const auto model = compressing(GetParam()).make();
  Session mixed(model, small_limits());
  const int64_t limits[] = {3, 1, 100, 2};
  mixed.set_sequence_latents(limits, 4);
  const Out all = latents(mixed, items);
  for (size_t i = 0; i < items.size(); ++i) {
    Session alone(model, small_limits());
    if (i < 4) alone.set_latents(limits[i]);
    EXPECT_EQ(latents(alone, {items[i]}).values, all.row(static_cast<int64_t>(i))) << "sequence " << i;
    const int64_t tokens = items[i].item.dims[0];
    EXPECT_EQ(all.cu[i + 1] - all.cu[i],
              model->compressor()->latents(tokens, i < 4 ? limits[i] : model->compressor()->max_latents()));
  }
  mixed.set_latents(100);  // and back
  Session fresh(model, small_limits());
  EXPECT_EQ(latents(mixed, items).values, latents(fresh, items).values);
}

// Sum of a row: 1 but for what the resamplers' latents give to each other.
TEST_P(Compressors, AttentionRowsAreWeights) {
  const std::vector<OwnedItem> items = some_items();
  Session session(compressing(GetParam()).make(2), small_limits());
  Floats none(1);
  EXPECT_THROW(session.attention(0, none.data(), 1), Error);
  const Out out = latents(session, items);
  const bool leaks =
      GetParam() == Kind::kIdefics2 || GetParam() == Kind::kFlamingo || GetParam() == Kind::kMergedIdefics2;
  const bool means = GetParam() == Kind::kMean || GetParam() == Kind::kPrefix || GetParam() == Kind::kMerge;
  for (size_t s = 0; s < items.size(); ++s) {
    const int64_t tokens = items[s].item.dims[0], rows = out.cu[s + 1] - out.cu[s];
    Floats weights(static_cast<size_t>(rows * tokens), -1.0f);
    session.attention(static_cast<int64_t>(s), weights.data(), rows * tokens);
    EXPECT_THROW(session.attention(static_cast<int64_t>(s), weights.data(), rows * tokens + 1), Error);
    for (int64_t i = 0; i < rows && tokens > 0; ++i) {
      double sum = 0;
      for (int64_t t = 0; t < tokens; ++t) {
        EXPECT_GE(weights[i * tokens + t], 0.0f);
        sum += weights[i * tokens + t];
      }
      EXPECT_LE(sum, 1 + 1e-5);
      EXPECT_GE(sum, leaks ? 0.0 : 1 - 1e-5);
      for (int64_t c = 0; means && c < 16; ++c) {  // here the weights are the whole operation
        double mean = 0;
        for (int64_t t = 0; t < tokens; ++t) {
          mean += weights[i * tokens + t] * items[s].as<float>()[t * 16 + c];
        }
        EXPECT_NEAR(out.values[(out.cu[s] + i) * 16 + c], mean, 1e-5);
      }
    }
  }
  EXPECT_THROW(session.attention(6, none.data(), 0), Error);
  EXPECT_THROW(session.attention(-1, none.data(), 0), Error);
}

INSTANTIATE_TEST_SUITE_P(All, Compressors, ::testing::ValuesIn(kKinds));

/// The model whose learned rows are the first `keep` of those of `from`.
SmallModel shortened(Kind kind, const char* table, int64_t keep) {
  SmallModel m = compressing(kind, 6);
  Tensor& t = m.parts.tensors.at(table);
  Tensor cut;
  cut.dims = {keep, t.dims[1]};
  cut.data = AlignedArray<float>(keep * t.dims[1]);
  std::copy(t.data.begin(), t.data.begin() + cut.data.size(), cut.data.begin());
  t = std::move(cut);
  if (m.parts.perceiver_decoder) {
    m.parts.perceiver_decoder->num_queries = keep;
  } else if (m.parts.perceiver) {
    m.parts.perceiver->num_latents = keep;
  }
  if (m.parts.resampler) m.parts.resampler->num_latents = keep;
  if (m.parts.qformer) m.parts.qformer->num_latents = keep;
  return m;
}

TEST(Budget, FirstLatentsAreAModelWithOnlyThose) {
  const struct {
    Kind kind;
    const char* table;
  } cases[] = {{Kind::kPerceiver, "perceiver.latents"},
               {Kind::kDecoder, "perceiver.decoder.queries"},
               {Kind::kIdefics2, "resampler.latents"},
               {Kind::kFlamingo, "resampler.latents"},
               {Kind::kQFormer, "qformer.queries"}};
  const std::vector<OwnedItem> items = some_items();
  for (const auto& c : cases) {
    for (int64_t keep : {1, 2, 4}) {
      Session limited(compressing(c.kind, 6).make(), small_limits());
      limited.set_latents(keep);
      Session small(shortened(c.kind, c.table, keep).make(), small_limits());
      const Floats got = latents(limited, items).values, want = latents(small, items).values;
      const std::vector<double> ref(want.begin(), want.end());
      ASSERT_EQ(got.size(), want.size());
      // The same bits, but for the Perceiver's: with so few rows the small model absorbs the projections.
      const double limit = c.kind == Kind::kDecoder || c.kind == Kind::kPerceiver ? 1e-10 : 0;
      EXPECT_LE(nmse(got.data(), 1, ref.data(), static_cast<int64_t>(ref.size()), 1), limit)
          << c.table << " " << keep;
    }
  }
}

TEST(Budget, MeansAndMergesAreThoseOfASmallerModel) {
  const std::vector<OwnedItem> items = some_items();
  for (Kind kind : {Kind::kMean, Kind::kMerge}) {
    Session limited(compressing(kind, 6).make(), small_limits());
    limited.set_latents(3);
    Session small(compressing(kind, 3).make(), small_limits());
    EXPECT_EQ(latents(limited, items).values, latents(small, items).values);
  }
}

TEST(Budget, BadLimitsChangeNothing) {
  const std::vector<OwnedItem> items = some_items();
  Session session(compressing(Kind::kQFormer).make(), small_limits());
  session.set_latents(2);
  const Out before = latents(session, items);
  EXPECT_THROW(session.set_latents(0), Error);
  const int64_t bad[] = {3, 0}, many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  EXPECT_THROW(session.set_sequence_latents(bad, 2), Error);
  EXPECT_THROW(session.set_sequence_latents(many, 9), Error);
  EXPECT_EQ(before.values, latents(session, items).values);
}

// Without positions the order of the tokens cannot matter to attention or to a mean over all of them.
TEST(Order, OfTokensDoesNotMatterWithoutPositions) {
  Random random(43);
  OwnedItem item = token_item(50, 16, random), turned = item;
  turned.item.data = turned.bytes.data();
  float* data = reinterpret_cast<float*>(turned.bytes.data());
  for (int64_t t = 0; t < 50; ++t) std::copy_n(item.as<float>() + t * 16, 16, data + (49 - t) * 16);
  for (Kind kind : {Kind::kPerceiver, Kind::kDecoder, Kind::kIdefics2, Kind::kFlamingo, Kind::kQFormer,
                    Kind::kAttentionPool}) {
    Session session(compressing(kind).make(), small_limits());
    const Floats a = latents(session, {item}).values, b = latents(session, {turned}).values;
    const std::vector<double> ref(a.begin(), a.end());
    EXPECT_LE(nmse(b.data(), 1, ref.data(), static_cast<int64_t>(ref.size()), 1), 1e-9);
  }
}

/// Both ways against the projections and attention written out; H·queries on both sides of the rule.
TEST(CrossAttention, AbsorbedEqualsProjected) {
  Random random(44);
  int absorbed = 0;
  for (int64_t queries : {1, 3, 40}) {
    for (int64_t heads : {1, 2, 6}) {
      const int64_t in = 36, qk = 24, v = 30;
      Floats q(queries * qk), wk(qk * in), bk(qk), wv(v * in), bv(v);
      for (Floats* f : {&q, &wk, &bk, &wv, &bv}) random.fill_normal(f->begin(), f->end(), 0.4);
      const LearnedCrossAttention attention(q.data(), queries, in, heads, qk, v,
                                            {{wk.data(), bk.data()}, {wv.data(), bv.data()}});
      absorbed += attention.absorbed();
      const int64_t cu_k[] = {0, 70, 70, 75}, cu_q[] = {0, queries, 2 * queries, 3 * queries};
      Floats x(75 * in);
      random.fill_normal(x.begin(), x.end());
      Carver size(nullptr);
      attention.lay_out(size, 75, 3);
      AlignedArray<unsigned char> memory(static_cast<int64_t>(size.bytes()));
      AlignedArray<unsigned char> scratch(static_cast<int64_t>(attention.scratch(75, 3, 1)));
      Carver carver(memory.data());
      const auto buffers = attention.lay_out(carver, 75, 3);
      attention.prepare(buffers);
      Guarded<float> y(3 * queries * v);
      Serial serial;
      attention.run({x.data(), cu_k}, cu_q, 3, buffers, y.data(), scratch.data(), serial);
      EXPECT_TRUE(y.intact());

      LinearArgs rows;
      rows.x = x.data();
      rows.rows = 75;
      rows.ldx = in;
      std::vector<double> k(75 * qk), values(75 * v), ref(3 * queries * v);
      linear_ref(wk.data(), bk.data(), qk, in, rows, k.data());
      linear_ref(wv.data(), bv.data(), v, in, rows, values.data());
      const Floats kf = to_float(k), vf = to_float(values);
      Floats repeated;
      for (int s = 0; s < 3; ++s) repeated.insert(repeated.end(), q.begin(), q.end());
      AttentionArgs a = attention_args(AttentionShape::of_channels(heads, qk, v), repeated.data(), qk,
                                       nullptr, qk, nullptr, 3, cu_q, cu_k);
      a.k = kf.data();
      a.v = vf.data();
      a.ldv = v;
      attention_ref(a, ref.data());
      EXPECT_LE(nmse(y.data(), v, ref.data(), 3 * queries, v), 1e-9) << queries << " " << heads;
      for (int64_t i = queries * v; i < 2 * queries * v; ++i) ASSERT_EQ(y[i], 0.0f);  // no inputs
      Floats w(queries * 70), expected(queries * 70);
      attention.weights({x.data(), cu_k}, cu_q, 3, buffers, 0, w.data(), serial);
      attention_weights(a, 0, 70, expected.data(), serial);
      for (size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(w[i], expected[i], 1e-5);
    }
  }
  EXPECT_GT(absorbed, 0);
  EXPECT_LT(absorbed, 9);
}

TEST(Model, HasOneCompressor) {
  SmallModel m = compressing(Kind::kMean);
  m.parts.merge = MergeConfig{3, false};  // means would forget the sizes
  EXPECT_THROW(m.make(), Error);
  m.parts.merge.reset();
  m.parts.perceiver_decoder = PerceiverDecoderConfig();
  EXPECT_THROW(m.make(), Error);
}

// Merged copies of a token count as the copies do: that is what log(size) on the scores is for.
TEST(Merge, ThenAttentionEqualsAttentionToAllCopies) {
  Random random(46);
  const OwnedItem distinct = token_item(3, 16, random);
  OwnedItem copies = token_item(8, 16, random);  // a a b b c c c c
  const int64_t row[] = {0, 0, 1, 1, 2, 2, 2, 2};
  float* to = reinterpret_cast<float*>(copies.bytes.data());
  for (int64_t t = 0; t < 8; ++t) std::copy_n(distinct.as<float>() + row[t] * 16, 16, to + t * 16);
  for (Kind kind : {Kind::kPerceiver, Kind::kDecoder, Kind::kIdefics2, Kind::kFlamingo, Kind::kQFormer,
                    Kind::kAttentionPool}) {
    SmallModel m = compressing(kind);
    Session whole(m.make(), small_limits());
    m.parts.merge = MergeConfig{3, false};
    Session merged(m.make(), small_limits());
    const Out want = latents(whole, {copies}), got = latents(merged, {copies});
    const std::vector<double> ref(want.values.begin(), want.values.end());
    ASSERT_EQ(got.values.size(), ref.size());
    EXPECT_LE(nmse(got.values.data(), 1, ref.data(), static_cast<int64_t>(ref.size()), 1), 1e-10);
    Floats a(want.cu[1] * 8), b(a.size());
    whole.attention(0, a.data(), static_cast<int64_t>(a.size()));
    merged.attention(0, b.data(), static_cast<int64_t>(b.size()));
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5);
    // And not as one token each.
    Session once(compressing(kind).make(), small_limits());
    const Floats other = latents(once, {distinct}).values;
    EXPECT_GT(nmse(other.data(), 1, ref.data(), static_cast<int64_t>(ref.size()), 1), 1e-5);
  }
}

TEST(Merge, TheFirstTokenCanBeProtected) {
  Random random(45);
  std::vector<OwnedItem> items;
  items.push_back(token_item(37, 16, random));
  SmallModel m = compressing(Kind::kMerge, 4);
  m.parts.merge->protect_first = true;
  Session session(m.make(), small_limits());
  session.set_latents(1);  // cls and the rest
  const Out out = latents(session, items);
  ASSERT_EQ(out.cu[1], 2);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(out.values[i], items[0].as<float>()[i]);
}

/// A round of an even number of tokens leaves one more than half of them where one is protected.
TEST(Merge, AsManyTokensAsASessionTakes) {
  for (const int64_t tokens : {36, 37}) {
    Random random(47);
    std::vector<OwnedItem> items;
    items.push_back(token_item(tokens, 16, random));
    SmallModel m = compressing(Kind::kMerge, 4);
    m.parts.merge->protect_first = true;
    SessionLimits limits = small_limits();
    Session roomy(m.make(), limits);
    limits.max_tokens = tokens;
    Session session(m.make(), limits);
    EXPECT_EQ(latents(roomy, items).values, latents(session, items).values);
  }
}

}  // namespace
}  // namespace sns
