#include "ops/rotary/rotary.h"

#include <limits>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck rotary_check();
namespace {

TEST(Rotary, MatchesOracle) { expect_parity(rotary_check(), 600); }

// A quarter turn takes (1, 2) to (−2, 1), wherever the two channels stand; what is not turned stays.
TEST(Rotary, ByHand) {
  const float table[] = {0, 1, 1, 0};  // two pairs: a quarter turn, none
  Serial serial;
  for (RotaryPairs layout : {RotaryPairs::kHalves, RotaryPairs::kInterleaved}) {
    const bool halves = layout == RotaryPairs::kHalves;
    const std::vector<float> x =
        halves ? std::vector<float>{1, 3, 2, 4, 9} : std::vector<float>{1, 2, 3, 4, 9};
    const std::vector<float> want =
        halves ? std::vector<float>{-2, 3, 1, 4, 9} : std::vector<float>{-2, 1, 3, 4, 9};
    std::vector<float> y(5, 0.0f);
    RotaryArgs a{x.data(), 1, 1, 5, 5, table, 2, layout, y.data(), 5};
    rotary_cpu(a, serial);
    EXPECT_EQ(y, want);
  }
}

TEST(Rotary, PositionZeroTurnsNothing) {
  const int32_t ids[] = {0}, axis[] = {0, 0, 0};
  const double frequency[] = {1, 0.5, 0.25};
  float table[6];
  Serial serial;
  rotary_table_cpu({ids, 1, 1, axis, frequency, 3, table}, serial);
  EXPECT_EQ(std::vector<float>(table, table + 6), (std::vector<float>{1, 1, 1, 0, 0, 0}));
}

TEST(Rotary, EveryIdIsExact) {
  const int32_t ids[] = {std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min(), -1};
  const int32_t axis[] = {0};
  const double frequency[] = {1};
  float table[6];
  double ref[6];
  Serial serial;
  const RotaryTableArgs a{ids, 3, 1, axis, frequency, 1, table};
  rotary_table_cpu(a, serial);
  rotary_table_ref(a, ref);
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(table[i], ref[i], kRotaryTableError);
}

// What it is for: the product of a turned query and key depends on their distance only.
TEST(Rotary, ProductsDependOnTheDistance) {
  constexpr int64_t kDim = 24, kPairs = 12;
  std::vector<float> q(kDim), k(kDim);
  std::vector<int32_t> axis(kPairs);
  std::vector<double> frequency(kPairs);
  Random r(5);
  r.fill_normal(q.begin(), q.end());
  r.fill_normal(k.begin(), k.end());
  for (int64_t i = 0; i < kPairs; ++i) frequency[i] = std::pow(10000.0, -static_cast<double>(i) / kPairs);
  Serial serial;
  const auto product = [&](int32_t at_q, int32_t at_k) {
    const int32_t ids[] = {at_q, at_k};
    std::vector<float> table(2 * kDim), x(q), y(2 * kDim);
    x.insert(x.end(), k.begin(), k.end());
    rotary_table_cpu({ids, 2, 1, axis.data(), frequency.data(), kPairs, table.data()}, serial);
    rotary_cpu({x.data(), 2, 1, kDim, kDim, table.data(), kPairs, RotaryPairs::kHalves, y.data(), kDim},
               serial);
    double sum = 0;
    for (int64_t i = 0; i < kDim; ++i) sum += static_cast<double>(y[i]) * y[kDim + i];
    return sum;
  };
  EXPECT_NEAR(product(3, 10), product(1003, 1010), 1e-5);
  EXPECT_GT(std::abs(product(3, 10) - product(3, 11)), 1e-3);
}

TEST(Rotary, BitsDoNotDependOnThreads) {
  constexpr int64_t kRows = 900, kHeads = 4, kDim = 37, kPairs = 17, kWidth = kHeads * kDim;
  std::vector<float> x(kRows * kWidth), y(x.size()), z(x.size());
  std::vector<float> table(kRows * 2 * kPairs), other(table.size());
  std::vector<int32_t> ids(kRows), axis(kPairs);
  std::vector<double> frequency(kPairs, 0.37);
  Random r(4);
  r.fill_normal(x.begin(), x.end());
  for (int32_t& id : ids) id = static_cast<int32_t>(r.integer(0, 500));
  Serial serial;
  ThreadPool pool(3);
  rotary_table_cpu({ids.data(), kRows, 1, axis.data(), frequency.data(), kPairs, table.data()}, serial);
  rotary_table_cpu({ids.data(), kRows, 1, axis.data(), frequency.data(), kPairs, other.data()}, pool);
  EXPECT_EQ(table, other);
  RotaryArgs a{x.data(), kRows, kHeads, kDim, kWidth, table.data(), kPairs, RotaryPairs::kHalves,
               y.data(), kWidth};
  rotary_cpu(a, serial);
  a.y = z.data();
  rotary_cpu(a, pool);
  EXPECT_EQ(y, z);
}

}  // namespace
}  // namespace sns
