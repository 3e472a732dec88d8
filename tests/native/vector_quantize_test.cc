#include "ops/vector_quantize/vector_quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck vector_quantize_check();
namespace {

std::vector<int64_t> quantize(const Codebook& codebook, const std::vector<float>& x, Parallel& parallel,
                              int64_t* evaluated = nullptr) {
  const int64_t rows = static_cast<int64_t>(x.size()) / codebook.dim();
  std::vector<int64_t> ids(static_cast<size_t>(rows), -1);
  AlignedArray<std::byte> scratch(
      static_cast<int64_t>(nearest_scratch(codebook.packed(), parallel.threads())));
  NearestArgs args;
  args.x = x.data();
  args.rows = rows;
  args.ldx = codebook.dim();
  args.ids = ids.data();
  args.evaluated = evaluated;
  find_nearest(codebook.packed(), args, scratch.data(), parallel);
  return ids;
}

std::vector<float> normal(int64_t count, uint64_t seed) {
  std::vector<float> v(static_cast<size_t>(count));
  Random random(seed);
  random.fill_normal(v.begin(), v.end());
  return v;
}

TEST(VectorQuantize, EqualsTheOracle) { expect_parity(vector_quantize_check(), 400); }

TEST(VectorQuantize, RefusesAnEmptyCodebook) {
  const float code = 1;
  EXPECT_THROW(Codebook(&code, 0, 1, CodeMetric::kL2), Error);
  EXPECT_THROW(Codebook(&code, 1, 0, CodeMetric::kL2), Error);
}

TEST(VectorQuantize, TakesTheLowestOfEqualCodes) {
  const std::vector<float> codes(5 * 300, 0.25f);
  const Codebook codebook(codes.data(), 300, 5, CodeMetric::kL2);
  Serial serial;
  for (int64_t id : quantize(codebook, normal(5 * 30, 1), serial)) EXPECT_EQ(id, 0);
}

TEST(VectorQuantize, NotANumberNeverWinsAndNeverLeavesTheRange) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<float> codes = {nan, 1, inf, 0, 3, 3, 0, 0};
  const std::vector<float> x = {nan, 0, 0.1f, 0.1f, inf, 1, 2.9f, 3, 3e38f, -3e38f};
  Serial serial;
  const Codebook codebook(codes.data(), 4, 2, CodeMetric::kL2);
  EXPECT_EQ(quantize(codebook, x, serial), (std::vector<int64_t>{0, 3, 0, 2, 2}));
}

TEST(VectorQuantize, SameIdsWhateverTheThreads) {
  const std::vector<float> codes = normal(1000 * 33, 2), x = normal(500 * 33, 3);
  const Codebook codebook(codes.data(), 1000, 33, CodeMetric::kCosine);
  Serial serial;
  ThreadPool pool(4);
  EXPECT_EQ(quantize(codebook, x, serial), quantize(codebook, x, pool));
}

TEST(VectorQuantize, EvaluatesFewCodesExactly) {
  const std::vector<float> codes = normal(8192 * 64, 4), x = normal(128 * 64, 5);
  const Codebook codebook(codes.data(), 8192, 64, CodeMetric::kL2);
  Serial serial;
  int64_t evaluated = 0;
  quantize(codebook, x, serial, &evaluated);
  EXPECT_GE(evaluated, 128);
  EXPECT_LT(evaluated, 128 * 64) << "the screen rules out too little";
}

// An outlying code far from all others spoils the int8 scale of its group only.
TEST(VectorQuantize, OneOutlyingCodeDoesNotSpoilTheScreen) {
  std::vector<float> codes = normal(4096 * 64, 6);
  for (int64_t i = 0; i < 64; ++i) codes[static_cast<size_t>(i)] = 1e4f;
  const std::vector<float> x = normal(64 * 64, 7);
  const Codebook codebook(codes.data(), 4096, 64, CodeMetric::kL2);
  Serial serial;
  int64_t evaluated = 0;
  std::vector<int64_t> expected(64);
  vector_quantize_ref(codes.data(), 4096, 64, CodeMetric::kL2, x.data(), 64, 64, expected.data());
  EXPECT_EQ(quantize(codebook, x, serial, &evaluated), expected);
  EXPECT_LT(evaluated, 64 * 512);
}

TEST(ResidualQuantize, StagesMustShareADimension) {
  const std::vector<float> codes = normal(12, 8);
  std::vector<Codebook> stages;
  stages.emplace_back(codes.data(), 3, 4, CodeMetric::kL2);
  stages.emplace_back(codes.data(), 4, 3, CodeMetric::kL2);
  Serial serial;
  int64_t ids[2];
  std::vector<std::byte> scratch(1 << 20);
  EXPECT_THROW(residual_quantize_cpu(stages.data(), 2, codes.data(), 1, 4, ids, scratch.data(), serial),
               Error);
}

