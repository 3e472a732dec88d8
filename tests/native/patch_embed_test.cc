#include "ops/patch_embed/patch_embed.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {

OpCheck patch_embed_check();

namespace {

TEST(PatchEmbed, Parity) { expect_parity(patch_embed_check(), 300); }

// An identity projection shows the flattened patches themselves.
std::vector<float> flattened(const PatchGeometry& g, const ImageView& image) {
  const int64_t n = g.patch_size(), rows = g.grid_h(image.height) * g.grid_w(image.width);
  std::vector<float> identity(n * n);
  for (int64_t i = 0; i < n; ++i) identity[i * n + i] = 1;
  const std::vector<float> ones(g.channels, 1.0f), zeros(g.channels, 0.0f);
  const PatchEmbedWeights w(g, identity.data(), nullptr, n, ones.data(), zeros.data());
  AlignedArray<char> scratch(static_cast<int64_t>(patch_embed_scratch(w, image.height, image.width, 1)));
  std::vector<float> y(rows * n);
  PatchEmbedArgs args;
  args.image = image;
  args.y = y.data();
  args.ldy = n;
  Serial serial;
  patch_embed_cpu(w, args, scratch.data(), serial);
  return y;
}

// 2 channels, 3×5 pixels, patches 2×2: the grid is 1×2, the third row and the fifth column are dropped. The
// element (c, y, x) has the value 100c + 10y + x.
TEST(PatchEmbed, FlattenOrders) {
  const int64_t channels = 2, height = 3, width = 5;
  std::vector<uint8_t> hwc(channels * height * width);
  std::vector<float> chw(hwc.size());
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        hwc[(y * width + x) * channels + c] = static_cast<uint8_t>(100 * c + 10 * y + x);
        chw[(c * height + y) * width + x] = static_cast<float>(100 * c + 10 * y + x);
      }
    }
  }
  PatchGeometry g;
  g.channels = channels;
  g.patch_h = g.patch_w = g.stride_h = g.stride_w = 2;
  const ImageView bytes{hwc.data(), true, height, width, width * channels, channels, 1};
  const ImageView floats{chw.data(), false, height, width, width, 1, height * width};
  g.order = PatchOrder::kChannelFirst;  // Conv2d
  const std::vector<float> first = {0, 1, 10, 11, 100, 101, 110, 111, 2, 3, 12, 13, 102, 103, 112, 113};
  EXPECT_EQ(flattened(g, bytes), first);
  EXPECT_EQ(flattened(g, floats), first);
  g.order = PatchOrder::kChannelLast;  // 'b c (h p1) (w p2) -> b (h w) (p1 p2 c)'
  const std::vector<float> last = {0, 100, 1, 101, 10, 110, 11, 111, 2, 102, 3, 103, 12, 112, 13, 113};
  EXPECT_EQ(flattened(g, bytes), last);
  EXPECT_EQ(flattened(g, floats), last);
}

// AST: a [time, mel] spectrogram is an image of mel rows and time columns; tokens run frequency-major.
TEST(PatchEmbed, SpectrogramAsFrequencyByTime) {
  const int64_t frames = 5, mels = 3;
  std::vector<float> spectrogram(frames * mels);
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t m = 0; m < mels; ++m) spectrogram[t * mels + m] = static_cast<float>(10 * m + t);
  }
  PatchGeometry g;
  g.channels = 1;
  g.patch_h = g.patch_w = 2;
  g.stride_h = 1;
  g.stride_w = 3;
  const ImageView image{spectrogram.data(), false, mels, frames, 1, mels, 0};
  const std::vector<float> expected = {0, 1, 10, 11, 3, 4, 13, 14, 10, 11, 20, 21, 13, 14, 23, 24};
  EXPECT_EQ(flattened(g, image), expected);
}

TEST(PatchEmbed, NormalisesBytesUnlessToldNotTo) {
  PatchGeometry g;
  g.channels = 2;
  g.patch_h = g.patch_w = g.stride_h = g.stride_w = 1;
  const float identity[] = {1, 0, 0, 1}, scale[] = {0.5f, 0.25f}, shift[] = {-1, 2};
  const PatchEmbedWeights w(g, identity, nullptr, 2, scale, shift);
  const uint8_t pixel[] = {10, 20};
  AlignedArray<char> scratch(static_cast<int64_t>(patch_embed_scratch(w, 1, 1, 1)));
  Guarded<float> y(2);
  PatchEmbedArgs args;
  args.image = ImageView{pixel, true, 1, 1, 2, 2, 1};
  args.y = y.data();
  args.ldy = 2;
  Serial serial;
  patch_embed_cpu(w, args, scratch.data(), serial);
  EXPECT_EQ(y[0], 4.0f);
  EXPECT_EQ(y[1], 7.0f);
  args.normalised = true;
  patch_embed_cpu(w, args, scratch.data(), serial);
  EXPECT_EQ(y[0], 10.0f);
  EXPECT_EQ(y[1], 20.0f);
  EXPECT_TRUE(y.intact());
}

