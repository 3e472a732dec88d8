#include "pipeline/interleave.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

#include "pipeline_support.h"

namespace sns {
namespace {

SmallModel small(uint64_t seed, bool special = true) {
  SmallModel m(seed);
  m.sequence(16, true, special)
      .image(Position::kSinCos)
      .frames(Position::kSinCos)
      .text(Position::kNone)
      .perceiver();
  return m;
}

/// A run as it was, copied out of the session.
struct Copy {
  Floats tokens, latents;
  std::vector<int32_t> modality, item, grid;
  std::vector<int64_t> span;
  int64_t count = 0;
  explicit Copy(const Result& r)
      : tokens(r.tokens, r.tokens + 16 * r.tokens_count),
        latents(r.latents, r.latents + 12 * r.latents_count),
        modality(r.table.modality, r.table.modality + r.tokens_count),
        item(r.table.item, r.table.item + r.tokens_count),
        grid(r.table.grid, r.table.grid + 2 * r.tokens_count),
        span(r.table.span, r.table.span + 2 * r.tokens_count),
        count(r.tokens_count) {}
};

/// Row `to` of `b` is row `from` of `a`.
void expect_row(const Copy& a, int64_t from, const Copy& b, int64_t to) {
  EXPECT_EQ(std::memcmp(&a.tokens[16 * from], &b.tokens[16 * to], 16 * sizeof(float)), 0)
      << from << " → " << to;
  EXPECT_EQ(a.item[from], b.item[to]);
  EXPECT_EQ(a.modality[from], b.modality[to]);
  for (int i : {0, 1}) {
    EXPECT_EQ(a.grid[2 * from + i], b.grid[2 * to + i]);
    EXPECT_EQ(a.span[2 * from + i], b.span[2 * to + i]);
  }
}

TEST(Interleave, MergesByTimeAndByChunks) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const SmallModel m = small(seed, random.coin());
    std::vector<OwnedItem> owned;
    for (int64_t i = random.integer(1, 5); i > 0; --i) {
      owned.push_back(make_item(Format::kU8Hwc, {8, 5, 3}, random));
      owned.back().item.start_us = random.integer(0, 8) * 6250 - 12500;  // often a frame's very time
      owned.back().item.end_us = owned.back().item.start_us + 100;
    }
    for (int64_t i = random.integer(1, 2); i > 0; --i) {
      owned.push_back(make_item(Format::kF32Pcm, {random.integer(100, 1000)}, random));
      owned.back().item.start_us = random.integer(-5000, 5000);
    }
    std::vector<Item> items;
    for (size_t i : {size_t{0}, owned.size() - 1}) std::swap(owned[i], owned[owned.size() / 2]);
    for (const OwnedItem& o : owned) items.push_back(o.item);
    Session session(m.make(), small_limits());
    const Copy plain(run(session, items));
    for (const int64_t chunk : {int64_t{0}, int64_t{7000}, int64_t{20000}}) {
      session.set_order(chunk ? TokenOrder::kChunks : TokenOrder::kTime, chunk);
      const Copy merged(run(session, items));
      ASSERT_EQ(merged.count, plain.count);
      // The definition: a sound's first tokens belong to its first frame, its last to the last one.
      std::vector<int64_t> time(plain.count), order(plain.count);
      for (int64_t r = 0; r < plain.count; ++r) {
        time[r] = plain.span[2 * r];
        const bool bare = plain.modality[r] == 1 && plain.grid[2 * r] < 0;
        if (!bare) continue;
        int64_t frame = r;
        while (frame < plain.count && plain.item[frame] == plain.item[r] && plain.grid[2 * frame] < 0)
          ++frame;
        if (frame == plain.count || plain.item[frame] != plain.item[r]) frame = r - 1;
        time[r] = plain.span[2 * frame];
      }
      std::iota(order.begin(), order.end(), 0);
      const auto key = [&](int64_t r) {
        const int64_t in_chunk =
            chunk
                ? static_cast<int64_t>(std::floor(static_cast<double>(time[r]) / static_cast<double>(chunk)))
                : 0;
        return std::tuple(in_chunk, chunk ? plain.modality[r] : 0, time[r], plain.modality[r]);
      };
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return key(a) < key(b); });
      for (int64_t r = 0; r < plain.count; ++r) expect_row(plain, order[r], merged, r);
      // The compressor reads the same tokens, only in another order.
      const std::vector<double> reference(plain.latents.begin(), plain.latents.end());
      EXPECT_LE(nmse(merged.latents.data(), 12, reference.data(), 5, 12), 1e-9);
    }
    session.set_order(TokenOrder::kItems, 0);
    EXPECT_EQ(Copy(run(session, items)).tokens, plain.tokens);
  }
}

