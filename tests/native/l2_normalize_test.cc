#include "ops/l2_normalize/l2_normalize.h"

#include <vector>

#include "parity.h"

namespace sns {
OpCheck l2_normalize_check();
namespace {

TEST(L2Normalize, EqualsTheOracle) { expect_parity(l2_normalize_check(), 300); }

TEST(L2Normalize, TheShortestAndTheLongestRows) {
  const std::vector<float> x = {3e38f, -3e38f, 3e-20f, 4e-20f, 0, 0, 3e-11f, 4e-11f};
  std::vector<float> y(8);
  L2NormalizeArgs a;
  a.x = x.data();
  a.rows = 4;
  a.dim = a.ldx = a.ldy = 2;
  a.y = y.data();
  Serial serial;
  l2_normalize_cpu(a, serial);
  const float expected[] = {0.70710678f, -0.70710678f, 3e-8f, 4e-8f, 0, 0, 0.6f, 0.8f};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(expected[i], y[i], 1e-6f * std::abs(expected[i]));
}

}  // namespace
}  // namespace sns
