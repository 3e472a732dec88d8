#include "ops/rms_norm/rms_norm.h"

#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck rms_norm_check();
namespace {

TEST(RmsNorm, MatchesOracle) { expect_parity(rms_norm_check(), 400); }

// rms([3, 4]) = √12.5; no mean is taken away and nothing is added.
TEST(RmsNorm, ByHand) {
  const float x[] = {3, 4}, gamma[] = {1, 2};
  float y[2];
  RmsNormArgs a{x, 1, 2, 2, gamma, 0.0f, y, 2};
  Serial serial;
  rms_norm_cpu(a, serial);
  EXPECT_FLOAT_EQ(y[0], 3 / std::sqrt(12.5f));
  EXPECT_FLOAT_EQ(y[1], 8 / std::sqrt(12.5f));
}

TEST(RmsNorm, ZerosStayZeros) {
  std::vector<float> x(70), y(70, 5.0f), gamma(70, 3.0f);
  RmsNormArgs a{x.data(), 1, 70, 70, gamma.data(), 1e-6f, y.data(), 70};
  Serial serial;
  rms_norm_cpu(a, serial);
  EXPECT_EQ(y, x);
}

TEST(RmsNorm, BitsDoNotDependOnThreads) {
  constexpr int64_t kDim = 201, kRows = 700;
  std::vector<float> x(kRows * kDim), y(kRows * kDim), z(kRows * kDim), gamma(kDim);
  Random r(4);
  r.fill_normal(x.begin(), x.end());
  r.fill_normal(gamma.begin(), gamma.end());
  RmsNormArgs a{x.data(), kRows, kDim, kDim, gamma.data(), 1e-6f, y.data(), kDim};
  Serial serial;
  rms_norm_cpu(a, serial);
  ThreadPool pool(3);
  a.y = z.data();
  rms_norm_cpu(a, pool);
  EXPECT_EQ(y, z);
}

}  // namespace
}  // namespace sns