TEST(Interleave, TextAndSequencesAreNotCrossed) {
  Random random(3);
  const SmallModel m = small(3);
  std::vector<OwnedItem> owned;
  const auto image = [&](int64_t time, int64_t sequence) {
    owned.push_back(make_item(Format::kU8Hwc, {8, 5, 3}, random));
    owned.back().item.start_us = owned.back().item.end_us = time;
    owned.back().item.sequence = sequence;
  };
  image(500, 0);
  image(400, 0);
  owned.push_back(make_item(Format::kI64Ids, {3}, random));
  image(300, 0);
  image(200, 0);
  image(100, 1);
  image(50, 1);
  std::vector<Item> items;
  for (const OwnedItem& o : owned) items.push_back(o.item);
  Session session(m.make(), small_limits());
  session.set_order(TokenOrder::kTime, 0);
  const Result r = run(session, items);
  std::vector<int32_t> seen;
  for (int64_t i = 0; i < r.tokens_count; ++i) {
    if (seen.empty() || seen.back() != r.table.item[i]) seen.push_back(r.table.item[i]);
  }
  EXPECT_EQ(seen, (std::vector<int32_t>{1, 0, 2, 4, 3, 6, 5}));
}

TEST(Interleave, PatchesOfASoundGoByTimeThenFrequency) {
  Random random(4);
  SmallModel m(4);
  m.sequence(16, false, false).image(Position::kNone).patches(Position::kNone, 0);
  OwnedItem sound = make_item(Format::kF32Pcm, {600}, random),
            picture = make_item(Format::kU8Hwc, {8, 5, 3}, random);
  picture.item.start_us = picture.item.end_us = 7000;
  Session session(m.make(), small_limits());
  session.set_order(TokenOrder::kTime, 0);
  const Result r = run(session, {sound.item, picture.item});
  for (int64_t i = 1; i < r.tokens_count; ++i) {
    EXPECT_LE(r.table.span[2 * i - 2], r.table.span[2 * i]);
    if (r.table.item[i] == 0 && r.table.item[i - 1] == 0 &&
        r.table.grid[2 * i + 1] == r.table.grid[2 * i - 1]) {
      EXPECT_EQ(r.table.grid[2 * i], r.table.grid[2 * i - 2] + 1);
    }
  }
}

TEST(Interleave, RejectsWhatMakesNoSense) {
  Session session(small(1).make(), small_limits());
  EXPECT_THROW(session.set_order(TokenOrder::kChunks, 0), Error);
  EXPECT_THROW(session.set_order(TokenOrder::kTime, 5), Error);
  EXPECT_THROW(session.set_order(TokenOrder::kItems, -1), Error);
}

