#include "pipeline/image_resize.h"

#include <gtest/gtest.h>

#include <cstring>

#include "pipeline_support.h"

namespace sns {
namespace {

ResizeConfig config(ResizeMode mode) {
  ResizeConfig c;
  c.mode = mode;
  c.filter = ResizeFilter::kBicubic;
  switch (mode) {
    case ResizeMode::kNone:
      break;
    case ResizeMode::kSquash:
      c.height = 9;
      c.width = 14;
      break;
    case ResizeMode::kShortestEdge:
      c.height = 10;
      c.crop_h = 9;
      c.crop_w = 11;
      break;
    case ResizeMode::kSmart:
      c.factor = 6;
      c.min_pixels = 72;
      c.max_pixels = 360;
      break;
    case ResizeMode::kNaflex:
      c.factor = 4;
      c.max_patches = 12;
      break;
    case ResizeMode::kShortestLongest:
    case ResizeMode::kFit:
      c.height = 8;
      c.width = 12;
      break;
  }
  return c;
}

// Sizes computed by transformers 5.18 (smart_resize, get_image_size_for_max_num_patches,
// get_resize_output_image_size) and by PIL's and numpy's centre crop rules.
TEST(ImageResize, SizesAreThoseOfTheReference) {
  ResizeConfig smart;
  smart.mode = ResizeMode::kSmart;
  smart.factor = 28;
  smart.min_pixels = 3136;
  smart.max_pixels = 200704;
  const auto size = [](const ResizeConfig& c, int64_t h, int64_t w) {
    const ResizePlan p = plan_resize(c, h, w);
    return std::make_pair(p.resized_h, p.resized_w);
  };
  using Size = std::pair<int64_t, int64_t>;
  EXPECT_EQ(size(smart, 300, 451), Size(308, 448));
  EXPECT_EQ(size(smart, 42, 70), Size(56, 56));  // 1.5 and 2.5 both round to 2
  EXPECT_EQ(size(smart, 2000, 1000), Size(616, 308));
  EXPECT_EQ(size(smart, 5, 5), Size(56, 56));
  EXPECT_EQ(size(smart, 1, 200), Size(28, 812));
  EXPECT_THROW(plan_resize(smart, 1, 201), Error);

  ResizeConfig naflex;
  naflex.mode = ResizeMode::kNaflex;
  naflex.factor = 16;
  naflex.max_patches = 256;
  EXPECT_EQ(size(naflex, 512, 512), Size(256, 256));
  EXPECT_EQ(size(naflex, 300, 451), Size(208, 304));
  EXPECT_EQ(size(naflex, 1, 1000), Size(16, 4096));

  ResizeConfig clip;
  clip.mode = ResizeMode::kShortestEdge;
  clip.height = 224;
  clip.crop_h = clip.crop_w = 224;
  EXPECT_EQ(size(clip, 300, 451), Size(224, 336));  // 336.7 is truncated
  EXPECT_EQ(size(clip, 451, 300), Size(336, 224));

  ResizeConfig both;  // get_size_with_aspect_ratio
  both.mode = ResizeMode::kShortestLongest;
  both.height = 224;
  both.width = 300;
  EXPECT_EQ(size(both, 300, 451), Size(200, 300));
  EXPECT_EQ(size(both, 451, 300), Size(300, 200));
  EXPECT_EQ(size(both, 300, 300), Size(224, 224));
  EXPECT_EQ(size(both, 480, 640), Size(224, 298));
  EXPECT_EQ(size(both, 224, 300), Size(224, 300));
  EXPECT_EQ(size(both, 1000, 3), Size(300, 1));
  ResizeConfig most = both;  // get_image_size_for_max_height_width
  most.mode = ResizeMode::kFit;
  most.width = 320;
  EXPECT_EQ(size(most, 300, 451), Size(212, 320));
  EXPECT_EQ(size(most, 451, 300), Size(224, 149));
  EXPECT_EQ(size(most, 100, 1000), Size(32, 320));
  EXPECT_EQ(size(most, 1000, 3), Size(224, 1));  // the reference's 0 is no picture
  const ResizePlan p = plan_resize(clip, 300, 451);
  EXPECT_EQ(p.crop_x, 56);
  EXPECT_EQ(p.height, 224);
  EXPECT_EQ(p.width, 224);
}

TEST(ImageResize, WhatACropLacksIsBlack) {
  ResizeConfig c;
  c.crop_h = 4;
  c.crop_w = 3;
  const uint8_t x[3 * 5] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};  // 3 rows, 5 columns
  const ResizePlan p = plan_resize(c, 3, 5);
  uint8_t y[4 * 3];
  Serial serial;
  run_resize(c, p, 1, x, y, nullptr, serial);
  const uint8_t expected[4 * 3] = {0, 0, 0, 2, 3, 4, 7, 8, 9, 12, 13, 14};  // one row short: it goes on top
  EXPECT_EQ(0, std::memcmp(y, expected, sizeof(y)));
}

SmallModel resizing_model(ResizeMode mode, PositionResize positions) {
  SmallModel m(13);
  m.sequence(16, true, false).image(Position::kLearned);
  m.parts.image->resize = config(mode);
  m.parts.image->position_resize = positions;
  return m;
}

/// Bytes of any size give the bits that resizing first and tokenizing then gives.
TEST(ImageResize, TokensOfBytesAreThoseOfResizedBytes) {
  Random random(3);
  for (ResizeMode mode : {ResizeMode::kNone, ResizeMode::kSquash, ResizeMode::kShortestEdge,
                          ResizeMode::kSmart, ResizeMode::kNaflex}) {
    for (PositionResize positions : {PositionResize::kBicubic, PositionResize::kBilinear}) {
      const SmallModel m = resizing_model(mode, positions);
      SmallModel plain = resizing_model(ResizeMode::kNone, positions);
      Session resizing(m.make(3), small_limits()), session(plain.make(), small_limits());
      for (auto [h, w] : {std::pair<int64_t, int64_t>{20, 20}, {8, 7}, {33, 12}, {5, 60}, {20, 20}}) {
        const OwnedItem picture = make_item(Format::kU8Hwc, {h, w, 3}, random);
        const ResizeConfig& c = m.parts.image->resize;
        const ResizePlan p = plan_resize(c, h, w);
        OwnedItem resized = make_item(Format::kU8Hwc, {p.height, p.width, 3}, random);
        Serial serial;
        std::vector<unsigned char> scratch(resize_u8_scratch(resize_args(c, p, 3), 1) + kAlign);
        void* aligned =
            scratch.data() + (kAlign - reinterpret_cast<uintptr_t>(scratch.data()) % kAlign) % kAlign;
        run_resize(c, p, 3, picture.bytes.data(), resized.bytes.data(), aligned, serial);
        const Result got = run(resizing, {picture.item}), want = run(session, {resized.item});
        ASSERT_EQ(got.tokens_count, want.tokens_count) << static_cast<int>(mode) << " " << h << "x" << w;
        EXPECT_EQ(0, std::memcmp(got.tokens, want.tokens,
                                 static_cast<size_t>(got.tokens_count * 16) * sizeof(float)))
            << static_cast<int>(mode) << " " << h << "x" << w;
      }
    }
  }
}

TEST(ImageResize, PositionsAreInterpolatedFromTheTable) {
  Random random(4);
  for (PositionResize positions : {PositionResize::kBicubic, PositionResize::kBilinear}) {
    const SmallModel m = resizing_model(ResizeMode::kNone, positions);
    Session session(m.make(), small_limits());
    SmallModel none(13);
    none.sequence(16, true, false).image(Position::kLearned);
    for (auto [h, w] : {std::pair<int64_t, int64_t>{8, 7}, {4, 3}, {4, 15}, {16, 5}, {12, 11}}) {
      const OwnedItem item = make_item(Format::kF32Chw, {h, w, 3}, random);
      const Result r = run(session, {item.item});
      // The table [2, 3] at another size, by the oracle; the projection without positions, by ref_item.
      const PatchGeometry& g = m.parts.image->geometry;
      const int64_t gh = g.grid_h(h), gw = g.grid_w(w);
      ResizeF32Args a;
      a.geometry = {2, 3, gh, gw, 0, 0, gh, gw};
      a.antialias = positions == PositionResize::kBilinear;
      a.filter = a.antialias ? ResizeFilter::kBilinear : ResizeFilter::kBicubic;
      a.channels = 16;
      a.x = m.at("image.position") + 2 * 16;
      a.x_stride_c = 1;
      a.x_stride_x = 16;
      a.x_stride_y = 3 * 16;
      std::vector<double> table(static_cast<size_t>(16 * gh * gw));
      resize_f32_ref(a, table.data());  // [16, gh, gw]
      none.parts.image->position = Position::kNone;
      std::vector<double> ref = ref_item(none, item);
      for (int64_t t = 0; t < gh * gw; ++t) {
        for (int64_t i = 0; i < 16; ++i) {
          ref[static_cast<size_t>((2 + t) * 16 + i)] += table[static_cast<size_t>(i * gh * gw + t)];
        }
      }
      for (int64_t i = 0; i < 2 * 16; ++i) ref[static_cast<size_t>(i)] += m.at("image.position")[i];
      ASSERT_EQ(r.tokens_count, 2 + gh * gw);
      EXPECT_LE(nmse(r.tokens, 16, ref.data(), r.tokens_count, 16), 1e-9) << h << "x" << w;
    }
  }
}

/// Every picture within max_pixels whose sides differ by up to 200 times is taken, whatever its proportions.
TEST(ImageResize, SessionsTakeEveryPictureOfTheirLimits) {
  Random random(9);
  for (ResizeMode mode :
       {ResizeMode::kSquash, ResizeMode::kShortestEdge, ResizeMode::kSmart, ResizeMode::kNaflex}) {
    ResizeConfig c = config(mode);
    if (mode == ResizeMode::kShortestEdge) c.crop_h = c.crop_w = 0;  // the result's size varies
    for (int threads : {1, 5}) {
      const int64_t most = random.integer(1000, 300000);
      const ResizeSpace space = resize_space(c, 3, most, threads);
      for (int i = 0; i < 300; ++i) {
        int64_t h = random.integer(1, 7000);
        int64_t w = random.integer(1, std::max<int64_t>(1, most / h));
        h = std::min(h, 200 * w);
        w = std::min(w, 200 * h);
        const ResizePlan p = plan_resize(c, h, w);
        EXPECT_LE(p.height * p.width * 3, space.bytes) << static_cast<int>(mode) << " " << h << "x" << w;
        EXPECT_LE(resize_u8_scratch(resize_args(c, p, 3), threads), space.scratch)
            << static_cast<int>(mode) << " " << h << "x" << w << " of " << most;
      }
    }
  }
}

TEST(ImageResize, PicturesBeyondTheWorkspaceAreRefused) {
  const SmallModel m = resizing_model(ResizeMode::kShortestEdge, PositionResize::kBicubic);
  SmallModel open = resizing_model(ResizeMode::kShortestEdge, PositionResize::kBicubic);
  open.parts.image->resize.crop_h = open.parts.image->resize.crop_w = 0;
  SessionLimits limits = small_limits();
  limits.max_pixels = 300000;
  limits.max_tokens = 2000000;
  Session session(open.make(), limits);
  Random random(2);
  const OwnedItem strip = make_item(Format::kU8Hwc, {1, 299000, 3}, random);
  try {
    run(session, {strip.item});
    FAIL() << "a strip of 299000 pixels was taken";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kLimitExceeded);
    EXPECT_EQ(e.field(), "items[0].width");
  }
  const OwnedItem fine = make_item(Format::kU8Hwc, {30, 40, 3}, random);
  EXPECT_GT(run(session, {fine.item}).tokens_count, 0);
}

