#include <gtest/gtest.h>

#include <cstring>

#include "pipeline_support.h"

namespace sns {
namespace {

SmallModel headed(bool perceiver, std::vector<bool> kinds, bool bias) {
  SmallModel m(3);
  m.sequence(12, true, false).image(Position::kNone).frames(Position::kNone).text(Position::kNone);
  if (perceiver) m.perceiver();
  HeadConfig h;
  h.dim = 7;
  h.has_bias = bias;
  const char* const names[] = {"image", "audio", "text", "joint"};
  for (int k = 0; k < 4; ++k) {
    h.present[k] = kinds[static_cast<size_t>(k)];
    if (!h.present[k]) continue;
    const std::string name = std::string("head.") + names[k];
    m.tensor(name + ".weight", {7, 12});
    if (bias) m.tensor(name + ".bias", {7});
  }
  m.parts.head = h;
  return m;
}

std::vector<double> ref_adapted(const Adapter* adapter, const std::vector<std::vector<float>>& t,
                                const float* row, int64_t d) {
  std::vector<double> y(row, row + d);
  if (!adapter) return y;
  const AdapterConfig& c = adapter->config();
  for (int64_t j = 0; j < c.bottleneck; ++j) {
    double z = t[1][static_cast<size_t>(j)];
    for (int64_t i = 0; i < d; ++i) z += static_cast<double>(t[0][static_cast<size_t>(j * d + i)]) * row[i];
    for (int64_t i = 0; i < d; ++i) {
      y[static_cast<size_t>(i)] +=
          c.scale * t[2][static_cast<size_t>(i * c.bottleneck + j)] * activate(c.activation, z);
    }
  }
  for (int64_t i = 0; i < d; ++i) y[static_cast<size_t>(i)] += c.scale * t[3][static_cast<size_t>(i)];
  return y;
}

/// Sequences of image, text, image+text, audio; heads as named.
struct Batch {
  std::vector<OwnedItem> owned;
  std::vector<Item> items;
  explicit Batch(uint64_t seed = 5) {
    Random random(seed);
    owned.push_back(make_item(Format::kU8Hwc, {8, 7, 3}, random));
    owned.push_back(make_item(Format::kI64Ids, {5}, random));
    owned.push_back(make_item(Format::kU8Hwc, {4, 5, 3}, random));
    owned.push_back(make_item(Format::kI64Ids, {2}, random));
    owned.push_back(make_item(Format::kF32Pcm, {300}, random));
    const int64_t sequence[] = {0, 1, 2, 2, 3};
    for (size_t i = 0; i < owned.size(); ++i) {
      owned[i].item.sequence = sequence[i];
      items.push_back(owned[i].item);
    }
  }
};

std::shared_ptr<const Adapter> make_adapter(std::vector<std::vector<float>>& t, int64_t d) {
  Random random(9);
  t.assign(4, {});
  const int64_t counts[] = {5 * d, 5, d * 5, d};
  for (int k = 0; k < 4; ++k) {
    t[static_cast<size_t>(k)].resize(static_cast<size_t>(counts[k]));
    random.fill_normal(t[static_cast<size_t>(k)].begin(), t[static_cast<size_t>(k)].end(), 0.5);
  }
  AdapterConfig c;
  c.d = d;
  c.bottleneck = 5;
  c.scale = 0.5f;
  return std::make_shared<const Adapter>(c, t[0].data(), t[1].data(), t[2].data(), t[3].data());
}

TEST(Head, EqualsItsDefinition) {
  for (bool perceiver : {false, true}) {
    for (bool adapted : {false, true}) {
      for (bool bias : {false, true}) {
        const SmallModel m = headed(perceiver, {true, false, true, true}, bias);
        const Batch batch;
        Session plain(m.make(2), small_limits()), session(m.make(2), small_limits());
        std::vector<std::vector<float>> t;
        const auto adapter = adapted ? make_adapter(t, 12) : nullptr;
        session.set_adapter(adapter);
        const Result rows = run(plain, batch.items), r = run(session, batch.items);
        const float* values = perceiver ? rows.latents : rows.tokens;
        // Image, text: their own heads; the mixed sequence and the sound: the joint head.
        const char* const heads[] = {"head.image", "head.text", "head.joint", "head.joint"};
        for (int64_t s = 0; s < 4; ++s) {
          const int64_t begin = perceiver ? s * 5 : rows.cu_seqlens[s];
          const int64_t end = perceiver ? (s + 1) * 5 : rows.cu_seqlens[s + 1];
          std::vector<double> mean(12), e(7);
          for (int64_t row = begin; row < end; ++row) {
            const auto y = ref_adapted(adapter.get(), t, values + row * 12, 12);
            EXPECT_LE(nmse((perceiver ? r.latents : r.tokens) + row * 12, 12, y.data(), 1, 12), 1e-10);
            for (size_t i = 0; i < 12; ++i) mean[i] += y[i] / static_cast<double>(end - begin);
          }
          const std::string name = heads[s];
          double square = 0;
          for (size_t k = 0; k < 7; ++k) {
            e[k] = bias ? m.at(name + ".bias")[k] : 0;
            for (size_t i = 0; i < 12; ++i) e[k] += m.at(name + ".weight")[k * 12 + i] * mean[i];
            square += e[k] * e[k];
          }
          for (double& x : e) x /= std::sqrt(square);
          EXPECT_LE(nmse(r.embedding + s * 7, 7, e.data(), 1, 7), 1e-10) << name;
        }
      }
    }
  }
}

TEST(Head, PackedEqualsOneByOneToTheBit) {
  const SmallModel m = headed(true, {true, true, true, true}, true);
  const Batch batch;
  std::vector<std::vector<float>> t;
  const auto adapter = make_adapter(t, 12);
  Session session(m.make(3), small_limits()), alone(m.make(1), small_limits());
  session.set_adapter(adapter);
  alone.set_adapter(adapter);
  const Result r = run(session, batch.items);
  for (int64_t s = 0; s < 4; ++s) {
    std::vector<Item> items;
    for (Item item : batch.items) {
      if (item.sequence != s) continue;
      item.sequence = 0;
      items.push_back(item);
    }
    const Result one = run(alone, items);
    EXPECT_EQ(0, std::memcmp(one.embedding, r.embedding + s * 7, 7 * sizeof(float)));
  }
}

TEST(Head, AdaptersAreSwappedAndOutliveTheirOwner) {
  const SmallModel m = headed(true, {false, false, false, true}, false);
  const Batch batch;
  Session session(m.make(), small_limits());
  const auto latents = [&] {
    const Result r = run(session, batch.items);
    return Floats(r.latents, r.latents + r.latents_count * 12);
  };
  const Floats plain = latents();
  std::vector<std::vector<float>> t;
  session.set_adapter(make_adapter(t, 12));  // nobody else holds it
  const Floats adapted = latents();
  EXPECT_NE(plain, adapted);
  EXPECT_EQ(adapted, latents());
  session.set_adapter(nullptr);
  EXPECT_EQ(plain, latents());
  try {
    session.set_adapter(make_adapter(t, 11));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(Code::kInvalidShape, e.code());
  }
}

TEST(Head, SequencesWithoutAHeadAreNamed) {
  const auto expect = [](const SmallModel& m, const std::vector<Item>& items, Code code, const char* field) {
    Session session(m.make(), small_limits());
    try {
      run(session, items);
      ADD_FAILURE() << field;
    } catch (const Error& e) {
      EXPECT_EQ(code, e.code()) << e.what();
      EXPECT_EQ(field, e.field()) << e.what();
    }
  };
  const Batch batch;
  expect(headed(true, {true, false, true, false}, false), batch.items, Code::kInvalidArgument,
         "items[2].modality");
  expect(headed(true, {true, false, true, false}, false),
         {batch.items[0],
          [&] {
            Item i = batch.items[4];
            i.sequence = 1;
            return i;
          }()},
         Code::kInvalidArgument, "items[1].modality");
  Random random(1);
  OwnedItem empty = make_item(Format::kI64Ids, {0}, random);
  expect(headed(false, {false, false, true, false}, false), {empty.item}, Code::kInvalidShape,
         "items[0].count");
  Session session(headed(true, {false, false, true, false}, false).make(), small_limits());
  const Result r = run(session, {empty.item});  // its latents are there all the same
  for (int64_t i = 0; i < 7; ++i) EXPECT_TRUE(std::isfinite(r.embedding[i]));
}

TEST(Head, NothingToEmbed) {
  Session session(headed(true, {true, true, true, true}, true).make(), small_limits());
  EXPECT_EQ(0, run(session, {}).sequences);
}

}  // namespace
}  // namespace sns
