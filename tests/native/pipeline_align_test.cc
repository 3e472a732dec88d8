#include "pipeline/align.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "check/guarded.h"

namespace sns {
namespace {

constexpr int64_t kPairs = 6, kDim = 5;

/// A side's tensors in float, with room for gradients, and the same way there in float64.
struct TestSide {
  int64_t d, bottleneck;
  std::vector<int64_t> cu;
  std::vector<float> rows, weight, bias, down, down_bias, up, up_bias;
  std::vector<float> d_weight, d_bias, d_down, d_down_bias, d_up, d_up_bias;
  AlignSide side;

  TestSide(int64_t width, int64_t r, bool ragged, Activation activation, uint64_t seed)
      : d(width), bottleneck(r) {
    Random random(seed);
    cu.push_back(0);
    for (int64_t i = 0; i < kPairs; ++i) cu.push_back(cu.back() + (ragged ? random.integer(1, 4) : 1));
    const auto fill = [&](std::vector<float>& v, std::vector<float>* g, int64_t count, double deviation) {
      v.resize(static_cast<size_t>(count));
      random.fill_normal(v.begin(), v.end(), deviation);
      if (g) g->assign(v.size(), std::nanf(""));
    };
    fill(rows, nullptr, cu.back() * d, 1);
    fill(weight, &d_weight, kDim * d, 0.4);
    fill(bias, &d_bias, kDim, 0.3);
    if (r > 0) {
      fill(down, &d_down, r * d, 0.5);
      fill(down_bias, &d_down_bias, r, 0.3);
      fill(up, &d_up, d * r, 0.5);
      fill(up_bias, &d_up_bias, d, 0.3);
    }
    side.rows = rows.data();
    side.rows_count = cu.back();
    side.d = d;
    side.cu_rows = ragged ? cu.data() : nullptr;
    side.weight = weight.data();
    side.bias = bias.data();
    side.d_weight = d_weight.data();
    side.d_bias = d_bias.data();
    side.bottleneck = r;
    side.activation = activation;
    side.scale = 0.7f;
    if (r > 0) {
      side.down = down.data();
      side.down_bias = down_bias.data();
      side.up = up.data();
      side.up_bias = up_bias.data();
      side.d_down = d_down.data();
      side.d_down_bias = d_down_bias.data();
      side.d_up = d_up.data();
      side.d_up_bias = d_up_bias.data();
    }
  }

