#include "abi_support.h"

#include <algorithm>
#include <limits>

namespace sns_test {
namespace {

constexpr int32_t kInvalid = SNS_ERROR_INVALID_ARGUMENT;
using Codebook = std::unique_ptr<sns_codebook_t, Destroyer<sns_codebook, sns_codebook_destroy>>;

sns_codebook_config vq(int64_t size, int64_t dim, int64_t stages = 1, int32_t metric = SNS_METRIC_L2) {
  auto c = sized<sns_codebook_config>();
  c.dim = dim;
  c.size = size;
  c.stages = stages;
  c.metric = metric;
  return c;
}

sns_codebook_config fsq(std::vector<int32_t> levels) {
  auto c = sized<sns_codebook_config>();
  c.dim = static_cast<int64_t>(levels.size());
  c.stages = 1;
  c.kind = SNS_CODEBOOK_FSQ;
  std::copy(levels.begin(), levels.end(), c.levels);
  return c;
}

std::vector<float> normal(int64_t count, uint64_t seed) {
  std::vector<float> v(static_cast<size_t>(count));
  sns::Random random(seed);
  random.fill_normal(v.begin(), v.end());
  return v;
}

Codebook create(sns_engine engine, const sns_codebook_config& c, const float* codes) {
  sns_codebook book = nullptr;
  EXPECT_EQ(SNS_OK, sns_codebook_create(engine, &c, codes, &book)) << sns_last_error();
  return Codebook(book);
}

/// Residual quantisation by its definition: nearest code in float64, float32 subtraction.
std::vector<int64_t> residual_ids(const std::vector<float>& codes, const sns_codebook_config& c,
                                  std::vector<float> x) {
  const int64_t rows = static_cast<int64_t>(x.size()) / c.dim;
  std::vector<int64_t> ids(static_cast<size_t>(rows * c.stages));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t s = 0; s < c.stages; ++s) {
      const float* stage = codes.data() + s * c.size * c.dim;
      double best = std::numeric_limits<double>::infinity();
      int64_t id = 0;
      for (int64_t j = 0; j < c.size; ++j) {
        double d = 0;
        for (int64_t i = 0; i < c.dim; ++i) {
          const double e = static_cast<double>(x[r * c.dim + i]) - stage[j * c.dim + i];
          d += e * e;
        }
        if (d < best) {
          best = d;
          id = j;
        }
      }
      for (int64_t i = 0; i < c.dim; ++i) x[r * c.dim + i] -= stage[id * c.dim + i];
      ids[static_cast<size_t>(r * c.stages + s)] = id;
    }
  }
  return ids;
}

TEST(AbiCodebook, Layout) {
  EXPECT_EQ(104u, sizeof(sns_codebook_config));
  EXPECT_EQ(32u, sizeof(sns_codebook_learning));
}

TEST(AbiCodebook, EncodesAndDecodesResiduals) {
  const Engine engine = make_engine(2);
  for (int64_t stages : {1, 3}) {
    const auto c = vq(50, 17, stages);
    const auto codes = normal(stages * 50 * 17, 1), x = normal(33 * 17, 2);
    const Codebook book = create(engine.get(), c, codes.data());
    std::vector<int64_t> ids(static_cast<size_t>(33 * stages), -1);
    ASSERT_SNS_OK(sns_codebook_encode(book.get(), x.data(), 33, ids.data()));
    EXPECT_EQ(residual_ids(codes, c, x), ids);
    std::vector<float> y(33 * 17), copy(codes.size());
    ASSERT_SNS_OK(sns_codebook_decode(book.get(), ids.data(), 33, y.data()));
    for (int64_t r = 0; r < 33; ++r) {
      for (int64_t i = 0; i < 17; ++i) {
        float sum = 0;
        for (int64_t s = 0; s < stages; ++s) {
          sum += codes[static_cast<size_t>((s * 50 + ids[static_cast<size_t>(r * stages + s)]) * 17 + i)];
        }
        ASSERT_EQ(sum, y[static_cast<size_t>(r * 17 + i)]);
      }
    }
    ASSERT_SNS_OK(sns_codebook_codes(book.get(), copy.data(), static_cast<int64_t>(copy.size())));
    EXPECT_EQ(codes, copy);
    ASSERT_SNS_OK(sns_codebook_encode(book.get(), nullptr, 0, nullptr));
    ASSERT_SNS_OK(sns_codebook_decode(book.get(), nullptr, 0, nullptr));
  }
}

TEST(AbiCodebook, CosineForgetsLengths) {
  const Engine engine = make_engine();
  const std::vector<float> codes = {100, 0, 0, 0.01f, -3, -3};
  const Codebook book = create(engine.get(), vq(3, 2, 1, SNS_METRIC_COSINE), codes.data());
  const std::vector<float> x = {1e-3f, 2e-3f, 5, 1, -1, -2};
  std::vector<int64_t> ids(3);
  ASSERT_SNS_OK(sns_codebook_encode(book.get(), x.data(), 3, ids.data()));
  EXPECT_EQ((std::vector<int64_t>{1, 0, 2}), ids);
  std::vector<float> y(6);
  ASSERT_SNS_OK(sns_codebook_decode(book.get(), ids.data(), 3, y.data()));
  for (int r = 0; r < 3; ++r) EXPECT_NEAR(1, std::hypot(y[2 * r], y[2 * r + 1]), 1e-6);
}

