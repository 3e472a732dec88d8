#include "ops/gated_mlp/gated_mlp.h"

#include <cstring>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck gated_mlp_check();
namespace {

TEST(GatedMlp, Parity) { expect_parity(gated_mlp_check(), 120); }

TEST(GatedMlp, RowsDoNotDependOnTheBatchOrOnThreads) {
  const int64_t rows = 215, in = 37, hidden = 730, out = 41;
  Random rng(5);
  std::vector<float> x(rows * in), gate(hidden * in), up(hidden * in), down(out * hidden);
  for (auto* v : {&x, &gate, &up, &down}) rng.fill_normal(v->begin(), v->end(), 0.2);
  const LinearWeights w0(gate.data(), nullptr, hidden, in), w1(up.data(), nullptr, hidden, in),
      w2(down.data(), nullptr, out, hidden);
  const auto run = [&](int64_t row, int64_t count, Parallel& parallel) {
    std::vector<float> y(count * out);
    AlignedArray<char> scratch(
        static_cast<int64_t>(gated_mlp_scratch(w0, w1, w2, count, parallel.threads())));
    GatedMlpArgs args;
    args.x = x.data() + row * in;
    args.rows = count;
    args.ldx = in;
    args.y = y.data();
    args.ldy = out;
    gated_mlp_cpu(w0, w1, w2, args, scratch.data(), parallel);
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

TEST(GatedMlp, ScratchNeverShrinksWithMoreRowsOrThreads) {
  const std::vector<float> zeros(96 * 300);
  const LinearWeights up(zeros.data(), nullptr, 300, 96), down(zeros.data(), nullptr, 96, 300);
  for (int threads = 1; threads < 9; ++threads) {
    for (int64_t rows = 0; rows < 1000; ++rows) {
      ASSERT_LE(gated_mlp_scratch(up, up, down, rows, threads),
                gated_mlp_scratch(up, up, down, rows + 1, threads));
      ASSERT_LE(gated_mlp_scratch(up, up, down, rows, threads),
                gated_mlp_scratch(up, up, down, rows, threads + 1));
    }
  }
}

// relu([1, −2]) ⊙ [3·1, 4·1] = [3, 0]; y = 5·3 + 6·0 + 100 (residual).
TEST(GatedMlp, ByHand) {
  const float gate[] = {1, -2}, up[] = {3, 4}, down[] = {5, 6}, x[] = {1}, residual[] = {100};
  const LinearWeights w0(gate, nullptr, 2, 1), w1(up, nullptr, 2, 1), w2(down, nullptr, 1, 2);
  AlignedArray<char> scratch(static_cast<int64_t>(gated_mlp_scratch(w0, w1, w2, 1, 1)));
  Guarded<float> y(1);
  GatedMlpArgs args;
  args.x = x;
  args.rows = args.ldx = args.ldy = args.ld_residual = 1;
  args.y = y.data();
  args.activation = Activation::kRelu;
  args.residual = residual;
  Serial serial;
  gated_mlp_cpu(w0, w1, w2, args, scratch.data(), serial);
  EXPECT_EQ(y[0], 115.0f);
  EXPECT_TRUE(y.intact());
}

}  // namespace
}  // namespace sns
