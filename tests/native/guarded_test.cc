#include "check/guarded.h"

#include <gtest/gtest.h>

#include <set>

namespace sns {
namespace {

TEST(Guarded, StartsIntactAlignedAndPoisoned) {
  for (int64_t count : {0, 1, 7, 16, 33}) {
    Guarded<float> g(count);
    EXPECT_TRUE(g.intact());
    EXPECT_EQ(g.size(), count);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(g.data()) % kAlign, 0u);
    for (int64_t i = 0; i < count; ++i) EXPECT_TRUE(std::isnan(g[i]));
  }
  Guarded<int32_t> ints(3);
  EXPECT_EQ(ints[0], 0x7B7B7B7B);
  EXPECT_EQ(ints[2], 0x7B7B7B7B);
}

TEST(Guarded, SeesEveryByteAround) {
  Guarded<float> g(5);
  auto* first = reinterpret_cast<unsigned char*>(g.data());
  unsigned char* last = first + 5 * sizeof(float);
  for (int64_t i = 1; i <= Guarded<float>::kGuard; ++i) {
    for (unsigned char* at : {first - i, last + i - 1}) {
      const unsigned char was = *at;
      *at ^= 1;
      EXPECT_FALSE(g.intact()) << i;
      *at = was;
      EXPECT_TRUE(g.intact());
    }
  }
}

TEST(Guarded, PayloadIsNotGuard) {
  Guarded<uint8_t> g(9);
  for (int64_t i = 0; i < 9; ++i) g[i] = 0;
  EXPECT_TRUE(g.intact());
}

TEST(Nmse, IsNanWhereAnOutputIsUnwritten) {
  Guarded<float> y(4);
  const double ref[] = {1, 2, 3, 4};
  for (int64_t i = 0; i < 3; ++i) y[i] = static_cast<float>(ref[i]);
  EXPECT_TRUE(std::isnan(nmse(y.data(), 4, ref, 1, 4)));
  y[3] = 4;
  EXPECT_EQ(nmse(y.data(), 4, ref, 1, 4), 0);
  y[3] = 5;
  EXPECT_DOUBLE_EQ(nmse(y.data(), 4, ref, 1, 4), 1.0 / 30.0);
}

TEST(Nmse, HonoursTheStrideAndFailsAgainstZeros) {
  const float y[] = {1, 2, -9, 3, 4};
  const double ref[] = {1, 2, 3, 4}, zeros[] = {0, 0, 0, 0};
  EXPECT_EQ(nmse(y, 3, ref, 2, 2), 0);
  EXPECT_GT(nmse(y, 3, zeros, 2, 2), 1e100);
  EXPECT_EQ(nmse(y, 3, ref, 0, 2), 0);
}

TEST(Random, IsTheSameEverywhere) {
  Random r(42);  // SplitMix64 from seed 42
  EXPECT_EQ(r.next(), 13679457532755275413u);
  EXPECT_EQ(r.next(), 2949826092126892291u);
}

TEST(Random, IntegerReachesBothEnds) {
  Random r(1);
  std::set<int64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(r.integer(-1, 2));
  EXPECT_EQ(seen, (std::set<int64_t>{-1, 0, 1, 2}));
}

TEST(Random, NormalHasItsMoments) {
  Random r(7);
  double sum = 0, square = 0;
  constexpr int kCount = 100'000;
  for (int i = 0; i < kCount; ++i) {
    const double x = r.normal();
    sum += x;
    square += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(square / kCount, 1, 0.03);
}

}  // namespace
}  // namespace sns