  std::vector<double> embed() const {
    std::vector<double> out;
    for (int64_t s = 0; s < kPairs; ++s) {
      std::vector<double> mean(static_cast<size_t>(d));
      for (int64_t row = cu[s]; row < cu[s + 1]; ++row) {
        std::vector<double> y(rows.begin() + row * d, rows.begin() + (row + 1) * d);
        for (int64_t j = 0; j < bottleneck; ++j) {
          double z = down_bias[j];
          for (int64_t i = 0; i < d; ++i) z += static_cast<double>(down[j * d + i]) * rows[row * d + i];
          const double h = side.scale * activate(side.activation, z);
          for (int64_t i = 0; i < d; ++i) y[i] += h * up[i * bottleneck + j];
        }
        for (int64_t i = 0; i < d; ++i) {
          if (bottleneck > 0) y[i] += static_cast<double>(side.scale) * up_bias[i];
          mean[i] += y[i] / static_cast<double>(cu[s + 1] - cu[s]);
        }
      }
      double square = 0;
      std::vector<double> e(static_cast<size_t>(kDim));
      for (int64_t k = 0; k < kDim; ++k) {
        e[k] = bias[k];
        for (int64_t i = 0; i < d; ++i) e[k] += weight[k * d + i] * mean[i];
        square += e[k] * e[k];
      }
      for (double x : e) out.push_back(x / std::sqrt(square));
    }
    return out;
  }
};

/// The losses by their definitions.
double loss(const AlignConfig& c, const TestSide& x, const TestSide& y) {
  const std::vector<double> a = x.embed(), b = y.embed();
  double z[kPairs][kPairs], total = 0;
  for (int64_t i = 0; i < kPairs; ++i) {
    for (int64_t j = 0; j < kPairs; ++j) {
      z[i][j] = 0;
      for (int64_t k = 0; k < kDim; ++k) z[i][j] += a[i * kDim + k] * b[j * kDim + k];
      z[i][j] = std::exp(static_cast<double>(c.logit_scale)) * z[i][j] + c.logit_bias;
    }
  }
  for (int64_t i = 0; i < kPairs; ++i) {
    double row = 0, column = 0;
    for (int64_t j = 0; j < kPairs; ++j) {
      row += std::exp(z[i][j]);
      column += std::exp(z[j][i]);
      const double t = i == j ? z[i][j] : -z[i][j];
      if (c.loss == ContrastiveLoss::kSigLip) total += std::log(1 + std::exp(-t)) / kPairs;
    }
    if (c.loss == ContrastiveLoss::kClip) {
      total += (std::log(row) + std::log(column) - 2 * z[i][i]) / (2 * kPairs);
    }
  }
  return total;
}

class Align : public ::testing::TestWithParam<std::tuple<ContrastiveLoss, int, bool>> {};

TEST_P(Align, GradientsAreCentralDifferences) {
  const auto [kind, bottleneck, ragged] = GetParam();
  for (Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu,
                                Activation::kSilu, Activation::kNone}) {
    TestSide x(7, bottleneck, ragged, activation, 1), y(4, bottleneck, false, activation, 2);
    AlignConfig c;
    c.n = kPairs;
    c.dim = kDim;
    c.loss = kind;
    c.logit_scale = 0.9f;
    c.logit_bias = -0.5f;
    Engine engine(2);
    const ContrastiveResult r = align_step(engine, c, x.side, y.side);
    EXPECT_NEAR(loss(c, x, y), r.loss, 1e-6);

    const auto slope = [&](float* at) {
      const float was = *at, h = 0x1p-8f;
      const auto around = [&](float step) {
        *at = was + step;
        const double high = loss(c, x, y), up = *at;
        *at = was - step;
        const double low = loss(c, x, y), width = up - *at;
        *at = was;
        return (high - low) / width;
      };
      return (4 * around(h / 2) - around(h)) / 3;  // Richardson: error O(h⁴)
    };
    const auto expect = [&](const char* name, std::vector<float>& values, const std::vector<float>& grad) {
      double error = 0, energy = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        const double want = slope(&values[i]);
        error += (grad[i] - want) * (grad[i] - want);
        energy += want * want;
      }
      EXPECT_LE(error, 1e-9 * energy + 1e-16) << name;
    };
    for (TestSide* s : {&x, &y}) {
      expect("weight", s->weight, s->d_weight);
      expect("bias", s->bias, s->d_bias);
      expect("down", s->down, s->d_down);
      expect("down_bias", s->down_bias, s->d_down_bias);
      expect("up", s->up, s->d_up);
      expect("up_bias", s->up_bias, s->d_up_bias);
    }
    EXPECT_NEAR(slope(&c.logit_scale), r.d_logit_scale, 1e-6);
    EXPECT_NEAR(slope(&c.logit_bias), r.d_logit_bias, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Align,
                         ::testing::Combine(::testing::Values(ContrastiveLoss::kClip,
                                                              ContrastiveLoss::kSigLip),
                                            ::testing::Values(0, 3), ::testing::Bool()));

TEST(AlignStep, NumbersDoNotDependOnThreads) {
  AlignConfig c;
  c.n = kPairs;
  c.dim = kDim;
  TestSide x[2] = {{9, 4, true, Activation::kGelu, 1}, {9, 4, true, Activation::kGelu, 1}};
  TestSide y[2] = {{9, 0, false, Activation::kGelu, 2}, {9, 0, false, Activation::kGelu, 2}};
  Engine one(1), three(3);
  EXPECT_EQ(align_step(one, c, x[0].side, y[0].side).loss, align_step(three, c, x[1].side, y[1].side).loss);
  EXPECT_EQ(x[0].d_down, x[1].d_down);
  EXPECT_EQ(x[0].d_up, x[1].d_up);
  EXPECT_EQ(x[0].d_weight, x[1].d_weight);
  EXPECT_EQ(y[0].d_weight, y[1].d_weight);
}

/// A few hundred steps of plain gradient descent find the pairs.
TEST(AlignStep, GradientDescentLearns) {
  for (ContrastiveLoss kind : {ContrastiveLoss::kClip, ContrastiveLoss::kSigLip}) {
    AlignConfig c;
    c.n = kPairs;
    c.dim = kDim;
    c.loss = kind;
    c.logit_scale = 2;
    c.logit_bias = -3;
    TestSide x(9, 4, true, Activation::kGelu, 3), y(8, 0, false, Activation::kGelu, 4);
    Engine engine(1);
    const double first = align_step(engine, c, x.side, y.side).loss;
    double last = first;
    for (int i = 0; i < 300; ++i) {
      last = align_step(engine, c, x.side, y.side).loss;
      const auto step = [](std::vector<float>& v, const std::vector<float>& g) {
        for (size_t k = 0; k < v.size(); ++k) v[k] -= 0.2f * g[k];
      };
      for (TestSide* s : {&x, &y}) {
        step(s->weight, s->d_weight);
        step(s->bias, s->d_bias);
        step(s->down, s->d_down);
        step(s->up, s->d_up);
      }
    }
    EXPECT_LT(last, 0.2 * first);
  }
}

TEST(AlignStep, RejectsWhatDoesNotFit) {
  Engine engine(1);
  const auto expect = [&](Code code, const char* field, auto change) {
    AlignConfig c;
    c.n = kPairs;
    c.dim = kDim;
    TestSide x(7, 3, true, Activation::kGelu, 1), y(4, 0, false, Activation::kGelu, 2);
    change(c, x, y);
    try {
      align_step(engine, c, x.side, y.side);
      ADD_FAILURE() << field;
    } catch (const Error& e) {
      EXPECT_EQ(code, e.code());
      EXPECT_EQ(field, e.field());
    }
    for (float g : x.d_weight) EXPECT_TRUE(std::isnan(g));
  };
  using C = AlignConfig;
  using S = TestSide;
  expect(Code::kInvalidArgument, "n", [](C& c, S&, S&) { c.n = 0; });
  expect(Code::kInvalidArgument, "dim", [](C& c, S&, S&) { c.dim = 0; });
  expect(Code::kInvalidArgument, "logit_scale", [](C& c, S&, S&) { c.logit_scale = 21; });
  expect(Code::kInvalidArgument, "logit_bias", [](C& c, S&, S&) { c.logit_bias = INFINITY; });
  expect(Code::kInvalidShape, "x.cu_rows", [](C&, S& x, S&) { x.cu[2] = x.cu[1]; });
  expect(Code::kInvalidShape, "x.cu_rows", [](C&, S& x, S&) { ++x.side.rows_count; });
  expect(Code::kInvalidShape, "y.rows_count", [](C&, S&, S& y) { --y.side.rows_count; });
  expect(Code::kInvalidArgument, "x.d", [](C&, S& x, S&) { x.side.d = 0; });
  expect(Code::kInvalidArgument, "x.bottleneck", [](C&, S& x, S&) { x.side.bottleneck = 0; });
  expect(Code::kInvalidArgument, "x.bottleneck", [](C&, S& x, S&) { x.side.bottleneck = -1; });
  expect(Code::kInvalidArgument, "y.weight", [](C&, S&, S& y) { y.side.weight = nullptr; });
  expect(Code::kInvalidArgument, "x.up_weight", [](C&, S& x, S&) { x.side.up = nullptr; });
  expect(Code::kInvalidArgument, "y.d_bias", [](C&, S&, S& y) { y.side.bias = nullptr; });
  expect(Code::kOutOfRange, "y.rows", [](C&, S&, S& y) { y.rows[3] = NAN; });
  expect(Code::kOutOfRange, "x.down_bias", [](C&, S& x, S&) { x.down_bias[1] = INFINITY; });
  expect(Code::kInvalidArgument, "x.scale", [](C&, S& x, S&) { x.side.scale = NAN; });
}

}  // namespace
}  // namespace sns
