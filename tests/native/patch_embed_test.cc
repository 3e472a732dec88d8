#include "ops/patch_embed/patch_embed.h"

#include <algorithm>
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
  const int64_t side = 140, out = 77;
  Random rng(3);
  std::vector<float> weight(out * g.patch_size());
  rng.fill_normal(weight.begin(), weight.end(), 0.1);
  std::vector<uint8_t> image(side * side * 3);
  for (auto& v : image) v = static_cast<uint8_t>(rng.next());
  const float scale[] = {0.01f, 0.02f, 0.03f}, shift[] = {-1, -2, -3};
  const PatchEmbedWeights w(g, weight.data(), nullptr, out, scale, shift);
  const auto run = [&](Parallel& parallel) {
    std::vector<float> y(100 * out);
    AlignedArray<char> scratch(static_cast<int64_t>(patch_embed_scratch(w, side, side, parallel.threads())));
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
