#include "ops/finite/finite.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace sns {
namespace {

TEST(FirstNonFinite, FindsEverySingleBadValue) {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (size_t n : {1, 7, 64, 65, 200, 1000}) {
    std::vector<float> x(n, -std::numeric_limits<float>::max());
    EXPECT_EQ(-1, first_non_finite(x.data(), static_cast<int64_t>(n)));
    for (size_t i = 0; i < n; ++i) {
      for (float b : bad) {
        const float kept = x[i];
        x[i] = b;
        EXPECT_EQ(static_cast<int64_t>(i), first_non_finite(x.data(), static_cast<int64_t>(n)));
        x[i] = kept;
      }
    }
  }
}

TEST(FirstNonFinite, LongInputsAndNone) {
  EXPECT_EQ(-1, first_non_finite(nullptr, 0));
  std::vector<float> x(100003, 1e-45f);
  EXPECT_EQ(-1, first_non_finite(x.data(), 100003));
  x[50000] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(50000, first_non_finite(x.data(), 100003));
  EXPECT_EQ(-1, first_non_finite(x.data(), 50000));
}

}  // namespace
}  // namespace sns
