#include "ops/resize/resize.h"

#include <vector>

#include "check/guarded.h"
#include "ops/resize/resize_window.h"
#include "parity.h"

namespace sns {

OpCheck resize_check();

namespace {

ResizeGeometry whole(int64_t in_h, int64_t in_w, int64_t out_h, int64_t out_w) {
  return {in_h, in_w, out_h, out_w, 0, 0, out_h, out_w};
}

/// x[row, column, channel] = (83·row + 151·column + 59·channel + 37·row·column) mod 256
std::vector<uint8_t> pattern(int64_t height, int64_t width, int64_t channels) {
  std::vector<uint8_t> x;
  for (int64_t r = 0; r < height; ++r) {
    for (int64_t q = 0; q < width; ++q) {
      for (int64_t c = 0; c < channels; ++c) {
        x.push_back(static_cast<uint8_t>((83 * r + 151 * q + 59 * c + 37 * r * q) % 256));
      }
    }
  }
  return x;
}

std::vector<int> resize_u8(const std::vector<uint8_t>& x, const ResizeGeometry& g, int64_t channels,
                           ResizeFilter filter) {
  ResizeU8Args args;
  args.geometry = g;
  args.filter = filter;
  args.channels = channels;
  args.x = x.data();
  args.ldx = g.in_width * channels;
  args.ldy = g.crop_w * channels;
  std::vector<uint8_t> y(static_cast<size_t>(g.crop_h * args.ldy)), ref(y.size());
  args.y = y.data();
  AlignedArray<uint8_t> scratch(static_cast<int64_t>(resize_u8_scratch(args, 1)));
  Serial serial;
  resize_u8_cpu(args, scratch.data(), serial);
  resize_u8_ref(args, ref.data());
  EXPECT_EQ(y, ref);
  return {y.begin(), y.end()};
}

TEST(Resize, Parity) { expect_parity(resize_check(), 1500); }

// The expected bytes were made with Pillow 12.3: np.asarray(Image.fromarray(pattern).resize((w, h), filter)).
TEST(Resize, PilRgbDown) {
  const std::vector<uint8_t> x = pattern(5, 7, 3);
  const ResizeGeometry g = whole(5, 7, 2, 3);
  EXPECT_EQ(
      resize_u8(x, g, 3, ResizeFilter::kNearest),
      (std::vector<int>{15, 74, 133, 135, 194, 253, 255, 58, 117, 255, 58, 117, 11, 70, 129, 23, 82, 141}));
  EXPECT_EQ(resize_u8(x, g, 3, ResizeFilter::kLanczos),
            (std::vector<int>{98, 125, 119, 107, 101, 174, 162, 119, 101, 161, 134, 153, 89, 91, 128, 66, 81,
                              147}));
  EXPECT_EQ(resize_u8(x, g, 3, ResizeFilter::kBilinear),
            (std::vector<int>{97, 125, 128, 117, 106, 160, 156, 115, 107, 153, 127, 148, 94, 90, 130, 71, 87,
                              142}));
  EXPECT_EQ(resize_u8(x, g, 3, ResizeFilter::kBicubic),
            (std::vector<int>{95, 125, 124, 112, 103, 169, 163, 118, 102, 158, 131, 151, 91, 90, 127, 66, 84,
                              146}));
}

TEST(Resize, PilGrayUp) {
  const std::vector<uint8_t> x = pattern(3, 2, 1);
  const ResizeGeometry g = whole(3, 2, 4, 5);
  EXPECT_EQ(resize_u8(x, g, 1, ResizeFilter::kNearest),
            (std::vector<int>{0,  0,  151, 151, 151, 83,  83,  15,  15,  15,
                              83, 83, 15,  15,  15,  166, 166, 135, 135, 135}));
  EXPECT_EQ(resize_u8(x, g, 1, ResizeFilter::kLanczos),
            (std::vector<int>{0,   10,  80, 149, 198, 46,  38,  46,  53,  58,
                              142, 122, 88, 53,  29,  175, 168, 159, 149, 142}));
  EXPECT_EQ(resize_u8(x, g, 1, ResizeFilter::kBilinear),
            (std::vector<int>{0,   15,  76, 136, 151, 52,  53,  59,  65,  66,
                              114, 109, 87, 66,  60,  166, 163, 151, 138, 135}));
  EXPECT_EQ(resize_u8(x, g, 1, ResizeFilter::kBicubic),
            (std::vector<int>{0,   6,   77, 147, 174, 51,  47,  52,  56,  58,
                              126, 116, 85, 54,  43,  173, 168, 156, 143, 138}));
}

// More than 100 times as tall as wide: PIL's vertical pass comes first. The other order differs in 9 bytes.
TEST(Resize, PilVeryTall) {
  EXPECT_EQ(resize_u8(pattern(205, 2, 1), whole(205, 2, 4, 7), 1, ResizeFilter::kLanczos),
            (std::vector<int>{131, 131, 131, 132, 132, 132, 132, 129, 129, 129, 130, 131, 131, 131,
                              127, 128, 129, 130, 130, 131, 132, 127, 128, 129, 130, 131, 132, 133}));
}

TEST(Resize, AnEmptyWindowOfAVeryTallPictureIsNoWork) {
  ResizeU8Args args;
  args.geometry = {205, 2, 4, 7, 2, 3, 0, 4};
  args.filter = ResizeFilter::kLanczos;
  ResizeU8Args vertical, horizontal;
  EXPECT_FALSE(resize_u8_split(args, nullptr, &vertical, &horizontal));
}

TEST(Resize, SameSizeIsACopy) {
  for (int64_t channels = 1; channels <= 4; ++channels) {
    const std::vector<uint8_t> x = pattern(19, 23, channels);
    const std::vector<int> same(x.begin(), x.end());
    for (int filter = 0; filter < 4; ++filter) {
      EXPECT_EQ(resize_u8(x, whole(19, 23, 19, 23), channels, static_cast<ResizeFilter>(filter)), same);
    }
  }
}

TEST(Resize, ConstantImageStaysConstant) {
  for (const int value : {0, 1, 127, 254, 255}) {
    const std::vector<uint8_t> x(67 * 90 * 3, static_cast<uint8_t>(value));
    for (int filter = 0; filter < 4; ++filter) {
      const auto f = static_cast<ResizeFilter>(filter);
      EXPECT_EQ(resize_u8(x, whole(67, 90, 31, 22), 3, f), std::vector<int>(31 * 22 * 3, value));
      EXPECT_EQ(resize_u8(x, whole(67, 90, 71, 201), 3, f), std::vector<int>(71 * 201 * 3, value));
    }
  }
}

TEST(Resize, WindowIsTheCropOfTheWhole) {
  const std::vector<uint8_t> x = pattern(90, 120, 3);
  for (int filter = 0; filter < 4; ++filter) {
    const auto f = static_cast<ResizeFilter>(filter);
    const std::vector<int> all = resize_u8(x, whole(90, 120, 40, 53), 3, f);
    const std::vector<int> part = resize_u8(x, {90, 120, 40, 53, 7, 11, 30, 29}, 3, f);
    for (size_t row = 0; row < 30; ++row) {
      for (size_t i = 0; i < 29 * 3; ++i) {
        ASSERT_EQ(part[row * 29 * 3 + i], all[(row + 7) * 53 * 3 + 11 * 3 + i]) << filter;
      }
    }
  }
}

// The float oracle against torch 2.13, interpolate(float64 pattern, align_corners=False).
std::vector<double> interpolate(int64_t out_h, int64_t out_w, ResizeFilter filter, bool antialias,
                                double scale_y = 0, double scale_x = 0) {
  const std::vector<uint8_t> bytes = pattern(3, 4, 1);
  const std::vector<float> x(bytes.begin(), bytes.end());
  ResizeF32Args args;
  args.geometry = whole(3, 4, out_h, out_w);
  args.filter = filter;
  args.antialias = antialias;
  args.scale_y = scale_y;
  args.scale_x = scale_x;
  args.channels = 1;
  args.x = x.data();
  args.x_stride_y = 4;
  args.x_stride_x = 1;
  std::vector<double> y(static_cast<size_t>(out_h * out_w));
  resize_f32_ref(args, y.data());
  return y;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-6) << i;
}

TEST(Resize, TorchDown) {
  expect_near(interpolate(2, 3, ResizeFilter::kBilinear, true),
              {51.7875, 102.4375, 153.0875, 121.4125, 115.5625, 109.7125});
  expect_near(interpolate(2, 3, ResizeFilter::kBilinear, false),
              {36.7916667, 101.125, 165.458333, 138.541667, 116.875, 95.2083333});
  expect_near(interpolate(2, 3, ResizeFilter::kBicubic, true),
              {43.3636644, 101.752809, 160.141954, 123.971192, 116.247191, 108.52319});
  expect_near(interpolate(2, 3, ResizeFilter::kBicubic, false),
              {30.7871139, 100.509766, 170.232417, 142.85409, 117.490234, 92.1263789});
}

TEST(Resize, TorchUp) {
  expect_near(interpolate(4, 5, ResizeFilter::kBilinear, true),
              {0,       105.7,   98.5,     91.3,     197,    51.875, 61.7625, 105.0625, 148.3625, 158.25,
               114.125, 76.2375, 112.9375, 149.6375, 111.75, 166,    144.3,   119.5,    94.7,     73});
  expect_near(interpolate(4, 5, ResizeFilter::kBicubic, true),
              {-11.3644877, 121.086564, 97.9514925, 74.8164208, 207.267473, 45.7151454, 47.516151,
               104.344247,  161.172343, 162.973349, 122.812199, 60.7327595, 113.655753, 166.578747,
               104.499307,  171.593535, 152.450727, 120.048507, 87.6462875, 68.5034802});
  expect_near(interpolate(4, 5, ResizeFilter::kBicubic, false),
              {-16.0857133, 128.141943, 97.7463379, 67.350733,  211.578389, 43.5559059, 37.1734017,
               104.062744,  170.952087, 164.569582, 126.8105,   49.6902858, 113.937256, 178.184226,
               101.064011,  173.679432, 156.67212,  120.253662, 83.8352045, 66.8278922});
}

// interpolate(scale_factor=(4.1 / 3, 5.1 / 4), recompute_scale_factor=False)
TEST(Resize, TorchByScaleFactor) {
  expect_near(interpolate(4, 5, ResizeFilter::kBicubic, false, 3 / 4.1, 4 / 5.1),
              {-17.0449545, 124.40888,  105.759897, 57.9514079, 205.15759,  40.751654,  40.2879363,
               99.6823186,  165.510906, 166.18822,  123.19029,  44.7937898, 105.517836, 187.785685,
               107.18615,   171.24661,  153.238616, 121.248192, 89.2987716, 69.8866829});
}

// An infinite sample reaches the outputs whose window holds it and no other.
TEST(Resize, InfinityStaysInItsWindow) {
  std::vector<float> x(40, 1.0f), y(20);
  x[20] = std::numeric_limits<float>::infinity();
  ResizeF32Args args;
  args.geometry = whole(1, 40, 1, 20);
  args.channels = 1;
  args.x = x.data();
  args.x_stride_x = args.y_stride_x = 1;
  args.y = y.data();
  AlignedArray<uint8_t> scratch(static_cast<int64_t>(resize_f32_scratch(args, 1)));
  Serial serial;
  resize_f32_cpu(args, scratch.data(), serial);
  for (size_t i = 0; i < y.size(); ++i) {
    // Output i takes inputs 2i - 1 to 2i + 2.
    EXPECT_EQ(std::isfinite(y[i]), i != 9 && i != 10) << i;
  }
}

}  // namespace
}  // namespace sns
