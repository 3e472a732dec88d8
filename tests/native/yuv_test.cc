#include "ops/yuv/yuv.h"

#include <vector>

#include "check/guarded.h"
#include "ops/yuv/yuv_tables.h"
#include "parity.h"

namespace sns {

OpCheck yuv_check();

namespace {

TEST(Yuv, Parity) { expect_parity(yuv_check(), 400); }

struct Picture {
  int64_t height, width;
  std::vector<uint8_t> planes[3];

  YuvArgs args() const {
    YuvArgs a;
    a.height = height;
    a.width = a.ldy = width;
    a.ldu = a.ldv = ceil_div(width, 2);
    a.y = planes[0].data();
    a.u = planes[1].data();
    a.v = planes[2].data();
    a.ldrgb = 3 * width;
    return a;
  }

  std::vector<uint8_t> rgb(YuvMatrix matrix, bool full_range) const {
    YuvArgs a = args();
    a.matrix = matrix;
    a.full_range = full_range;
    std::vector<uint8_t> out(static_cast<size_t>(height * a.ldrgb)), ref(out.size());
    a.rgb = out.data();
    AlignedArray<uint8_t> scratch(static_cast<int64_t>(yuv_scratch(a, 1)));
    Serial serial;
    yuv_cpu(a, scratch.data(), serial);
    yuv_ref(a, ref.data());
    EXPECT_EQ(out, ref);
    return out;
  }
};

/// plane[row, column] = (83·row + 151·column + 59·plane + 37·row·column) mod 256
Picture pattern(int64_t height, int64_t width) {
  Picture p{height, width, {}};
  for (int64_t plane = 0; plane < 3; ++plane) {
    const int64_t rows = plane == 0 ? height : ceil_div(height, 2);
    const int64_t columns = plane == 0 ? width : ceil_div(width, 2);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        p.planes[plane].push_back(static_cast<uint8_t>((83 * r + 151 * c + 59 * plane + 37 * r * c) % 256));
      }
    }
  }
  return p;
}

Picture plain(int64_t height, int64_t width, uint8_t y, uint8_t u, uint8_t v) {
  const auto size = static_cast<size_t>(height * width);
  return {height,
          width,
          {std::vector<uint8_t>(size, y), std::vector<uint8_t>(size, u), std::vector<uint8_t>(size, v)}};
}

std::vector<int> row_of(const std::vector<uint8_t>& rgb, int64_t width, int64_t row) {
  return {rgb.begin() + row * 3 * width, rgb.begin() + (row + 1) * 3 * width};
}

uint64_t hash(const std::vector<uint8_t>& bytes) {
  uint64_t h = 0;
  for (const uint8_t b : bytes) h = h * 31 + b;
  return h;
}

// The expected bytes are those of FFmpeg 8.1.2's swscale with the flags of the contract.
TEST(Yuv, SwscaleLimited601) {
  const std::vector<uint8_t> rgb = pattern(15, 13).rgb(YuvMatrix::kBt601, false);
  EXPECT_EQ(row_of(rgb, 13, 0),
            (std::vector<int>{0,   23,  0,   73,  210, 107, 0,   103, 193, 106, 235, 255, 152,
                              58,  81,  244, 255, 75,  7,   255, 0,   31,  34,  0,   255, 116,
                              247, 127, 64,  0,   179, 255, 103, 0,   206, 168, 0,   89,  161}));
  EXPECT_EQ(row_of(rgb, 13, 14),
            (std::vector<int>{255, 74,  175, 68,  19,  0,   129, 255, 0,   105, 110, 0,   255,
                              157, 255, 255, 83,  187, 53,  65,  0,   116, 255, 255, 0,   139,
                              255, 12,  0,   133, 255, 140, 143, 61,  104, 0,   177, 255, 0}));
  EXPECT_EQ(hash(rgb), 206626914642437520u);
}

TEST(Yuv, SwscaleFull709) {
  const std::vector<uint8_t> rgb = pattern(14, 14).rgb(YuvMatrix::kBt709, true);
  EXPECT_EQ(row_of(rgb, 14, 7),
            (std::vector<int>{89,  77, 0,  243, 230, 92,  140, 126, 12,  14,  29, 0,  124, 194,
                              108, 11, 97, 0,   188, 250, 88,  106, 143, 0,   15, 35, 0,   182,
                              183, 75, 92, 76,  0,   255, 224, 156, 171, 117, 70, 76, 12,  0}));
  EXPECT_EQ(hash(rgb), 3027998354519268410u);
}

TEST(Yuv, PlainPicturesStayPlain) {
  for (const int64_t width : {13, 14, 31, 32, 33, 64, 97}) {
    EXPECT_EQ(plain(13, width, 235, 128, 128).rgb(YuvMatrix::kBt709, false),
              std::vector<uint8_t>(static_cast<size_t>(13 * width * 3), 255));
    EXPECT_EQ(plain(14, width, 16, 128, 128).rgb(YuvMatrix::kBt601, false),
              std::vector<uint8_t>(static_cast<size_t>(14 * width * 3), 0));
    EXPECT_EQ(plain(15, width, 77, 128, 128).rgb(YuvMatrix::kBt2020, true),
              std::vector<uint8_t>(static_cast<size_t>(15 * width * 3), 77));
  }
}

TEST(Yuv, WindowsStayInsideAndAreWhole) {
  for (int64_t out = kYuvLeast; out < 3000; ++out) {
    std::vector<int32_t> first(static_cast<size_t>(out));
    std::vector<int16_t> weights(static_cast<size_t>(out * kYuvTaps));
    yuv_windows(out, 1 << 14, first.data(), weights.data());
    for (size_t i = 0; i < first.size(); ++i) {
      ASSERT_GE(first[i], i == 0 ? 0 : first[i - 1]) << out;
      ASSERT_LE(first[i] + kYuvTaps, ceil_div(out, 2)) << out;
      int sum = 0;
      for (size_t k = 0; k < kYuvTaps; ++k) sum += weights[i * kYuvTaps + k];
      ASSERT_NEAR(sum, 1 << 14, 1) << out;
    }
  }
}

}  // namespace
}  // namespace sns
