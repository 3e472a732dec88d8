#include "ops/layer_norm/layer_norm_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtLayerNorm, MatchesOracle) {
  under_every_schedule("layer_norm", 8, [](Random& random) {
    const int64_t rows = random.integer(0, 5), dim = random.integer(1, 700), ld = dim + random.integer(0, 9);
    auto x = normal(random, rows * ld), gamma = normal(random, dim), beta = normal(random, dim);
    Guarded<float> y(rows * ld);
    LayerNormArgs args;
    args.x = x.data(), args.rows = rows, args.dim = dim, args.ldx = ld, args.gamma = gamma.data();
    args.beta = random.coin() ? beta.data() : nullptr, args.y = y.data(), args.ldy = ld;
    ASSERT_EQ(0, layer_norm_cuda(args, nullptr));
    Guarded<double> ref(rows * dim);
    layer_norm_ref(args, ref.data());
    EXPECT_LE(nmse(y.data(), ld, ref.data(), rows, dim), kLayerNormNmse) << rows << "x" << dim;
    EXPECT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace sns
