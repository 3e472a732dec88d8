#include <gtest/gtest.h>

#include <cstring>

#include "pipeline/positions.h"
#include "pipeline_support.h"

namespace sns {
namespace {

constexpr double kNmse = 1e-9;

/// Runs the items, one sequence each, and compares every item's tokens and every sequence's latents.
void expect_reference(const SmallModel& m, std::vector<OwnedItem>& owned, int threads = 1) {
  std::vector<Item> items;
  for (size_t i = 0; i < owned.size(); ++i) {
    owned[i].item.sequence = static_cast<int64_t>(i);
    items.push_back(owned[i].item);
  }
  Session session(m.make(threads), small_limits());
  const Result r = run(session, items);
  ASSERT_EQ(r.sequences, static_cast<int64_t>(items.size()));
  for (size_t i = 0; i < items.size(); ++i) {
    const std::vector<double> ref = ref_item(m, owned[i]);
    const int64_t first = r.cu_seqlens[i], rows = r.cu_seqlens[i + 1] - first;
    ASSERT_EQ(rows * m.d(), static_cast<int64_t>(ref.size())) << "item " << i;
    EXPECT_LE(nmse(r.tokens + first * m.d(), m.d(), ref.data(), rows, m.d()), kNmse) << "item " << i;
    if (m.parts.perceiver) {
      const std::vector<double> latents = ref_latents(m, to_float(ref));
      EXPECT_LE(nmse(r.latents + i * latents.size(), 12, latents.data(), 5, 12), kNmse) << "item " << i;
    }
  }
}

TEST(Positions, MatchTheirFormulas) {
  const int64_t dim = 12;
  const Floats add = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  Floats y(9 * dim), axis(5 * dim / 2), grid(3 * 5 * dim);
  sincos_1d(9, dim, add.data(), y.data());
  for (int64_t p = 0; p < 9; ++p) {
    const auto ref = ref_sincos_1d(p, dim);
    for (int64_t i = 0; i < dim; ++i) EXPECT_NEAR(y[p * dim + i], ref[i] + add[i], 2e-6);
  }
  sincos_axis(5, dim / 2, axis.data());
  sincos_2d(3, 5, dim, axis.data(), nullptr, grid.data());
  for (int64_t r = 0; r < 3; ++r) {
    for (int64_t c = 0; c < 5; ++c) {
      const auto ref = ref_sincos_2d(r, c, dim);
      for (int64_t i = 0; i < dim; ++i) EXPECT_NEAR(grid[(r * 5 + c) * dim + i], ref[i], 1e-6);
    }
  }
}

TEST(Positions, KnownValuesOfMae) {
  // get_2d_sincos_pos_embed(4, 2) of facebookresearch/mae: rows (y, x) = (0,0), (0,1), (1,0), (1,1).
  const double s = std::sin(1.0), c = std::cos(1.0);
  const double expected[4][4] = {{0, 1, 0, 1}, {s, c, 0, 1}, {0, 1, s, c}, {s, c, s, c}};
  Floats axis(2 * 2), grid(4 * 4);
  sincos_axis(2, 2, axis.data());
  sincos_2d(2, 2, 4, axis.data(), nullptr, grid.data());
  for (int i = 0; i < 16; ++i) EXPECT_NEAR(grid[i], expected[i / 4][i % 4], 1e-7);
}

// One band, 2x3 places: linspace(-1, 1), frequency 1, so that sines are 0 but in the middle column's cosines.
TEST(Positions, FourierByHand) {
  Floats y(6 * 6);
  fourier_2d(2, 3, 8, 8, 1, y.data(), 6);
  for (int64_t i = 0; i < 6; ++i) {
    const double expected[] = {i < 3 ? -1.0 : 1.0,     static_cast<double>(i % 3 - 1), 0, 0, -1,
                               i % 3 == 1 ? 1.0 : -1.0};
    for (int64_t k = 0; k < 6; ++k) EXPECT_NEAR(y[i * 6 + k], expected[k], 1e-7) << i << " " << k;
  }
}

struct Case {
  Position position;
  bool modality, special;
};

class Tokens : public ::testing::TestWithParam<Case> {};

TEST_P(Tokens, ImagesMatchTheReference) {
  const Case& p = GetParam();
  Random random(7);
  for (PatchOrder order : {PatchOrder::kChannelFirst, PatchOrder::kChannelLast}) {
    SmallModel m(3);
    m.sequence(16, p.modality, p.special).image(p.position, order).perceiver();
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kU8Hwc, {11, 8, 3}, random));  // a remainder at both sides
    items.push_back(make_item(Format::kF32Chw, {8, 7, 3}, random));
    if (p.position != Position::kLearned) {
      items.push_back(make_item(Format::kU8Hwc, {4, 3, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {19, 21, 3}, random));
    }
    expect_reference(m, items, 3);
  }
}

TEST(Fourier, ImagesMatchTheReference) {
  Random random(7);
  for (Position position : {Position::kFourierAdd, Position::kFourierConcat}) {
    for (bool both : {false, true}) {
      SmallModel m(3);
      m.sequence(16, both, both).image(position).perceiver();
      std::vector<OwnedItem> items;
      items.push_back(make_item(Format::kU8Hwc, {11, 8, 3}, random));
      items.push_back(make_item(Format::kF32Chw, {8, 7, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {4, 3, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {19, 21, 3}, random));
      expect_reference(m, items, 3);
    }
  }
}

TEST(Fourier, AWidthThatLeavesNoPatchIsRefused) {
  SmallModel m(3);
  m.sequence(16, false, false).image(Position::kFourierConcat);
  m.parts.image->fourier_bands = 4;  // 18 features
  try {
    m.make();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidShape);
    EXPECT_EQ(e.field(), "image.fourier_bands");
  }
}

TEST_P(Tokens, SoundFramesMatchTheReference) {
  const Case& p = GetParam();
  Random random(8);
  for (int64_t fixed : {0, 7, 30}) {
    SmallModel m(4);
    m.sequence(16, p.modality, p.special).frames(p.position, fixed).perceiver();
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kS16Pcm, {500}, random));
    items.push_back(make_item(Format::kF32Pcm, {333}, random));
    items.push_back(make_item(Format::kF32Features, {9, 10}, random));
    expect_reference(m, items, 3);
  }
}

