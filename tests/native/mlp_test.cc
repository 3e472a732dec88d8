#include "ops/mlp/mlp.h"

#include <cstring>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {

OpCheck mlp_check();

namespace {

TEST(Mlp, Parity) { expect_parity(mlp_check(), 150); }

TEST(Mlp, RowsDoNotDependOnTheBatchOrOnThreads) {
  const int64_t rows = 215, in = 37, hidden = 1030, out = 41;
  Random rng(5);
  std::vector<float> x(rows * in), up(hidden * in), down(out * hidden), bias(hidden);
  for (auto* v : {&x, &up, &down, &bias}) rng.fill_normal(v->begin(), v->end(), 0.2);
  const LinearWeights w1(up.data(), bias.data(), hidden, in), w2(down.data(), nullptr, out, hidden);
  const auto run = [&](int64_t row, int64_t count, Parallel& parallel) {
    std::vector<float> y(count * out);
    AlignedArray<char> scratch(static_cast<int64_t>(mlp_scratch(w1, w2, count, parallel.threads())));
    MlpArgs args;
    args.x = x.data() + row * in;
    args.rows = count;
    args.ldx = in;
    args.y = y.data();
    args.ldy = out;
    mlp_cpu(w1, w2, args, scratch.data(), parallel);
    return y;
  };
  Serial serial;
  ThreadPool two(2), seven(7);
  const std::vector<float> all = run(0, rows, serial);
  EXPECT_EQ(all, run(0, rows, two));
  EXPECT_EQ(all, run(0, rows, seven));
  for (int64_t count = 1; count <= 16; ++count) {
    for (const int64_t row : {int64_t{0}, int64_t{101}, rows - count}) {
      const std::vector<float> some = run(row, count, count % 2 ? static_cast<Parallel&>(serial) : two);
      ASSERT_EQ(std::memcmp(some.data(), all.data() + row * out, some.size() * sizeof(float)), 0)
          << row << "+" << count;
    }
  }
}

TEST(Mlp, ScratchNeverShrinksWithMoreRowsOrThreads) {
  const std::vector<float> zeros(96 * 300);
  const LinearWeights up(zeros.data(), nullptr, 300, 96), down(zeros.data(), nullptr, 96, 300);
  for (int threads = 1; threads < 9; ++threads) {
    for (int64_t rows = 0; rows < 1000; ++rows) {
      ASSERT_LE(mlp_scratch(up, down, rows, threads), mlp_scratch(up, down, rows + 1, threads));
      ASSERT_LE(mlp_scratch(up, down, rows, threads), mlp_scratch(up, down, rows, threads + 1));
    }
  }
}

// A literal case, worked by hand: hidden = relu([1·1+1, −2·1+0]) = [2, 0]; y = 3·2 + 0 + 10 (bias) + 100
// (residual).
TEST(Mlp, ByHand) {
  const float up[] = {1, -2}, up_bias[] = {1, 0}, down[] = {3, 5}, down_bias[] = {10}, x[] = {1},
              residual[] = {100};
  const LinearWeights w1(up, up_bias, 2, 1), w2(down, down_bias, 1, 2);
  AlignedArray<char> scratch(static_cast<int64_t>(mlp_scratch(w1, w2, 1, 1)));
  Guarded<float> y(1);
  MlpArgs args;
  args.x = x;
  args.rows = args.ldx = args.ldy = args.ld_residual = 1;
  args.y = y.data();
  args.activation = Activation::kRelu;
  args.residual = residual;
  Serial serial;
  mlp_cpu(w1, w2, args, scratch.data(), serial);
  EXPECT_EQ(y[0], 116.0f);
  EXPECT_TRUE(y.intact());
}

}  // namespace
}  // namespace sns
