#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/thread_pool.h"
#include "check/check.h"

namespace sns {
namespace {

// No machine that this runs on is outside these bounds; a lost factor or a loop that was optimised away is.
TEST(Ceiling, IsPlausible) {
  ThreadPool pool(2);
  const Ceiling c = measure_ceiling(pool);
  EXPECT_GT(c.gflops, 1);
  EXPECT_LT(c.gflops, 2 * 1000);  // two cores, two 512-bit multipliers, under 10 GHz
  if (has_avx512_bf16()) {
    EXPECT_GT(c.bf16_gflops, 1);
    EXPECT_LT(c.bf16_gflops, 4 * 1000);
  } else {
    EXPECT_EQ(0, c.bf16_gflops);
  }
  EXPECT_GT(c.gbytes_per_s, 0.5);
  EXPECT_LT(c.gbytes_per_s, 2000);
}

}  // namespace
}  // namespace sns
