#include "ops/segment_mean/segment_mean.h"

#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck segment_mean_check();
namespace {

TEST(SegmentMean, MatchesOracle) { expect_parity(segment_mean_check(), 300); }

TEST(SegmentMean, ByHand) {
  const float x[] = {1, 10, 2, 20, 6, 60};
  const Segment segments[] = {{0, 3}, {1, 1}, {2, 0}};
  Guarded<float> y(6);
  SegmentMeanArgs a{x, 2, 2, segments, 3, y.data(), 2};
  Serial serial;
  segment_mean_cpu(a, serial);
  const float expected[] = {3, 30, 2, 20, 0, 0};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(y[i], expected[i]);
  EXPECT_TRUE(y.intact());
}

// One running sum would have lost about ten bits by the end.
TEST(SegmentMean, ManyRowsLoseNothing) {
  constexpr int64_t kRows = 200000;
  std::vector<float> x(kRows, 0.1f);
  const Segment all = {0, kRows};
  float y = 0;
  SegmentMeanArgs a{x.data(), 1, 1, &all, 1, &y, 1};
  Serial serial;
  segment_mean_cpu(a, serial);
  EXPECT_NEAR(y, 0.1, 1e-5);
}

TEST(SegmentMean, BitsDoNotDependOnThreadsOrNeighbours) {
  constexpr int64_t kDim = 301, kRows = 900;
  std::vector<float> x(kRows * kDim), y(3 * kDim), z(3 * kDim), alone(kDim);
  Random r(4);
  r.fill_normal(x.begin(), x.end());
  const Segment segments[] = {{0, 100}, {100, 333}, {433, 467}};
  SegmentMeanArgs a{x.data(), kDim, kDim, segments, 3, y.data(), kDim};
  Serial serial;
  segment_mean_cpu(a, serial);
  ThreadPool pool(3);
  a.y = z.data();
  segment_mean_cpu(a, pool);
  EXPECT_EQ(y, z);
  a.segments = segments + 1;
  a.segment_count = 1;
  a.y = alone.data();
  segment_mean_cpu(a, pool);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), y.begin() + kDim));
}

}  // namespace
}  // namespace sns
