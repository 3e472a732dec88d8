#include "backend/cuda/tuning.h"
#include "ops/linear/linear_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

void expect_linear(Random& random, int64_t rows, int64_t in, int64_t out, bool align, bool strict,
                   int parts) {
  const int64_t ldx = align ? round_up(in, 4) : in + random.integer(0, 4), ldy = out + random.integer(0, 3);
  const bool positive = few(rows, in, out);
  auto x = normal(random, rows * ldx, 1, positive), weight = normal(random, out * in, 1, positive);
  auto bias = normal(random, out, 1, positive), residual = normal(random, rows * ldy, 1, positive);
  Guarded<float> y(rows * ldy);
  LinearArgs args;
  args.x = x.data(), args.rows = rows, args.ldx = ldx, args.y = y.data(), args.ldy = ldy;
  args.activation = static_cast<Activation>(random.integer(0, 5));
  if (random.coin()) args.residual = residual.data(), args.ld_residual = ldy;
  if (random.coin()) args.residual_period = random.integer(1, rows);
  const float* b = random.coin() ? bias.data() : nullptr;
  PackedBlock block(linear_cuda_bytes(out, in, parts));
  const LinearCudaWeights w = pack_linear_cuda(weight.data(), b, out, in, block.data(), block.data(), parts);
  ASSERT_EQ(0, linear_cuda(w, args, strict ? Precision::kStrict : Precision::kFast, nullptr));
  Guarded<double> ref(rows * out);
  linear_ref(weight.data(), b, out, in, args, ref.data());
  EXPECT_LE(nmse(y.data(), ldy, ref.data(), rows, out), strict ? kLinearNmse : kLinearFastNmse)
      << rows << "x" << in << "x" << out;
  EXPECT_TRUE(y.intact());
}

void expect_linear(Random& random, int64_t rows, int64_t in, int64_t out, bool align) {
  const bool strict = random.coin();
  expect_linear(random, rows, in, out, align, strict, random.coin() ? 2 : 3);
}

TEST(SimtLinear, MatchesOracle) {
  under_every_schedule("linear", 8, [](Random& random) {
    expect_linear(random, random.integer(1, 90), random.integer(1, 130), random.integer(1, 100),
                  random.coin());
  });
}

TEST(SimtLinear, EveryTileShapeMatchesOracle) {
  simt::set_compute_capability(80);
  under_every_schedule("linear, small tiles", 1, [](Random& random) {
    expect_linear(random, 64 * random.integer(3, 4) - 1, 70, 64 * 11 - 3, true);
  });
  ASSERT_EQ(2, gpu::gemm_shape(128 * 33, 64 * 4));
  Random random(1);
  simt::set_schedule(simt::schedules(1)[3]);
  expect_linear(random, 128 * 44 - 5, 97, 64 * 3 - 1, true);
  simt::set_schedule({});
  simt::set_compute_capability(90);
}

// Tensor cores cut off what they add: long rows of one sign are where it would show.
TEST(SimtLinear, DepthKeepsTheBound) {
  for (const bool positive : {false, true}) {
    Random random(3);
    const int64_t in = 3072, rows = 128;
    const int64_t out = 128 * (positive ? 1 : simt::kMultiprocessors);  // by mma.sync, by wgmma
    auto x = normal(random, rows * in, 1, positive), weight = normal(random, out * in, 1, positive);
    Guarded<float> y(rows * out);
    LinearArgs args;
    args.x = x.data(), args.rows = rows, args.ldx = in, args.y = y.data(), args.ldy = out;
    Guarded<double> ref(rows * out);
    linear_ref(weight.data(), nullptr, out, in, args, ref.data());
    for (const int parts : {2, 3}) {
      PackedBlock block(linear_cuda_bytes(out, in, parts));
      const auto w = pack_linear_cuda(weight.data(), nullptr, out, in, block.data(), block.data(), parts);
      ASSERT_EQ(0, linear_cuda(w, args, Precision::kStrict, nullptr));
      EXPECT_LE(nmse(y.data(), out, ref.data(), rows, out), kLinearNmse / 3) << parts << " parts";
    }
  }
}

// A few tiles a block, columns and rows that end anywhere in a tile, and more steps than the ring has stages.
TEST(SimtLinear, WgmmaMatchesOracle) {
  under_every_schedule("linear, wgmma", 2, [](Random& random) {
    const int64_t across = random.integer(1, 3),
                  down = 1 + simt::kMultiprocessors * random.integer(1, 2) / across;
    const int64_t rows = 128 * down - random.integer(0, 127), out = 128 * across - random.integer(0, 127);
    const int64_t in = random.integer(128, 400);
    ASSERT_TRUE(gpu::gemm_wgmma(rows, out, in, simt::kMultiprocessors));
    expect_linear(random, rows, in, out, true, false, 2);
    expect_linear(random, rows, in, out, true, true, 2);
    expect_linear(random, rows, in, out, true, true, 3);
  });
}

}  // namespace
}  // namespace sns