TEST(PatchEmbed, ThreadsDoNotChangeABit) {
  PatchGeometry g;
  g.patch_h = g.patch_w = g.stride_h = g.stride_w = 14;
  const int64_t side = 140;
  Random rng(3);
  for (const auto& [precision, out] :
       {std::pair{Precision::kStrict, 77}, {Precision::kFast, 77}, {Precision::kFast, 205}}) {
    std::vector<float> weight(out * g.patch_size());
    rng.fill_normal(weight.begin(), weight.end(), 0.1);
    std::vector<uint8_t> image(side * side * 3);
    for (auto& v : image) v = static_cast<uint8_t>(rng.next());
    const float scale[] = {0.01f, 0.02f, 0.03f}, shift[] = {-1, -2, -3};
    const PatchEmbedWeights w(g, weight.data(), nullptr, out, scale, shift, precision);
    const auto run = [&, out = out](Parallel& parallel) {
      std::vector<float> y(100 * out);
      AlignedArray<char> scratch(
          static_cast<int64_t>(patch_embed_scratch(w, side, side, parallel.threads())));
      PatchEmbedArgs args;
      args.image = ImageView{image.data(), true, side, side, side * 3, 3, 1};
      args.y = y.data();
      args.ldy = out;
      patch_embed_cpu(w, args, scratch.data(), parallel);
      return y;
    };
    Serial serial;
    ThreadPool two(2), three(3), eight(8);
    const std::vector<float> alone = run(serial);
    EXPECT_EQ(alone, run(two));
    EXPECT_EQ(alone, run(three));
    EXPECT_EQ(alone, run(eight));
  }
}

// ViT-B/16's projection in FAST, from pictures of one patch to those of some.
class Fast : public testing::Test {
 protected:
  static constexpr int64_t kIn = 768, kOut = 224;
  Fast() : weight(kOut * kIn), bias(kOut) {
    rng.fill_normal(weight.begin(), weight.end(), 0.02);
    rng.fill_normal(bias.begin(), bias.end(), 0.02);
  }
  /// Of each output and channel, as filters have it that look for edges.
  void remove_means() {
    for (int64_t first = 0; first < kOut * kIn; first += 256) {
      double sum = 0;
      for (int64_t i = 0; i < 256; ++i) sum += weight[first + i];
      for (int64_t i = 0; i < 256; ++i) weight[first + i] -= static_cast<float>(sum / 256);
    }
  }
  PatchEmbedWeights packed() const {
    return PatchEmbedWeights(PatchGeometry(), weight.data(), bias.data(), kOut, scale, shift,
                             Precision::kFast);
  }
  /// NMSE of a picture of 16·height × 16·width pixels that colour(c, y, x) gives.
  template <class Colour>
  double error(int64_t height, int64_t width, Colour colour) const {
    const PatchEmbedWeights w = packed();
    const int64_t h = 16 * height, wide = 16 * width, rows = height * width;
    Guarded<uint8_t> image(3 * h * wide);
    for (int64_t i = 0; i < 3 * h * wide; ++i) {
      image[i] = static_cast<uint8_t>(colour(i % 3, i / 3 / wide, i / 3 % wide));
    }
    PatchEmbedArgs args;
    args.image = ImageView{image.data(), true, h, wide, wide * 3, 3, 1};
    std::vector<double> reference(rows * kOut);
    patch_embed_ref(w.geometry(), weight.data(), bias.data(), kOut, scale, shift, args, reference.data());
    Guarded<float> y(rows * kOut);
    Guarded<unsigned char> scratch(static_cast<int64_t>(patch_embed_scratch(w, h, wide, 1)));
    args.y = y.data();
    args.ldy = kOut;
    Serial serial;
    patch_embed_cpu(w, args, scratch.data(), serial);
    EXPECT_TRUE(y.intact() && scratch.intact());
    return nmse(y.data(), kOut, reference.data(), rows, kOut);
  }
  Random rng{5};
  std::vector<float> weight, bias;
  float scale[3] = {1 / 127.5f, 1 / 127.5f, 1 / 127.5f}, shift[3] = {-1, -1, -1};
};

// Of a picture in one colour only the sums of the weights' errors are left. Filters without a mean answer
// with their bias alone, so that nothing hides an error.
TEST_F(Fast, FlatPictures) {
  for (const bool means : {true, false}) {
    if (!means) remove_means();
    for (const int level : {0, 60, 127, 200, 255}) {
      EXPECT_LE(error(1, 1, [&](int64_t c, int64_t, int64_t) { return c == 1 ? 255 - level : level; }),
                means ? 1e-7 : kLinearFastNmse)
          << level << (means ? "" : ", no means");
      EXPECT_LE(error(1, 1, [&](int64_t, int64_t, int64_t) { return level; }),
                means ? 1e-7 : kLinearFastNmse);
    }
  }
}