TEST_P(Tokens, SoundPatchesMatchTheReference) {
  const Case& p = GetParam();
  Random random(9);
  for (int64_t fixed : {0, 14, 25}) {
    if (p.position == Position::kLearned && fixed == 0) continue;  // the configuration does not exist
    SmallModel m(5);
    m.sequence(16, p.modality, p.special).patches(p.position, fixed);
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kS16Pcm, {500}, random));
    items.push_back(make_item(Format::kF32Pcm, {400}, random));
    items.push_back(make_item(Format::kF32Features, {17, 10}, random));
    expect_reference(m, items, 3);
  }
}

TEST_P(Tokens, TextAndFinishedTokensMatchTheReference) {
  const Case& p = GetParam();
  Random random(10);
  SmallModel m(6);
  m.sequence(16, p.modality, p.special).text(p.position).perceiver(false);
  std::vector<OwnedItem> items;
  items.push_back(make_item(Format::kI64Ids, {20}, random));
  items.push_back(make_item(Format::kI64Ids, {1}, random));
  items.push_back(make_item(Format::kI64Ids, {0}, random));
  items.push_back(make_item(Format::kF32Tokens, {5, 16}, random, Modality::kAudio));
  items.push_back(make_item(Format::kF32Tokens, {0, 16}, random, Modality::kText));
  expect_reference(m, items);
}

INSTANTIATE_TEST_SUITE_P(
    All, Tokens,
    ::testing::Values(Case{Position::kNone, false, false}, Case{Position::kNone, true, true},
                      Case{Position::kLearned, false, true}, Case{Position::kLearned, true, false},
                      Case{Position::kSinCos, false, false}, Case{Position::kSinCos, true, true}));

SmallModel everything() {
  SmallModel m(11);
  m.sequence(16, true, true).image(Position::kSinCos).frames(Position::kSinCos).text(Position::kLearned);
  m.perceiver();
  return m;
}

TEST(Batch, EachSequenceHasTheBitsItHasAlone) {
  Random random(12);
  const SmallModel m = everything();
  std::vector<OwnedItem> owned;
  owned.push_back(make_item(Format::kU8Hwc, {12, 9, 3}, random));
  owned.push_back(make_item(Format::kI64Ids, {13}, random));
  owned.push_back(make_item(Format::kF32Pcm, {700}, random));
  owned.push_back(make_item(Format::kI64Ids, {1}, random));
  owned.push_back(make_item(Format::kU8Hwc, {16, 16, 3}, random));
  owned.push_back(make_item(Format::kF32Tokens, {3, 16}, random, Modality::kText));
  const int64_t sequence_of[] = {0, 0, 1, 2, 2, 3};
  std::vector<Item> items;
  for (size_t i = 0; i < owned.size(); ++i) {
    owned[i].item.sequence = sequence_of[i];
    items.push_back(owned[i].item);
  }
  for (int threads : {1, 3}) {
    const auto model = m.make(threads);
    Session batch(model, small_limits());
    const Result r = run(batch, items);
    ASSERT_EQ(r.sequences, 4);
    for (int64_t s = 0; s < 4; ++s) {
      std::vector<Item> alone;
      for (Item item : items) {
        if (item.sequence == s) alone.push_back(item);
      }
      for (Item& item : alone) item.sequence = 0;
      Session single(model, small_limits());
      const Result one = run(single, alone);
      const int64_t first = r.cu_seqlens[s], rows = r.cu_seqlens[s + 1] - first;
      ASSERT_EQ(one.tokens_count, rows);
      EXPECT_EQ(0, std::memcmp(one.tokens, r.tokens + first * 16, static_cast<size_t>(rows * 16) * 4))
          << "sequence " << s;
      EXPECT_EQ(0, std::memcmp(one.latents, r.latents + s * 60, 60 * 4)) << "sequence " << s;
    }
  }
}

