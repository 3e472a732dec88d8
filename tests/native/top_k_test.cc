#include "ops/top_k/top_k.h"

#include <limits>
#include <vector>

#include "parity.h"

namespace sns {
OpCheck top_k_check();
namespace {

std::vector<int64_t> search(const std::vector<float>& vectors, int64_t dim, const std::vector<float>& query,
                            int64_t k) {
  const TopKVectors packed(vectors.data(), static_cast<int64_t>(vectors.size()) / dim, dim);
  std::vector<int64_t> ids(static_cast<size_t>(k));
  std::vector<float> scores(static_cast<size_t>(k));
  TopKArgs a;
  a.queries = query.data();
  a.n = 1;
  a.k = k;
  a.ids = ids.data();
  a.scores = scores.data();
  Serial serial;
  std::vector<unsigned char> scratch(top_k_scratch(packed, a, 1) + kAlign);
  void* start = scratch.data();
  size_t space = scratch.size();
  std::align(kAlign, top_k_scratch(packed, a, 1), start, space);
  top_k_cpu(packed, a, start, serial);
  return ids;
}

TEST(TopK, EqualsTheOracle) { expect_parity(top_k_check(), 200); }

TEST(TopK, OfEqualScoresTheLowestIdComesFirst) {
  EXPECT_EQ((std::vector<int64_t>{1, 3, 0}), search({1, 2, 1, 2}, 1, {1}, 3));
  EXPECT_EQ((std::vector<int64_t>{0, 1}), search(std::vector<float>(100, 7), 1, {1}, 2));
}

TEST(TopK, FewerVectorsThanAskedFor) { EXPECT_EQ((std::vector<int64_t>{0, -1}), search({5}, 1, {1}, 2)); }

TEST(TopK, Float32CannotTellTheseApart) {
  // 2^24 + 1 is no float32: only float64 sums see that the second is larger.
  EXPECT_EQ((std::vector<int64_t>{1, 0}), search({16777216, 0, 16777216, 1}, 2, {1, 1}, 2));
}

TEST(TopK, SumsThatOverflowFloat32) {
  EXPECT_EQ((std::vector<int64_t>{1, 0}), search({3e38f, -3e38f, 3e38f, 3e38f}, 2, {3, 3}, 2));
}

}  // namespace
}  // namespace sns