TEST(PartsOfASound, HaveTheTimesOfTheWhole) {
  Random random(5);
  SmallModel m(5);
  m.sequence(16, false, true).frames(Position::kNone);
  m.parts.audio->log_mel.sample_rate = 44100;
  Session session(m.make(), small_limits());
  OwnedItem whole = make_item(Format::kF32Features, {40, 10}, random);
  whole.item.start_us = 777;
  const Copy all(run(session, {whole.item}));
  const int64_t cut = 13;
  Item head = whole.item, tail = whole.item;
  head.dims[0] = cut;
  head.bytes = cut * 40;
  tail.dims[0] = 40 - cut;
  tail.bytes = (40 - cut) * 40;
  tail.dims[2] = cut;
  tail.data = whole.as<float>() + cut * 10;
  const Copy parts(run(session, {head, tail}));
  ASSERT_EQ(parts.count, all.count + 3);  // begin, prefix and end once more
  for (int64_t f = 0; f < 40; ++f) {
    const int64_t at = f < cut ? f + 2 : f + 5;
    for (int i : {0, 1}) EXPECT_EQ(parts.span[2 * at + i], all.span[2 * (f + 2) + i]) << f;
  }
  EXPECT_EQ(parts.span[2 * (cut + 3)], all.span[2 * (cut + 2)]);  // the tail's begin
  tail.dims[2] = -1;
  EXPECT_THROW(run(session, {tail}), Error);
  tail.dims[2] = int64_t{1} << 62;
  EXPECT_THROW(run(session, {tail}), Error);
}

TEST(TemporalPatches, CoverTheirFramesAndStillPicturesStandForAllOfThem) {
  for (const bool resized : {false, true}) {
    Random random(6);
    /// With the weights of frame `only`, or of all frames.
    const auto model = [&](int64_t only) {
      SmallModel m(6);
      m.sequence(16, false, false).image(Position::kNone);
      ImageConfig& c = *m.parts.image;
      c.geometry.frames = 2;
      if (resized) {
        c.resize.mode = ResizeMode::kSquash;
        c.resize.height = 8;
        c.resize.width = 7;
      }
      m.tensor("image.patch.weight", {16, 72}, 0.2);
      float* w = m.parts.tensors["image.patch.weight"].data.begin();
      for (int64_t i = 0; only >= 0 && i < 16 * 72; ++i) {  // (c t 4 3)
        if (i / 12 % 2 != only) w[i] = 0;
      }
      return m;
    };
    const SmallModel m = model(-1);
    Session session(m.make(), small_limits());
    OwnedItem two = make_item(Format::kU8Thwc, {2 * 12, 9, 3}, random);
    two.item.dims[0] = 12;
    const Copy moving(run(session, {two.item}));
    Item frames[2] = {two.item, two.item};
    OwnedItem repeated = two;
    repeated.own();
    std::vector<Copy> still;
    for (int t : {0, 1}) {
      frames[t].format = Format::kU8Hwc;
      frames[t].bytes /= 2;
      frames[t].data = two.bytes.data() + t * frames[t].bytes;
      still.emplace_back(run(session, {frames[t]}));
      std::memcpy(repeated.bytes.data(), frames[t].data, static_cast<size_t>(frames[t].bytes));
      std::memcpy(repeated.bytes.data() + frames[t].bytes, frames[t].data,
                  static_cast<size_t>(frames[t].bytes));
      EXPECT_EQ(Copy(run(session, {repeated.item})).tokens, still.back().tokens);
    }
    // The projection is linear in the frames: with a part of the weights that sees only frame t, tokens add
    // up.
    const float* bias = m.at("image.patch.bias");
    std::vector<double> expected(moving.tokens.size(), 0.0);
    for (int t : {0, 1}) {
      Session alone(model(t).make(), small_limits());
      const Copy part(run(alone, {frames[t]}));
      for (size_t i = 0; i < expected.size(); ++i) {
        expected[i] +=
            static_cast<double>(part.tokens[i]) - (t == 1 && i >= 32 ? static_cast<double>(bias[i % 16]) : 0);
      }
    }
    for (size_t i = 32; i < expected.size(); ++i)
      EXPECT_NEAR(moving.tokens[i], expected[i], 2e-5) << i;  // after cls
    two.item.bytes -= 1;
    EXPECT_THROW(run(session, {two.item}), Error);
  }
}

}  // namespace
}  // namespace sns
