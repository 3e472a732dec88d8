#include "pipeline/cuda/bucket.h"

#include <gtest/gtest.h>

namespace sns {
namespace {

TEST(Bucket, Bounds) {
  EXPECT_EQ(0, bucket(0));
  const int64_t bounds[] = {16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640};
  int64_t n = 1;
  for (const int64_t bound : bounds) {
    for (; n <= bound; ++n) EXPECT_EQ(bound, bucket(n)) << n;
  }
}

TEST(Bucket, WastesAQuarterAtMost) {
  int64_t before = 0;
  for (int64_t n = 1; n < int64_t{1} << 40; n += 1 + n / 97) {
    const int64_t bound = bucket(n);
    EXPECT_GE(bound, n);
    EXPECT_GE(bound, before);
    before = bound;
    EXPECT_EQ(bound, bucket(bound)) << n;
    if (n <= 64) continue;
    EXPECT_LE(4 * (bound - n), n) << n;
  }
}

TEST(Bucket, EndsAtTheLimit) {
  EXPECT_EQ(100, bucket(100, 100));
  EXPECT_EQ(100, bucket(97, 100));
  EXPECT_EQ(96, bucket(96, 100));
  EXPECT_EQ(0, bucket(0, 100));
  EXPECT_EQ(3, bucket(2, 3));
}

}  // namespace
}  // namespace sns