TEST(AbiCodebook, FiniteScalars) {
  const Engine engine = make_engine();
  const Codebook book = create(engine.get(), fsq({8, 5, 5}), nullptr);
  const auto x = normal(40 * 3, 3);
  std::vector<int64_t> ids(40), again(40);
  std::vector<float> y(40 * 3);
  ASSERT_SNS_OK(sns_codebook_encode(book.get(), x.data(), 40, ids.data()));
  ASSERT_SNS_OK(sns_codebook_decode(book.get(), ids.data(), 40, y.data()));
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_GE(ids[i], 0);
    EXPECT_LT(ids[i], 200);
    // Decoded steps of the three values make the id again.
    const int64_t back = static_cast<int64_t>(std::lround(y[3 * i] * 4 + 4)) +
                         8 * static_cast<int64_t>(std::lround(y[3 * i + 1] * 2 + 2)) +
                         40 * static_cast<int64_t>(std::lround(y[3 * i + 2] * 2 + 2));
    EXPECT_EQ(back, ids[i]);
  }
  ASSERT_SNS_OK(sns_codebook_codes(book.get(), nullptr, 0));
  ids[7] = 200;
  expect_error(SNS_ERROR_OUT_OF_RANGE, "ids", sns_codebook_decode(book.get(), ids.data(), 40, y.data()));
  EXPECT_EQ(200, sns_last_error_limit());
}

TEST(AbiCodebook, LearnsClusters) {
  // 12 tight clusters: every member of one gets the same id, and no two clusters share one.
  const auto centres = normal(12 * 9, 5), noise = normal(240 * 9, 6);
  std::vector<float> x(240 * 9);
  for (int64_t r = 0; r < 240; ++r) {
    for (int64_t i = 0; i < 9; ++i) {
      x[r * 9 + i] = 10 * centres[r % 12 * 9 + i] + 0.01f * noise[r * 9 + i];
    }
  }
  std::vector<float> first;
  for (int32_t metric : {SNS_METRIC_L2, SNS_METRIC_COSINE}) {
    std::vector<float> codes[2];
    for (int threads : {1, 3}) {
      const Engine engine = make_engine(threads);
      const auto c = vq(12, 9, 1, metric);
      auto told = sized<sns_codebook_learning>();
      sns_codebook b = nullptr;
      ASSERT_SNS_OK(sns_codebook_learn(engine.get(), &c, x.data(), 240, 50, 7, &told, &b));
      const Codebook book(b);
      EXPECT_GE(told.iterations, 2);
      EXPECT_LT(told.mean_square, 0.01);
      std::vector<int64_t> ids(240);
      ASSERT_SNS_OK(sns_codebook_encode(b, x.data(), 240, ids.data()));
      for (size_t r = 12; r < 240; ++r) EXPECT_EQ(ids[r % 12], ids[r]);
      std::sort(ids.begin(), ids.begin() + 12);
      EXPECT_EQ(12, std::unique(ids.begin(), ids.begin() + 12) - ids.begin());
      auto& out = codes[threads == 3];
      out.resize(12 * 9);
      ASSERT_SNS_OK(sns_codebook_codes(b, out.data(), 12 * 9));
    }
    EXPECT_EQ(codes[0], codes[1]);  // whatever the threads
  }
}

TEST(AbiCodebook, ResidualStagesLearnWhatIsLeft) {
  const Engine engine = make_engine(2);
  const auto x = normal(400 * 6, 8);
  double last = 1e9;
  for (int64_t stages : {1, 2, 4}) {
    const auto c = vq(16, 6, stages);
    auto told = sized<sns_codebook_learning>();
    sns_codebook b = nullptr;
    ASSERT_SNS_OK(sns_codebook_learn(engine.get(), &c, x.data(), 400, 20, 1, &told, &b));
    const Codebook book(b);
    std::vector<int64_t> ids(static_cast<size_t>(400 * stages));
    std::vector<float> y(x.size());
    ASSERT_SNS_OK(sns_codebook_encode(b, x.data(), 400, ids.data()));
    ASSERT_SNS_OK(sns_codebook_decode(b, ids.data(), 400, y.data()));
    double square = 0;
    for (size_t i = 0; i < x.size(); ++i) square += (x[i] - y[i]) * static_cast<double>(x[i] - y[i]);
    // Greedy encoding with the final codes is what the last assignment of each stage was, once it converged.
    EXPECT_NEAR(told.mean_square, square / 400, 0.1 * told.mean_square);
    EXPECT_LT(told.mean_square, 0.8 * last);
    last = told.mean_square;
  }
}