// Items of one sequence in another order: their tokens move with them, to the bit, and so do the rows that
// describe them; the sequence's latents stay but for rounding. Sequences in another order: their latents
// move, to the bit.
TEST(Batch, PermutingItemsPermutesTheResult) {
  Random random(20);
  const auto model = everything().make(2);
  std::vector<OwnedItem> owned;
  owned.push_back(make_item(Format::kU8Hwc, {8, 5, 3}, random));
  owned.push_back(make_item(Format::kI64Ids, {5}, random));
  owned.push_back(make_item(Format::kF32Pcm, {300}, random));
  owned.push_back(make_item(Format::kU8Hwc, {12, 9, 3}, random));
  const size_t orders[][4] = {{0, 1, 2, 3}, {2, 0, 3, 1}, {3, 2, 1, 0}};
  for (const bool apart : {false, true}) {
    std::vector<Floats> tokens(4), grids(4), first(4);
    Floats latents;
    for (const auto& order : orders) {
      Session session(model, small_limits());
      std::vector<Item> items;
      for (size_t place = 0; place < 4; ++place) {
        items.push_back(owned[order[place]].item);
        items.back().sequence = apart ? static_cast<int64_t>(place) : 0;
      }
      const Result r = run(session, items);
      for (size_t place = 0; place < 4; ++place) {
        const size_t item = order[place];
        Floats rows, grid;
        for (int64_t t = 0; t < r.tokens_count; ++t) {
          if (r.table.item[t] != static_cast<int32_t>(place)) continue;
          EXPECT_EQ(r.table.modality[t], static_cast<int32_t>(owned[item].item.modality));
          rows.insert(rows.end(), r.tokens + t * 16, r.tokens + (t + 1) * 16);
          grid.push_back(static_cast<float>(r.table.grid[2 * t]));
          grid.push_back(static_cast<float>(r.table.grid[2 * t + 1]));
        }
        const Floats own = apart ? Floats(r.latents + place * 60, r.latents + (place + 1) * 60) : Floats();
        if (&order == &orders[0]) {
          tokens[item] = rows;
          grids[item] = grid;
          first[item] = own;
        }
        EXPECT_EQ(rows, tokens[item]);
        EXPECT_EQ(grid, grids[item]);
        EXPECT_EQ(own, first[item]);
      }
      if (apart) continue;
      if (latents.empty()) latents.assign(r.latents, r.latents + 60);
      const std::vector<double> ref(latents.begin(), latents.end());
      EXPECT_LE(nmse(r.latents, 1, ref.data(), 60, 1), 1e-10);
    }
  }
}

TEST(Batch, NothingGivesNothing) {
  Session session(everything().make(), small_limits());
  const Result r = run(session, {});
  EXPECT_EQ(r.tokens_count, 0);
  EXPECT_EQ(r.sequences, 0);
  EXPECT_EQ(r.latents_count, 0);
  EXPECT_EQ(r.cu_seqlens[0], 0);
}

TEST(Batch, ASequenceWithoutTokensHasFiniteLatents) {
  Random random(13);
  SmallModel m(14);
  m.sequence(16, false, false).text(Position::kNone).perceiver();
  std::vector<OwnedItem> items;
  items.push_back(make_item(Format::kI64Ids, {0}, random));
  items.push_back(make_item(Format::kI64Ids, {4}, random));
  expect_reference(m, items);
}

TEST(Metadata, ImagesAndText) {
  Random random(15);
  Session session(everything().make(), small_limits());
  std::vector<OwnedItem> owned;
  owned.push_back(
      make_item(Format::kU8Hwc, {8, 5, 3}, random));  // 2 x 2 patches, 2 prefix tokens, begin, end
  owned.push_back(make_item(Format::kI64Ids, {2}, random));
  owned[0].item.start_us = 100;
  owned[0].item.end_us = 200;
  owned[1].item.start_us = -5;
  owned[1].item.end_us = -5;
  const Result r = run(session, {owned[0].item, owned[1].item});
  ASSERT_EQ(r.tokens_count, 12);
  const int32_t grid[12][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {0, 0}, {0, 1}, {1, 0},
                               {1, 1},   {-1, -1}, {-1, -1}, {0, 0}, {0, 1}, {-1, -1}};
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(r.table.grid[2 * i], grid[i][0]) << i;
    EXPECT_EQ(r.table.grid[2 * i + 1], grid[i][1]) << i;
    EXPECT_EQ(r.table.item[i], i < 8 ? 0 : 1);
    EXPECT_EQ(r.table.modality[i], i < 8 ? 0 : 2);
    EXPECT_EQ(r.table.span[2 * i], i < 8 ? 100 : -5);
    EXPECT_EQ(r.table.span[2 * i + 1], i < 8 ? 200 : -5);
  }
  EXPECT_EQ(r.cu_seqlens[1], 12);
}

