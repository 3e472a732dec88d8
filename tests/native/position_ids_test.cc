#include "pipeline/position_ids.h"

#include <gtest/gtest.h>

#include "pipeline_support.h"

namespace sns {
namespace {

using Ids = std::vector<int32_t>;

/// The three rows (time, height, width) of a result's positions.
struct Rows {
  Ids t, h, w;
};
Rows rows_of(const Result& r) {
  Rows rows;
  for (int64_t i = 0; i < r.tokens_count; ++i) {
    rows.t.push_back(r.table.position[3 * i]);
    rows.h.push_back(r.table.position[3 * i + 1]);
    rows.w.push_back(r.table.position[3 * i + 2]);
  }
  return rows;
}

/// 2x2 patches of an 8x5 picture, frames of 25 samples at 1 kHz (25 ms), text, no prefix tokens.
SmallModel model(bool special) {
  SmallModel m(31);
  m.sequence(16, false, special).image(Position::kNone).frames(Position::kNone).text(Position::kNone);
  m.parts.image->prefix_tokens = 0;
  m.parts.audio->prefix_tokens = 0;
  m.parts.audio->log_mel.sample_rate = 1000;
  m.parts.tensors.erase("image.prefix");
  m.parts.tensors.erase("audio.prefix");
  return m;
}

struct Request {
  Random random{32};
  std::vector<OwnedItem> owned;
  Request& picture(int64_t start_us = 0, int64_t end_us = 0) {
    owned.push_back(make_item(Format::kU8Hwc, {8, 5, 3}, random));
    return timed(start_us, end_us);
  }
  Request& text(int64_t count) {
    owned.push_back(make_item(Format::kI64Ids, {count}, random));
    return *this;
  }
  Request& sound(int64_t samples, int64_t start_us = 0) {
    owned.push_back(make_item(Format::kF32Pcm, {samples}, random));
    return timed(start_us, 0);
  }
  Request& timed(int64_t start_us, int64_t end_us) {
    owned.back().item.start_us = start_us;
    owned.back().item.end_us = end_us;
    return *this;
  }
  std::vector<Item> items() const {
    std::vector<Item> items;
    for (const OwnedItem& o : owned) items.push_back(o.item);
    return items;
  }
};

Rows positions(const SmallModel& m, const Request& request) {
  Session session(m.make(), small_limits());
  return rows_of(run(session, request.items()));
}

// The examples of get_rope_index of Qwen2-VL and, with an interval of 50 ids, of Qwen2.5-VL: three frames of
// 2x2 tokens, then five words.
TEST(PositionIds, VideoThenTextAsInQwen) {
  for (const auto& [seconds, step] : {std::pair{0.04, 1}, std::pair{2.0, 50}}) {
    Request request;
    for (int i = 0; i < 3; ++i) {
      const auto us = static_cast<int64_t>(seconds * 1e6);
      request.picture(7000 + i * us, 7000 + (i + 1) * us);
    }
    const Rows rows = positions(model(false), request.text(5));
    Ids t;
    for (int i = 0; i < 3; ++i) t.insert(t.end(), 4, i * step);
    for (int i = 1; i <= 5; ++i) t.push_back(2 * step + i);
    EXPECT_EQ(rows.t, t);
    const Ids text(t.end() - 5, t.end());
    Ids h = {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}, w = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    h.insert(h.end(), text.begin(), text.end());
    w.insert(w.end(), text.begin(), text.end());
    EXPECT_EQ(rows.h, h);
    EXPECT_EQ(rows.w, w);
  }
}

TEST(PositionIds, StillPictureBetweenWords) {
  const Rows rows = positions(model(false), Request().text(2).picture().text(1));
  EXPECT_EQ(rows.t, (Ids{0, 1, 2, 2, 2, 2, 4}));
  EXPECT_EQ(rows.h, (Ids{0, 1, 2, 2, 3, 3, 4}));
  EXPECT_EQ(rows.w, (Ids{0, 1, 2, 3, 2, 3, 4}));
}

TEST(PositionIds, SpecialTokensCountOn) {
  const Rows rows = positions(model(true), Request().picture().text(1));
  EXPECT_EQ(rows.t, (Ids{0, 1, 1, 1, 1, 3, 4, 5, 6}));
  EXPECT_EQ(rows.h, (Ids{0, 1, 1, 2, 2, 3, 4, 5, 6}));
  EXPECT_EQ(rows.w, (Ids{0, 1, 2, 1, 2, 3, 4, 5, 6}));
}

// Sound frames of 25 ms at 25 ids a second: the tile of frame f begins at 25f - 12.5 ms.
TEST(PositionIds, SoundRunsWithItsTime) {
  const Rows rows = positions(model(true), Request().sound(200, 123456).text(1));
  Ids want = {0};
  for (int f = 0; f < 9; ++f)
    want.push_back(1 + static_cast<int>(std::max(0.0, 25.0 * f - 12.5) * 25 / 1000));
  const int end = want.back() + 1;
  want.insert(want.end(), {end, end + 1, end + 2, end + 3});
  EXPECT_EQ(rows.t, want);
  EXPECT_EQ(rows.h, want);
  EXPECT_EQ(rows.w, want);
}

// What sounds while a frame is shown has the frame's time, whichever item comes first.
TEST(PositionIds, PicturesAndSoundShareAClock) {
  const SmallModel m = model(false);
  const Rows a =
      positions(m, Request().picture(1000000, 2000000).sound(100, 1500000).picture(2000000, 3000000));
  EXPECT_EQ(Ids(a.t.begin(), a.t.begin() + 4), (Ids{0, 0, 0, 0}));
  EXPECT_EQ(a.t[4], 12);  // half a second after the first frame
  EXPECT_EQ(Ids(a.t.end() - 4, a.t.end()), (Ids{25, 25, 25, 25}));
  const Rows b =
      positions(m, Request().sound(100, 1500000).picture(1000000, 2000000).picture(2000000, 3000000));
  EXPECT_EQ(Ids(b.t.begin(), b.t.begin() + 5), Ids(a.t.begin() + 4, a.t.begin() + 9));
}

TEST(PositionIds, TheRateCanBeChosen) {
  SmallModel m = model(false);
  m.parts.sequence->ids_per_second = 2;
  const Rows rows = positions(m, Request().picture(0, 1).picture(1500000, 1500001));
  EXPECT_EQ(Ids(rows.t.begin() + 4, rows.t.end()), (Ids{3, 3, 3, 3}));
}

TEST(PositionIds, PatchesFollowFrequencyAndTime) {
  SmallModel m(33);
  m.sequence(16, false, false).patches(Position::kNone, 0);
  m.parts.audio->log_mel.sample_rate = 1000;
  Session session(m.make(), small_limits());
  const Result r = run(session, Request().sound(500, 40000).items());
  const Rows rows = rows_of(r);
  for (int64_t i = 0; i < r.tokens_count; ++i) {
    EXPECT_EQ(rows.t[i], (r.table.span[2 * i] - 40000) / 40000);
    EXPECT_EQ(rows.w[i], rows.t[i]);
    EXPECT_EQ(rows.h[i], r.table.grid[2 * i]);
  }
}

TEST(PositionIds, EverySequenceStartsAtZero) {
  const SmallModel m = model(true);
  Request both;
  both.text(3).picture().sound(200);
  both.owned[1].item.sequence = both.owned[2].item.sequence = 1;
  const Rows rows = positions(m, both);
  Request alone;
  alone.picture().sound(200);
  const Rows second = positions(m, alone);
  EXPECT_EQ(Ids(rows.t.begin() + 5, rows.t.end()), second.t);
  EXPECT_EQ(Ids(rows.h.begin() + 5, rows.h.end()), second.h);
}

TEST(PositionIds, TimesTooFarApartAreNamed) {
  for (int64_t start : {int64_t{1} << 60, INT64_MAX - 5}) {
    Session session(model(false).make(), small_limits());
    Request request;
    request.picture(INT64_MIN / 2, 0).picture(start, start + 1);
    try {
      run(session, request.items());
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kLimitExceeded);
      EXPECT_EQ(e.field(), "items[1].start_us");
      EXPECT_EQ(e.limit(), INT32_MAX);
    }
  }
}

}  // namespace
}  // namespace sns
