#include "ops/contrastive/contrastive_cuda.h"
#include "ops/gemm/gemm_cuda.h"
#include "ops/linear/linear_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtGemm, MatchesOracle) {
  under_every_schedule("gemm", 8, [](Random& random) {
    GemmArgs g;
    g.m = random.integer(1, 100), g.n = random.integer(1, 100), g.k = random.integer(0, 90);
    g.transpose_a = random.coin(), g.transpose_b = random.coin();
    g.lda = (g.transpose_a ? g.m : g.k) + random.integer(0, 3);
    g.ldb = (g.transpose_b ? g.k : g.n) + random.integer(0, 3);
    g.ldc = g.n + random.integer(0, 3);
    auto a = normal(random, (g.transpose_a ? g.k : g.m) * g.lda);
    auto b = normal(random, (g.transpose_b ? g.n : g.k) * g.ldb);
    Guarded<float> c(g.m * g.ldc);
    g.a = a.data(), g.b = b.data(), g.c = c.data(), g.scale = static_cast<float>(random.normal());
    const bool strict = random.coin();
    ASSERT_EQ(0, gemm_cuda(g, 0, strict ? Precision::kStrict : Precision::kFast, nullptr));
    Guarded<double> ref(g.m * g.n);
    gemm_ref(g, ref.data());
    EXPECT_LE(nmse(c.data(), g.ldc, ref.data(), g.m, g.n), strict ? kGemmNmse : kLinearFastNmse)
        << g.m << "x" << g.n << "x" << g.k;
    EXPECT_TRUE(c.intact());
  });
}

TEST(SimtGemm, ContrastiveLogitsMatchOracle) {
  under_every_schedule("contrastive logits", 2, [](Random& random) {
    const int64_t n = random.integer(1, 70), m = random.integer(1, 70), dim = random.integer(1, 70);
    auto a = normal(random, n * dim), b = normal(random, m * dim);
    Guarded<float> out(n * m);
    const float scale = 0.7f, bias = -3;
    ASSERT_EQ(0, contrastive_logits_cuda(a.data(), n, b.data(), m, dim, scale, bias, out.data(),
                                         Precision::kStrict, nullptr));
    Guarded<double> ref(n * m);
    for (int64_t i = 0; i < n * m; ++i) {
      double dot = 0;
      for (int64_t k = 0; k < dim; ++k) dot += double{a[i / m * dim + k]} * double{b[i % m * dim + k]};
      ref[i] = std::exp(double{scale}) * dot + double{bias};
    }
    EXPECT_LE(nmse(out.data(), m, ref.data(), n, m), kGemmNmse);
    EXPECT_TRUE(out.intact());
  });
}

}  // namespace
}  // namespace sns
