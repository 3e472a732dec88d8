#include "ops/gemm/gemm.h"

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck gemm_check();
namespace {

TEST(Gemm, EqualsTheOracle) { expect_parity(gemm_check(), 150); }

TEST(Gemm, AnEmptySumIsZero) {
  std::vector<float> c(6, 7);
  GemmArgs g;
  g.m = 2;
  g.n = g.ldc = g.ldb = 3;
  g.c = c.data();
  Serial serial;
  AlignedArray<unsigned char> scratch(static_cast<int64_t>(gemm_scratch(2, 3, 0, 1)));
  gemm_cpu(g, scratch.data(), serial);
  EXPECT_EQ(std::vector<float>(6, 0), c);
}

}  // namespace
}  // namespace sns
