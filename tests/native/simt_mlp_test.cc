#include "ops/gated_mlp/gated_mlp_cuda.h"
#include "ops/mlp/mlp_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

struct Layer {
  Guarded<float> weight;
  PackedBlock block;
  LinearCudaWeights packed;
  Layer(Random& random, int64_t out, int64_t in, const float* bias, bool positive, int parts = 2)
      : weight(normal(random, out * in, 1 / std::sqrt(static_cast<double>(in)), positive)),
        block(linear_cuda_bytes(out, in, parts)),
        packed(pack_linear_cuda(weight.data(), bias, out, in, block.data(), block.data(), parts)) {}
};

template <class Args>
Args random_args(Random& random, int64_t rows, int64_t in, int64_t out, const float* x, float* y,
                 const float* residual) {
  Args args;
  args.x = x, args.rows = rows, args.ldx = in, args.y = y, args.ldy = out;
  args.activation = static_cast<Activation>(random.integer(0, 5));
  if (random.coin()) args.residual = residual, args.ld_residual = out;
  return args;
}

TEST(SimtMlp, MatchesOracle) {
  under_every_schedule("mlp", 3, [](Random& random) {
    const int64_t rows = random.integer(1, 40), in = random.integer(1, 40), hidden = random.integer(1, 90),
                  out = random.integer(1, 40);
    const bool positive = few(rows, in, out);
    auto up_bias = normal(random, hidden, 1, positive), down_bias = normal(random, out, 1, positive),
         x = normal(random, rows * in, 1, positive), residual = normal(random, rows * out, 1, positive);
    Layer up(random, hidden, in, up_bias.data(), positive),
        down(random, out, hidden, down_bias.data(), positive);
    Guarded<float> y(rows * out);
    const auto args = random_args<MlpArgs>(random, rows, in, out, x.data(), y.data(), residual.data());
    PackedBlock workspace(mlp_cuda_workspace(up.packed, rows));
    ASSERT_EQ(0, mlp_cuda(up.packed, down.packed, args, Precision::kStrict, workspace.data(), nullptr));
    Guarded<double> ref(rows * out);
    mlp_ref(up.weight.data(), up_bias.data(), down.weight.data(), down_bias.data(), in, hidden, out, args,
            ref.data());
    EXPECT_LE(nmse(y.data(), out, ref.data(), rows, out), kMlpNmse);
    EXPECT_TRUE(y.intact());
  });
}

TEST(SimtGatedMlp, MatchesOracle) {
  under_every_schedule("gated_mlp", 3, [](Random& random) {
    const int64_t rows = random.integer(1, 40), in = random.integer(1, 40), hidden = random.integer(1, 90),
                  out = random.integer(1, 40);
    const bool positive = few(rows, in, out);
    auto x = normal(random, rows * in, 1, positive), residual = normal(random, rows * out, 1, positive);
    Layer gate(random, hidden, in, nullptr, positive, 3), up(random, hidden, in, nullptr, positive, 3),
        down(random, out, hidden, nullptr, positive);
    Guarded<float> y(rows * out);
    const auto args = random_args<GatedMlpArgs>(random, rows, in, out, x.data(), y.data(), residual.data());
    PackedBlock workspace(gated_mlp_cuda_workspace(gate.packed, rows));
    ASSERT_EQ(0, gated_mlp_cuda(gate.packed, up.packed, down.packed, args, Precision::kStrict,
                                workspace.data(), nullptr));
    Guarded<double> ref(rows * out);
    gated_mlp_ref(gate.weight.data(), up.weight.data(), down.weight.data(), in, hidden, out, args,
                  ref.data());
    EXPECT_LE(nmse(y.data(), out, ref.data(), rows, out), kGatedMlpNmse);
    EXPECT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace sns
