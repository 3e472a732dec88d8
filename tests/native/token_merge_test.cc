#include "ops/token_merge/token_merge.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck token_merge_check();
namespace {

struct Merged {
  std::vector<float> y, size;
  std::vector<int32_t> index;
};

Merged merge(const std::vector<float>& x, const std::vector<float>& metric, int64_t rows, int64_t count,
             int64_t protect, const float* size, Parallel& parallel) {
  TokenMergeArgs args;
  args.x = x.data();
  args.rows = rows;
  args.dim = args.ldx = args.ldy = static_cast<int64_t>(x.size()) / rows;
  args.metric = metric.data();
  args.metric_dim = args.ld_metric = static_cast<int64_t>(metric.size()) / rows;
  args.size = size;
  args.protect = protect;
  args.merge = count;
  Merged m{std::vector<float>(static_cast<size_t>((rows - count) * args.dim)),
           std::vector<float>(static_cast<size_t>(rows - count)),
           std::vector<int32_t>(static_cast<size_t>(rows))};
  args.y = m.y.data();
  args.y_size = m.size.data();
  args.y_index = m.index.data();
  AlignedArray<std::byte> scratch(static_cast<int64_t>(token_merge_scratch(args, parallel.threads())));
  token_merge_cpu(args, scratch.data(), parallel);
  return m;
}

// Six tokens on the unit circle: row 0 is closest to row 3, row 2 to row 1, row 4 to row 5 but less so.
const std::vector<float> kMetric = {1, 0, 0, 1, 0.1f, 1, 0.99f, 0.01f, -1, 0, -1, 1};
const std::vector<float> kTokens = {1, 2, 3, 4, 5, 6};

TEST(TokenMerge, EqualsTheOracle) { expect_parity(token_merge_check(), 300); }

TEST(TokenMerge, MergesTheMostSimilarPairs) {
  Serial serial;
  const Merged m = merge(kTokens, kMetric, 6, 2, 0, nullptr, serial);
  EXPECT_EQ(m.y, (std::vector<float>{5, 2.5f, 2.5f, 6}));
  EXPECT_EQ(m.size, (std::vector<float>{1, 2, 2, 1}));
  EXPECT_EQ(m.index, (std::vector<int32_t>{2, 1, 1, 2, 0, 3}));
}

TEST(TokenMerge, WeighsBySize) {
  const float size[] = {3, 1, 1, 1, 1, 1};
  Serial serial;
  const Merged m = merge(kTokens, kMetric, 6, 1, 0, size, serial);
  EXPECT_EQ(m.y, (std::vector<float>{3, 5, 2, 1.75f, 6}));
  EXPECT_EQ(m.size, (std::vector<float>{1, 1, 1, 4, 1}));
}

TEST(TokenMerge, ProtectedRowsStayAndTakeNothing) {
  Serial serial;
  // Row 0 is protected; row 2's best target, row 1, is not.
  EXPECT_EQ(merge(kTokens, kMetric, 6, 1, 1, nullptr, serial).y, (std::vector<float>{1, 5, 2.5f, 4, 6}));
  // Rows 0 and 1 are: row 4 → row 5 is now the best pair.
  EXPECT_EQ(merge(kTokens, kMetric, 6, 1, 2, nullptr, serial).y, (std::vector<float>{1, 3, 2, 4, 5.5f}));
}

TEST(TokenMerge, TiesGoToTheLowestIndex) {
  const std::vector<float> metric(12, 1.0f);
  Serial serial;
  EXPECT_EQ(merge(kTokens, metric, 6, 2, 0, nullptr, serial).index, (std::vector<int32_t>{1, 1, 1, 2, 0, 3}));
}

TEST(TokenMerge, NotANumberIsMergedLast) {
  std::vector<float> metric = kMetric;
  metric[0] = std::numeric_limits<float>::quiet_NaN();
  Serial serial;
  EXPECT_EQ(merge(kTokens, metric, 6, 2, 0, nullptr, serial).index, (std::vector<int32_t>{0, 1, 1, 2, 3, 3}));
}

TEST(TokenMerge, SameWhateverTheThreads) {
  std::vector<float> x(501 * 17), metric(501 * 40);
  Random random(3);
  random.fill_normal(x.begin(), x.end());
  random.fill_normal(metric.begin(), metric.end());
  Serial serial;
  ThreadPool pool(4);
  const Merged a = merge(x, metric, 501, 200, 1, nullptr, serial),
               b = merge(x, metric, 501, 200, 1, nullptr, pool);
  EXPECT_EQ(a.y, b.y);
  EXPECT_EQ(a.index, b.index);
}

}  // namespace
}  // namespace sns