TEST(Metadata, FramesTileTheSoundWithoutGapsOrOverlap) {
  Random random(16);
  SmallModel m(17);
  m.sequence(16, false, true).frames(Position::kNone);
  m.parts.audio->log_mel.sample_rate = 44100;  // no whole number of microseconds a sample
  m.parts.audio->log_mel.n_mels = 10;
  Session session(m.make(), small_limits());
  OwnedItem sound = make_item(Format::kF32Pcm, {333}, random);
  sound.item.start_us = 1000;
  const Result r = run(session, {sound.item});
  const int64_t duration = 333 * 1000000 / 44100;  // 7551.02
  const int64_t rows = r.tokens_count;
  const int64_t frames = 1 + 333 / 25;
  ASSERT_EQ(rows, frames + 3);  // begin, prefix, end
  for (int64_t i : {int64_t{0}, int64_t{1}, rows - 1}) {
    EXPECT_EQ(r.table.span[2 * i], 1000);
    EXPECT_EQ(r.table.span[2 * i + 1], 1000 + duration);
  }
  const int64_t* span = r.table.span + 4;
  EXPECT_EQ(span[0], 1000);
  for (int64_t f = 0; f < frames; ++f) {
    // The window's centre is sample 25f; its tile is [25f - 12.5, 25f + 12.5], clipped.
    const double start = std::max(0.0, 25.0 * static_cast<double>(f) - 12.5);
    const double end = std::min(333.0, 25.0 * static_cast<double>(f) + 12.5);
    EXPECT_EQ(span[2 * f], 1000 + static_cast<int64_t>(std::floor(start * 1e6 / 44100))) << f;
    EXPECT_EQ(span[2 * f + 1], 1000 + static_cast<int64_t>(std::floor(end * 1e6 / 44100))) << f;
    EXPECT_EQ(span[2 * f], f > 0 ? span[2 * f - 1] : 1000) << f;
    EXPECT_EQ(r.table.grid[2 * (f + 2)], 0);
    EXPECT_EQ(r.table.grid[2 * (f + 2) + 1], f);
  }
}

TEST(Metadata, PatchesCoverTheirFramesFrequencyMajor) {
  Random random(18);
  SmallModel m(19);
  m.sequence(16, false, false).patches(Position::kNone, 30);
  Session session(m.make(), small_limits());
  OwnedItem sound = make_item(Format::kF32Pcm, {500}, random);  // 21 frames, 9 of padding
  const Result r = run(session, {sound.item});
  const int64_t grid_f = 3, grid_t = 7;
  ASSERT_EQ(r.tokens_count, grid_f * grid_t);
  for (int64_t f = 0; f < grid_f; ++f) {
    for (int64_t t = 0; t < grid_t; ++t) {
      const int64_t i = f * grid_t + t;
      EXPECT_EQ(r.table.grid[2 * i], f);
      EXPECT_EQ(r.table.grid[2 * i + 1], t);
      const auto micros = [](double sample) {
        return static_cast<int64_t>(std::floor(std::min(500.0, std::max(0.0, sample)) * 62.5));
      };
      EXPECT_EQ(r.table.span[2 * i], micros(25.0 * static_cast<double>(4 * t) - 12.5));
      EXPECT_EQ(r.table.span[2 * i + 1], micros(25.0 * static_cast<double>(4 * t + 4) + 12.5));
    }
  }
}

TEST(ModelMaking, ListsEveryTensorThatDoesNotFitAtOnce) {
  SmallModel m = everything();
  m.parts.tensors.erase("image.patch.bias");
  m.parts.tensors.erase("perceiver.self.1.mlp.up.weight");
  m.tensor("text.embedding", {49, 16});
  m.tensor("sequence.surplus", {1});
  m.parts.tensors["sequence.begin"].data[3] = std::nanf("");
  try {
    m.make();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidWeights);
    const std::string text = e.what();
    for (const char* part :
         {"5 tensors", "missing: image.patch.bias [16]", "missing: perceiver.self.1.mlp.up.weight [24, 12]",
          "wrong shape: text.embedding is [49, 16], expected [50, 16]", "extra: sequence.surplus [1]",
          "not finite: sequence.begin, element 3"}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << " not in " << text;
    }
  }
}

}  // namespace
}  // namespace sns