TEST(ImageResize, WrongConfigurationsAreNamed) {
  const auto field = [](auto change) {
    ImageConfig c;
    c.std[0] = c.std[1] = c.std[2] = 1;
    c.resize = config(ResizeMode::kSquash);
    change(c);
    try {
      validate(c);
    } catch (const Error& e) {
      return e.field();
    }
    return std::string();
  };
  EXPECT_EQ(field([](ImageConfig&) {}), "");
  EXPECT_EQ(field([](ImageConfig& c) { c.resize.height = 0; }), "resize.height");
  EXPECT_EQ(field([](ImageConfig& c) { c.resize.width = 1 << 20; }), "resize.width");
  EXPECT_EQ(field([](ImageConfig& c) { c.resize.factor = 2; }), "resize.factor");
  EXPECT_EQ(field([](ImageConfig& c) { c.resize.crop_h = 4; }), "resize.crop_w");
  EXPECT_EQ(field([](ImageConfig& c) { c.resize = config(ResizeMode::kSmart), c.resize.min_pixels = 1000; }),
            "resize.min_pixels");
  EXPECT_EQ(field([](ImageConfig& c) { c.position_resize = PositionResize::kBicubic; }), "position_resize");
  EXPECT_EQ(field([](ImageConfig& c) {
              c.geometry.channels = 5;
              for (float& s : c.std) s = 1;
            }),
            "channels");
}

}  // namespace
}  // namespace sns
