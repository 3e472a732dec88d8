#include <algorithm>
#include <cmath>
#include <limits>

#include "abi_support.h"

namespace sns_test {
namespace {

constexpr int32_t kInvalid = SNS_ERROR_INVALID_ARGUMENT;
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Index = std::unique_ptr<sns_index_t, Destroyer<sns_index, sns_index_destroy>>;

Index create(sns_engine engine, const float* vectors, int64_t count, int64_t dim) {
  sns_index index = nullptr;
  EXPECT_EQ(SNS_OK, sns_index_create(engine, vectors, count, dim, &index)) << sns_last_error();
  return Index(index);
}

TEST(Index, BadArgumentsOfVectors) {
  const Engine engine = make_engine();
  std::vector<float> v(6, 1.0f);
  sns_index out = nullptr;
  expect_error(kInvalid, "engine", sns_index_create(nullptr, v.data(), 2, 3, &out));
  expect_error(kInvalid, "out", sns_index_create(engine.get(), v.data(), 2, 3, nullptr));
  expect_error(kInvalid, "vectors", sns_index_create(engine.get(), nullptr, 2, 3, &out));
  expect_error(kInvalid, "count", sns_index_create(engine.get(), v.data(), -1, 3, &out));
  expect_error(kInvalid, "dim", sns_index_create(engine.get(), v.data(), 2, 0, &out));
  expect_error(kInvalid, "dim", sns_index_create(engine.get(), v.data(), 2, -3, &out));
  EXPECT_NE(SNS_OK, sns_index_create(engine.get(), v.data(), kHuge, 3, &out));
  EXPECT_NE(SNS_OK, sns_index_create(engine.get(), v.data(), kHuge / 2, kHuge / 2, &out));
  for (const float bad : {kNan, HUGE_VALF}) {
    v[4] = bad;
    EXPECT_NE(SNS_OK, sns_index_create(engine.get(), v.data(), 2, 3, &out));
    EXPECT_STREQ("vectors", sns_last_error_field());
  }
  EXPECT_EQ(nullptr, out);
  sns_index_destroy(nullptr);
}

TEST(Index, BadArgumentsOfQueries) {
  const Engine engine = make_engine();
  const std::vector<float> v(6, 1.0f);
  const Index index = create(engine.get(), v.data(), 2, 3);
  std::vector<float> q(3, 1.0f);
  int64_t ids[2];
  float scores[2];
  expect_error(kInvalid, "index", sns_index_search(nullptr, q.data(), 1, 2, ids, scores));
  expect_error(kInvalid, "queries", sns_index_search(index.get(), nullptr, 1, 2, ids, scores));
  expect_error(kInvalid, "n", sns_index_search(index.get(), q.data(), -1, 2, ids, scores));
  expect_error(kInvalid, "k", sns_index_search(index.get(), q.data(), 1, 0, ids, scores));
  expect_error(kInvalid, "k", sns_index_search(index.get(), q.data(), 1, 1025, ids, scores));
  expect_error(kInvalid, "ids", sns_index_search(index.get(), q.data(), 1, 2, nullptr, scores));
  expect_error(kInvalid, "scores", sns_index_search(index.get(), q.data(), 1, 2, ids, nullptr));
  EXPECT_NE(SNS_OK, sns_index_search(index.get(), q.data(), kHuge, 2, ids, scores));
  q[1] = kNan;
  EXPECT_NE(SNS_OK, sns_index_search(index.get(), q.data(), 1, 2, ids, scores));
  EXPECT_STREQ("queries", sns_last_error_field());
  ASSERT_SNS_OK(sns_index_search(index.get(), nullptr, 0, 2, nullptr, nullptr));
}

TEST(Index, OutlivesItsEngineAndTheVectors) {
  Index index;
  {
    const Engine engine = make_engine();
    const std::vector<float> v = {1, 0, 0, 1, 1, 0};
    index = create(engine.get(), v.data(), 3, 2);
  }
  const float q[] = {2, 1};
  int64_t ids[4];
  float scores[4];
  ASSERT_SNS_OK(sns_index_search(index.get(), q, 1, 4, ids, scores));
  EXPECT_EQ((std::vector<int64_t>{0, 2, 1, -1}), std::vector<int64_t>(ids, ids + 4));
  EXPECT_EQ(2.0f, scores[1]);
  EXPECT_EQ(-HUGE_VALF, scores[3]);
}

TEST(Index, RandomOnesAreMadeOrRefusedAndSearchedExactly) {
  const Engine engine = make_engine(2);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    sns::Random random(seed);
    const int64_t count = random.integer(0, 60), dim = random.integer(1, 40), n = random.integer(0, 5),
                  k = random.integer(1, 70);
    // Small integers: sums are exact, and many scores are equal.
    auto values = [&](int64_t rows) {
      std::vector<float> v(static_cast<size_t>(rows * dim));
      for (float& x : v) x = static_cast<float>(random.integer(-2, 2));
      return v;
    };
    const std::vector<float> v = values(count), q = values(n);
    const Index index = create(engine.get(), v.data(), count, dim);
    ASSERT_NE(nullptr, index);
    std::vector<int64_t> ids(static_cast<size_t>(n * k));
    std::vector<float> scores(ids.size());
    ASSERT_SNS_OK(sns_index_search(index.get(), q.data(), n, k, ids.data(), scores.data()));
    for (int64_t i = 0; i < n; ++i) {
      std::vector<std::pair<float, int64_t>> all;  // (-score, id)
      for (int64_t j = 0; j < count; ++j) {
        float dot = 0;
        for (int64_t d = 0; d < dim; ++d) {
          dot += q[static_cast<size_t>(i * dim + d)] * v[static_cast<size_t>(j * dim + d)];
        }
        all.emplace_back(-dot, j);
      }
      std::sort(all.begin(), all.end());
      for (int64_t r = 0; r < k; ++r) {
        const size_t at = static_cast<size_t>(i * k + r);
        ASSERT_EQ(r < count ? all[static_cast<size_t>(r)].second : -1, ids[at]);
        ASSERT_EQ(r < count ? -all[static_cast<size_t>(r)].first : -HUGE_VALF, scores[at]);
      }
    }
  }
}

}  // namespace
}  // namespace sns_test