TEST_F(Fast, PicturesOfExtremes) {
  for (const bool means : {true, false}) {
    if (!means) remove_means();
    Random noise(7);
    const auto limit = kLinearFastNmse;
    EXPECT_LE(error(3, 3, [&](int64_t, int64_t, int64_t) { return noise.coin() ? 255 : 0; }), limit);
    EXPECT_LE(error(1, 1, [](int64_t, int64_t y, int64_t x) { return (x + y) % 2 * 255; }), limit);
    EXPECT_LE(error(1, 1, [](int64_t, int64_t, int64_t x) { return x % 2 * 255; }), limit);
    EXPECT_LE(error(1, 1, [](int64_t, int64_t y, int64_t) { return y < 7 ? 255 : 0; }), limit);
    EXPECT_LE(error(1, 1, [](int64_t c, int64_t, int64_t) { return c * 255 / 2; }), limit);
    EXPECT_LE(error(2, 2, [](int64_t, int64_t y, int64_t x) { return 4 * (x + y); }), limit);
  }
}

// One byte with spares where its error permits, also with heavy tails and for filters that see a part of the
// patch only; two bytes where not.
TEST_F(Fast, SparesWhereTheWeightsPermit) {
  const int64_t all = has_avx512_vbmi() ? kOut : 0, block = has_avx512_vbmi() ? 32 : 0;
  const auto noise = [&] {
    return error(2, 3, [&](int64_t, int64_t, int64_t) { return rng.integer(0, 255); });
  };
  EXPECT_EQ(packed().bytes().spared_outputs(), all);
  EXPECT_LE(noise(), kLinearFastNmse);

  for (float& w : weight) w = std::copysign(std::log(1 - 0.9999f * static_cast<float>(rng.uniform())), w);
  EXPECT_EQ(packed().bytes().spared_outputs(), all) << "Laplace's";
  EXPECT_LE(noise(), kLinearFastNmse);

  rng.fill_normal(weight.begin(), weight.end(), 0.02);
  for (int64_t i = 0; i < kOut * kIn; ++i) {
    const double x = static_cast<double>(i % 16) - 10, y = static_cast<double>(i / 16 % 16) - 5;
    weight[i] *= static_cast<float>(0.05 + std::exp(-(x * x + y * y) / 18));
  }
  EXPECT_EQ(packed().bytes().spared_outputs(), all) << "local";
  EXPECT_LE(noise(), kLinearFastNmse);

  // A third of the weights nearly as large as the largest: too many for the spares, too few to drown the
  // error.
  rng.fill_normal(weight.begin(), weight.end(), 0.02);
  const auto spoil = [&](int64_t output) {
    for (int64_t i = output * kIn; i < (output + 1) * kIn; ++i)
      weight[i] = i % 3 ? weight[i] : 0.2f - 0.3f * std::abs(weight[i]);
  };
  for (int64_t o = 64; o < 96; ++o) spoil(o);
  EXPECT_EQ(packed().bytes().spared_outputs(), all - block);
  EXPECT_LE(noise(), kLinearFastNmse);
  for (int64_t o = 0; o < kOut; ++o) spoil(o);
  EXPECT_EQ(packed().bytes().spared_outputs(), 0);
  EXPECT_LE(noise(), 1e-8);
}

// Zeros, and weights that a float's smallest step cannot show.
TEST_F(Fast, WeightsOfNothing) {
  const auto noise = [&] {
    return error(1, 2, [&](int64_t, int64_t, int64_t) { return rng.integer(0, 255); });
  };
  std::fill(weight.begin(), weight.begin() + 40 * kIn, 0.0f);
  EXPECT_EQ(packed().bytes().spared_outputs(), has_avx512_vbmi() ? kOut : 0);
  EXPECT_LE(noise(), kLinearFastNmse);
  for (float& w : weight) w *= 1e-41f;
  EXPECT_LE(noise(), kLinearFastNmse);
}

TEST(PatchEmbed, ImpossibleGeometriesAreRefused) {
  const float one[17] = {1};
  const auto make = [&](int64_t channels, int64_t patch, int64_t stride) {
    PatchGeometry g;
    g.channels = channels;
    g.patch_h = g.patch_w = patch;
    g.stride_h = g.stride_w = stride;
    PatchEmbedWeights(g, one, nullptr, 1, one, one);
  };
  EXPECT_NO_THROW(make(1, 1, 1));
  EXPECT_THROW(make(0, 1, 1), Error);
  EXPECT_THROW(make(17, 1, 1), Error);
  EXPECT_THROW(make(1, 0, 1), Error);
  EXPECT_THROW(make(1, 1, 0), Error);
  EXPECT_THROW(make(3, int64_t{1} << 33, 1), Error);
}

}  // namespace
}  // namespace sns