// vector-quantize-pytorch's FSQ(levels=[8, 5, 5, 5]), its formula evaluated in float64.
TEST(FiniteScalar, PublishedFormula) {
  const int32_t levels[] = {8, 5, 5, 5};
  const float z[] = {0, 0, 0, 0, 9, 9, 9, 9, -9, -9, -9, -9, 0.3f, -0.6f, 1.2f, -2.5f};
  int64_t ids[4];
  float y[16];
  Serial serial;
  fsq_encode_cpu(levels, 4, z, 4, ids, serial);
  EXPECT_EQ(ids[0], 4 + 8 * (2 + 5 * (2 + 5 * 2)));
  EXPECT_EQ(ids[1], 999);
  EXPECT_EQ(ids[2], 0);
  EXPECT_EQ(ids[3], 5 + 8 * (1 + 5 * (4 + 5 * 0)));
  fsq_decode_cpu(levels, 4, ids, 4, y, serial);
  const float expected[] = {0, 0, 0, 0, 0.75f, 1, 1, 1, -1, -1, -1, -1, 0.25f, -0.5f, 1, -1};
  for (int i = 0; i < 16; ++i) EXPECT_EQ(y[i], expected[i]) << i;
}

TEST(FiniteScalar, ExtremesStayInRange) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const int32_t many = 5001;
  const float z[] = {inf, -inf, nan};
  int64_t ids[3];
  Serial serial;
  fsq_encode_cpu(&many, 1, z, 3, ids, serial);
  EXPECT_EQ(ids[0], 5000);
  EXPECT_EQ(ids[1], 0);
  EXPECT_EQ(ids[2], 0);
}

TEST(FiniteScalar, RefusesBadLevels) {
  Serial serial;
  int64_t id;
  const float z[17] = {};
  std::vector<int32_t> levels(17, 2);
  EXPECT_THROW(fsq_encode_cpu(levels.data(), 17, z, 1, &id, serial), Error);
  EXPECT_THROW(fsq_encode_cpu(levels.data(), 0, z, 1, &id, serial), Error);
  levels.assign(16, 1 << 20);
  EXPECT_THROW(fsq_encode_cpu(levels.data(), 16, z, 1, &id, serial), Error);
  levels.assign(16, 0);
  EXPECT_THROW(fsq_encode_cpu(levels.data(), 1, z, 1, &id, serial), Error);
}

std::vector<float> blobs(int64_t rows, int64_t dim, int64_t centres, uint64_t seed) {
  const std::vector<float> centre = normal(centres * dim, seed);
  std::vector<float> x = normal(rows * dim, seed + 1);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < dim; ++i) {
      float& v = x[static_cast<size_t>(r * dim + i)];
      v = 0.01f * v + 10 * centre[static_cast<size_t>(r % centres * dim + i)];
    }
  }
  return x;
}

TEST(KMeans, FindsSeparatedClusters) {
  constexpr int64_t kRows = 900, kDim = 7, kCentres = 12;
  const std::vector<float> x = blobs(kRows, kDim, kCentres, 10);
  Serial serial;
  const KMeansResult r = kmeans(x.data(), kRows, kDim, kCentres, 50, 1, serial);
  EXPECT_LT(r.inertia, kRows * kDim * 2e-4);  // the clusters' own variance is 1e-4 a value
  std::vector<int64_t> ids(kRows);
  vector_quantize_ref(r.codes.data(), kCentres, kDim, CodeMetric::kL2, x.data(), kRows, kDim, ids.data());
  for (int64_t i = kCentres; i < kRows; ++i) {
    EXPECT_EQ(ids[static_cast<size_t>(i)], ids[static_cast<size_t>(i - kCentres)]);
  }
  EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()).size(), static_cast<size_t>(kCentres));
}

TEST(KMeans, SameCodesWhateverTheThreads) {
  const std::vector<float> x = normal(2000 * 19, 12);
  Serial serial;
  ThreadPool pool(3);
  const KMeansResult a = kmeans(x.data(), 2000, 19, 64, 8, 5, serial),
                     b = kmeans(x.data(), 2000, 19, 64, 8, 5, pool);
  EXPECT_EQ(a.inertia, b.inertia);
  EXPECT_EQ(a.iterations, b.iterations);
  for (int64_t i = 0; i < a.codes.size(); ++i) ASSERT_EQ(a.codes[i], b.codes[i]) << i;
}

TEST(KMeans, InertiaDoesNotGrow) {
  const std::vector<float> x = normal(1500 * 5, 13);
  Serial serial;
  double before = std::numeric_limits<double>::infinity();
  for (int64_t n = 1; n <= 10; ++n) {
    const double now = kmeans(x.data(), 1500, 5, 40, n, 3, serial).inertia;
    EXPECT_LE(now, before * (1 + 1e-6)) << n;  // codes are rounded to float
    before = now;
  }
}

TEST(KMeans, FewerDistinctRowsThanCodes) {
  std::vector<float> x(50 * 3);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i / 3 % 4);
  Serial serial;
  const KMeansResult r = kmeans(x.data(), 50, 3, 10, 20, 9, serial);
  EXPECT_EQ(r.inertia, 0);
  for (float c : r.codes) EXPECT_TRUE(std::isfinite(c));
}

TEST(KMeans, RefusesMoreCodesThanRows) {
  const std::vector<float> x = normal(9, 14);
  Serial serial;
  EXPECT_THROW(kmeans(x.data(), 3, 3, 4, 5, 0, serial), Error);
  EXPECT_THROW(kmeans(x.data(), 3, 3, 0, 5, 0, serial), Error);
}

}  // namespace
}  // namespace sns
