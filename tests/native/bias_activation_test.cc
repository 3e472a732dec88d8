#include "ops/bias_activation/bias_activation.h"

#include <vector>

#include "parity.h"

namespace sns {
OpCheck bias_activation_check();
namespace {

TEST(BiasActivation, EqualsTheOracle) { expect_parity(bias_activation_check(), 300); }

TEST(BiasActivation, ByHand) {
  const float x[] = {1, -2, 3, 4}, bias[] = {10, -20}, residual[] = {100, 0, -300, 0};
  float z[4], y[4];
  Serial serial;
  bias_activation_cpu({x, 2, 2, bias, 0.5f, residual, Activation::kRelu, z, y}, serial);
  const float want_z[] = {106, -12, -292, -6}, want_y[] = {106, 0, 0, 0};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(want_z[i], z[i]);
    EXPECT_EQ(want_y[i], y[i]);
  }
  const Segment segments[] = {{0, 2}};
  const float dy[] = {6, 8};
  bias_activation_grad_cpu({z, 2, Activation::kRelu, segments, 1, dy}, serial);
  const float want_dz[] = {3, 0, 0, 0};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(want_dz[i], z[i]);
  bias_grad_cpu({x, 2, 2, 2, y}, serial);
  EXPECT_EQ(8, y[0]);
  EXPECT_EQ(4, y[1]);
}

/// A running sum in fp32 would stand still at 2^24.
TEST(BiasGrad, ManyRowsLoseNothing) {
  const std::vector<float> x((1 << 24) + 5, 1.0f);
  float y = 0;
  Serial serial;
  bias_grad_cpu({x.data(), static_cast<int64_t>(x.size()), 1, 0.5f, &y}, serial);
  EXPECT_EQ(static_cast<float>((1 << 24) + 5) / 2, y);
}

}  // namespace
}  // namespace sns