TEST(AbiCodebook, RejectsWhatDoesNotFit) {
  const Engine engine = make_engine();
  const auto codes = normal(20 * 3, 9);
  sns_codebook b = nullptr;
  const auto reject = [&](int32_t code, const char* field, sns_codebook_config c, const float* data) {
    expect_error(code, field, sns_codebook_create(engine.get(), &c, data, &b));
    EXPECT_EQ(nullptr, b);
  };
  auto c = vq(10, 3);
  c.struct_size = 8;
  reject(kInvalid, "config.struct_size", c, codes.data());
  reject(kInvalid, "dim", vq(10, 0), codes.data());
  reject(kInvalid, "size", vq(0, 3), codes.data());
  reject(kInvalid, "stages", vq(10, 3, 0), codes.data());
  reject(kInvalid, "stages", vq(10, 3, 65), codes.data());
  reject(kInvalid, "metric", vq(10, 3, 2, SNS_METRIC_COSINE), codes.data());
  reject(kInvalid, "metric", vq(10, 3, 1, 2), codes.data());
  c = vq(10, 3);
  c.kind = 2;
  reject(kInvalid, "kind", c, codes.data());
  c = vq(10, 3);
  c.levels[4] = 3;
  reject(kInvalid, "levels[4]", c, codes.data());
  reject(kInvalid, "codes", vq(10, 3), nullptr);
  reject(kInvalid, "codes", fsq({3, 3}), codes.data());
  reject(kInvalid, "levels[1]", fsq({3, 0}), nullptr);
  reject(SNS_ERROR_INVALID_SHAPE, "levels", fsq({1 << 20, 1 << 20, 1 << 20, 1 << 20}), nullptr);
  reject(SNS_ERROR_INVALID_SHAPE, "stages", vq(INT32_MAX, INT32_MAX, 64), codes.data());
  auto bad = codes;
  bad[5] = std::nanf("");
  reject(SNS_ERROR_OUT_OF_RANGE, "codes", vq(10, 3), bad.data());
  c = vq(10, 3);
  expect_error(kInvalid, "engine", sns_codebook_create(nullptr, &c, codes.data(), &b));
  expect_error(kInvalid, "out", sns_codebook_create(engine.get(), &c, codes.data(), nullptr));
  expect_error(kInvalid, "config", sns_codebook_create(engine.get(), nullptr, codes.data(), &b));

  auto learn = [&](const sns_codebook_config& with, const float* tokens, int64_t rows, int64_t iterations) {
    return sns_codebook_learn(engine.get(), &with, tokens, rows, iterations, 1, nullptr, &b);
  };
  expect_error(kInvalid, "rows", learn(c, codes.data(), 9, 5));
  expect_error(kInvalid, "rows", learn(c, codes.data(), -1, 5));
  expect_error(kInvalid, "tokens", learn(c, nullptr, 20, 5));
  expect_error(kInvalid, "max_iterations", learn(c, codes.data(), 20, 0));
  expect_error(SNS_ERROR_OUT_OF_RANGE, "tokens", learn(c, bad.data(), 20, 5));
  expect_error(kInvalid, "kind", learn(fsq({3}), codes.data(), 20, 5));

  const Codebook book = create(engine.get(), c, codes.data());
  std::vector<int64_t> ids(20);
  std::vector<float> y(60);
  expect_error(kInvalid, "codebook", sns_codebook_encode(nullptr, codes.data(), 1, ids.data()));
  expect_error(kInvalid, "tokens", sns_codebook_encode(book.get(), nullptr, 1, ids.data()));
  expect_error(kInvalid, "ids", sns_codebook_encode(book.get(), codes.data(), 1, nullptr));
  expect_error(kInvalid, "rows", sns_codebook_encode(book.get(), codes.data(), -1, ids.data()));
  expect_error(SNS_ERROR_OUT_OF_RANGE, "tokens", sns_codebook_encode(book.get(), bad.data(), 2, ids.data()));
  expect_error(
      SNS_ERROR_INVALID_SHAPE, "rows",
      sns_codebook_encode(book.get(), codes.data(), std::numeric_limits<int64_t>::max(), ids.data()));
  ids[3] = -1;
  expect_error(SNS_ERROR_OUT_OF_RANGE, "ids", sns_codebook_decode(book.get(), ids.data(), 4, y.data()));
  ids[3] = 10;
  expect_error(SNS_ERROR_OUT_OF_RANGE, "ids", sns_codebook_decode(book.get(), ids.data(), 4, y.data()));
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_count", sns_codebook_codes(book.get(), y.data(), 31));
}

TEST(AbiCodebook, OutlivesItsEngine) {
  Engine engine = make_engine(2);
  const auto codes = normal(40 * 4, 2);
  const Codebook book = create(engine.get(), vq(40, 4), codes.data());
  engine.reset();
  std::vector<int64_t> ids(40);
  ASSERT_SNS_OK(sns_codebook_encode(book.get(), codes.data(), 40, ids.data()));
  for (int64_t i = 0; i < 40; ++i) EXPECT_EQ(i, ids[static_cast<size_t>(i)]);
}

}  // namespace
}  // namespace sns_test
