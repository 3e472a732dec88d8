#include "ops/linear/linear.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {

OpCheck linear_check();

namespace {

TEST(Linear, Parity) { expect_parity(linear_check(), 250); }

struct Problem {
  int64_t rows, in, out;
  std::vector<float> x, weight, bias;
  LinearWeights w;
  Problem(int64_t rows, int64_t in, int64_t out, uint64_t seed)
      : rows(rows), in(in), out(out), x(rows * in), weight(out * in), bias(out) {
    Random rng(seed);
    rng.fill_normal(x.begin(), x.end());
    rng.fill_normal(weight.begin(), weight.end(), 0.1);
    rng.fill_normal(bias.begin(), bias.end());
    w = LinearWeights(weight.data(), bias.data(), out, in);
  }
  std::vector<float> run(int64_t row, int64_t count, Parallel& parallel, Activation activation) const {
    std::vector<float> y(count * out);
    AlignedArray<char> scratch(static_cast<int64_t>(linear_scratch(w, count, parallel.threads())));
    LinearArgs args;
    args.x = x.data() + row * in;
    args.rows = count;
    args.ldx = in;
    args.y = y.data();
    args.ldy = out;
    args.activation = activation;
    linear_cpu(w, args, scratch.data(), parallel);
    return y;
  }
};

// A request must not change its answer with the company it is batched with, nor with the engine's threads.
TEST(Linear, RowsDoNotDependOnTheBatchOrOnThreads) {
  Serial serial;
  ThreadPool two(2), five(5);
  struct Shape {
    int64_t rows, in, out;
  };
  for (const Shape s : {Shape{307, 75, 133}, Shape{200, 1024, 70}, Shape{61, 1100, 97}, Shape{430, 3, 1}}) {
    const Problem p(s.rows, s.in, s.out, 11);
    for (const Activation a : {Activation::kNone, Activation::kGelu}) {
      const std::vector<float> all = p.run(0, s.rows, serial, a);
      for (Parallel* parallel : {static_cast<Parallel*>(&two), static_cast<Parallel*>(&five)}) {
        ASSERT_EQ(all, p.run(0, s.rows, *parallel, a)) << s.rows << " " << s.in << " " << s.out;
      }
      for (int64_t count = 1; count <= 20; ++count) {
        for (const int64_t row : {int64_t{0}, s.rows / 2, s.rows - count}) {
          const std::vector<float> some =
              p.run(row, count, count % 2 ? static_cast<Parallel&>(serial) : two, a);
          ASSERT_EQ(std::memcmp(some.data(), all.data() + row * s.out, some.size() * sizeof(float)), 0)
              << "rows " << row << "+" << count << " of " << s.rows << ", " << s.in << "→" << s.out;
        }
      }
    }
  }
}

float activated(Activation activation, float x) {
  const float weight = 1.0f;
  const LinearWeights w(&weight, nullptr, 1, 1);
  std::vector<char> storage(linear_scratch(w, 1, 1) + 64);
  void* scratch = storage.data();
  size_t space = storage.size();
  std::align(64, space - 64, scratch, space);
  float y = NAN;
  LinearArgs args;
  args.x = &x;
  args.rows = args.ldx = args.ldy = 1;
  args.y = &y;
  args.activation = activation;
  Serial serial;
  linear_cpu(w, args, scratch, serial);
  return y;
}

// NMSE hides what happens where an activation is small; here every value has its own bound.
TEST(Linear, ActivationsAreAccurateEverywhere) {
  for (int a = 1; a <= 5; ++a) {
    const Activation activation = static_cast<Activation>(a);
    for (double x = -12; x <= 12; x += 0.0078125 * 1.37) {
      const float in = static_cast<float>(x);
      const double expected = activate(activation, in);
      ASSERT_NEAR(activated(activation, in), expected, 3e-7 * std::abs(expected) + 5e-8)
          << "activation " << a << " at " << in;
    }
  }
}

TEST(Linear, ActivationsOfExtremeValues) {
  for (int a = 1; a <= 5; ++a) {
    const Activation activation = static_cast<Activation>(a);
    for (const float x : {1e4f, 1e10f, 3e38f}) {
      EXPECT_EQ(activated(activation, x), x) << a;
      EXPECT_NEAR(activated(activation, -x), 0.0f, 1e-20f * x) << a;
    }
    EXPECT_EQ(activated(activation, 0.0f), 0.0f) << a;
    EXPECT_TRUE(std::isnan(activated(activation, NAN))) << a;
  }
}

TEST(Linear, NoInputsGiveTheBias) {
  const float bias[] = {1, 2, 3};
  const LinearWeights w(nullptr, bias, 3, 0);
  AlignedArray<char> scratch(static_cast<int64_t>(linear_scratch(w, 2, 1)));
  Guarded<float> y(6);
  LinearArgs args;
  args.rows = 2;
  args.y = y.data();
  args.ldy = 3;
  Serial serial;
  linear_cpu(w, args, scratch.data(), serial);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(y[i], bias[i % 3]);
  EXPECT_TRUE(y.intact());
}

TEST(Linear, ScratchNeverShrinksWithMoreRowsOrThreads) {
  const Problem p(1, 96, 64, 3);
  for (int threads = 1; threads < 9; ++threads) {
    for (int64_t rows = 0; rows < 2000; ++rows) {
      ASSERT_LE(linear_scratch(p.w, rows, threads), linear_scratch(p.w, rows + 1, threads));
      ASSERT_LE(linear_scratch(p.w, rows, threads), linear_scratch(p.w, rows, threads + 1));
    }
  }
}

TEST(Linear, SizesThatOverflowAreRefused) {
  const Problem p(1, 96, 64, 3);
  EXPECT_THROW(linear_scratch(p.w, INT64_MAX, 2), Error);
  EXPECT_THROW(LinearWeights(nullptr, nullptr, int64_t{1} << 40, int64_t{1} << 40), Error);
}

}  // namespace
}  // namespace sns
