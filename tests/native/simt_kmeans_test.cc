#include "ops/vector_quantize/kmeans_cuda.h"

#include "ops/vector_quantize/exact.h"
#include "simt_support.h"

namespace sns {
namespace {

/// Rows around a few centres; `repeats` of them are copies of others, so that codes die and seeds run out.
Guarded<float> clusters(Random& random, int64_t rows, int64_t dim, int64_t repeats) {
  const int64_t centres = random.integer(1, 6);
  auto centre = normal(random, centres * dim, 3), x = normal(random, rows * dim, 0.2);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t c = random.integer(0, centres - 1), of = random.integer(0, rows - 1);
    for (int64_t i = 0; i < dim; ++i) x[r * dim + i] += centre[c * dim + i];
    if (r < repeats) std::copy(x.data() + of * dim, x.data() + (of + 1) * dim, x.data() + r * dim);
  }
  return x;
}

void expect_kmeans(Random& random, int64_t rows, int64_t k) {
  const int64_t dim = random.integer(1, 40), iterations = random.integer(1, 6);
  const auto metric = random.coin() ? CodeMetric::kL2 : CodeMetric::kCosine;
  const auto x = clusters(random, rows, dim, random.coin() ? 0 : random.integer(0, rows));
  const uint64_t seed = random.next();
  Serial serial;
  const KMeansResult want = kmeans(x.data(), rows, dim, k, iterations, seed, serial, metric);

  const std::vector<double> shares = kmeans_shares(seed, k);
  Guarded<float> codes(k * dim);
  Guarded<int64_t> ids(rows);
  KMeansCudaState state;
  KMeansCudaArgs args;
  args.x = x.data(), args.rows = rows, args.dim = dim, args.k = k, args.metric = metric;
  args.shares = shares.data(), args.codes = codes.data(), args.ids = ids.data(), args.state = &state;
  Guarded<std::byte> workspace(static_cast<int64_t>(kmeans_cuda_workspace(args)));
  ASSERT_EQ(0, kmeans_start_cuda(args, workspace.data(), nullptr));
  ASSERT_EQ(0, kmeans_assign_cuda(args, workspace.data(), nullptr));
  int64_t done = 1;
  for (; state.changed > 0 && done < iterations; ++done) {
    ASSERT_EQ(0, kmeans_move_cuda(args, workspace.data(), nullptr));
    ASSERT_EQ(0, kmeans_assign_cuda(args, workspace.data(), nullptr));
  }
  const std::string shape = std::to_string(rows) + " rows, dim " + std::to_string(dim) + ", " +
                            std::to_string(k) + (metric == CodeMetric::kL2 ? " codes" : " codes by cosine");
  EXPECT_EQ(want.iterations, done) << shape;
  EXPECT_EQ(want.revived, state.revived) << shape;
  EXPECT_NEAR(want.inertia, state.inertia, 1e-9 * (1 + want.inertia)) << shape;
  EXPECT_TRUE(std::equal(codes.data(), codes.data() + k * dim, want.codes.data())) << shape;
  EXPECT_TRUE(codes.intact() && ids.intact() && workspace.intact());
}

TEST(SimtKMeans, TrainsTheSameCodes) {
  under_every_schedule("k-means", 8, [](Random& random) {
    const int64_t rows = random.integer(1, random.coin() ? 40 : 700);
    expect_kmeans(random, rows, random.integer(1, std::min<int64_t>(rows, 24)));
  });
}

/// All codes but the first far from every row: they become the farthest rows, of equals the first, until a
/// row sits on a code.
TEST(SimtKMeans, RevivesDeadCodes) {
  under_every_schedule("k-means, dead codes", 3, [](Random& random) {
    const int64_t rows = random.integer(1, 600), dim = random.integer(1, 9),
                  k = random.integer(1, std::min<int64_t>(rows, 12));
    const auto x = clusters(random, rows, dim, rows / 2);
    const std::vector<double> shares = kmeans_shares(1, k);
    Guarded<float> codes(k * dim);
    std::vector<int64_t> ids(static_cast<size_t>(rows)), order;
    KMeansCudaState state;
    KMeansCudaArgs args;
    args.x = x.data(), args.rows = rows, args.dim = dim, args.k = k;
    args.shares = shares.data(), args.codes = codes.data(), args.ids = ids.data(), args.state = &state;
    Guarded<std::byte> workspace(static_cast<int64_t>(kmeans_cuda_workspace(args)));
    ASSERT_EQ(0, kmeans_start_cuda(args, workspace.data(), nullptr));
    std::fill(codes.data(), codes.data() + dim, 0.0f);
    std::fill(codes.data() + dim, codes.data() + k * dim, 1e6f);
    ASSERT_EQ(0, kmeans_assign_cuda(args, workspace.data(), nullptr));
    std::vector<double> distance;
    for (int64_t r = 0; r < rows; ++r) {
      ASSERT_EQ(0, ids[static_cast<size_t>(r)]);
      distance.push_back(exact_distance(x.data() + r * dim, 1, codes.data(), 1, dim));
      order.push_back(r);
    }
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return distance[static_cast<size_t>(a)] > distance[static_cast<size_t>(b)];
    });
    ASSERT_EQ(0, kmeans_move_cuda(args, workspace.data(), nullptr));
    EXPECT_EQ(k - 1, state.revived);
    for (int64_t j = 1; j < k; ++j) {
      const float* row = x.data() + order[static_cast<size_t>(j - 1)] * dim;
      EXPECT_TRUE(std::equal(row, row + dim, codes.data() + j * dim)) << j;
    }
    EXPECT_TRUE(codes.intact() && workspace.intact());
  });
}

}  // namespace
}  // namespace sns
