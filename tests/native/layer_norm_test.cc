#include "ops/layer_norm/layer_norm.h"

#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck layer_norm_check();
namespace {

TEST(LayerNorm, MatchesOracle) { expect_parity(layer_norm_check(), 500); }

// Σx² − (Σx)²/n would lose everything here.
TEST(LayerNorm, RowsFarFromZero) {
  constexpr int64_t kDim = 768;
  std::vector<float> x(kDim), y(kDim), gamma(kDim, 1.0f);
  std::vector<double> ref(kDim);
  Random r(3);
  for (float& v : x) v = static_cast<float>(1000 + r.normal());
  LayerNormArgs a{x.data(), 1, kDim, kDim, gamma.data(), nullptr, 1e-5f, y.data(), kDim};
  Serial serial;
  layer_norm_cpu(a, serial);
  layer_norm_ref(a, ref.data());
  EXPECT_LE(nmse(y.data(), kDim, ref.data(), 1, kDim), kLayerNormNmse);
}

TEST(LayerNorm, ConstantRowGivesBeta) {
  constexpr int64_t kDim = 100;
  std::vector<float> x(kDim, 3.7f), y(kDim), gamma(kDim, 5.0f), beta(kDim, 0.25f);
  LayerNormArgs a{x.data(), 1, kDim, kDim, gamma.data(), beta.data(), 1e-5f, y.data(), kDim};
  Serial serial;
  layer_norm_cpu(a, serial);
  for (const float v : y) EXPECT_NEAR(v, 0.25f, 1e-4f);
}

TEST(LayerNorm, BitsDoNotDependOnThreadsOrPlace) {
  constexpr int64_t kDim = 201, kRows = 700;
  std::vector<float> x(kRows * kDim), y(kRows * kDim), z(kRows * kDim), gamma(kDim), beta(kDim);
  Random r(4);
  r.fill_normal(x.begin(), x.end());
  r.fill_normal(gamma.begin(), gamma.end());
  r.fill_normal(beta.begin(), beta.end());
  LayerNormArgs a{x.data(), kRows, kDim, kDim, gamma.data(), beta.data(), 1e-5f, y.data(), kDim};
  Serial serial;
  layer_norm_cpu(a, serial);
  ThreadPool pool(3);
  a.y = z.data();
  layer_norm_cpu(a, pool);
  EXPECT_EQ(y, z);
  a.y = x.data();  // in place
  layer_norm_cpu(a, pool);
  EXPECT_EQ(y, x);
}

}  // namespace
}  // namespace sns
