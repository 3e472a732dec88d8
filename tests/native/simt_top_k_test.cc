#include "ops/top_k/top_k_cuda.h"

#include "simt_support.h"

namespace sns {
namespace {

/// Small integers: many scores are equal.
Guarded<float> integers(Random& random, int64_t count) {
  Guarded<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(random.integer(-3, 3));
  return x;
}

void expect_neighbours(Random& random, int64_t n, int64_t count, int64_t dim, int64_t k) {
  SCOPED_TRACE(std::to_string(n) + " queries, " + std::to_string(count) + " vectors, dim " +
               std::to_string(dim) + ", k " + std::to_string(k));
  const bool ties = random.coin();
  auto queries = ties ? integers(random, n * dim) : normal(random, n * dim);
  auto vectors = ties ? integers(random, count * dim) : normal(random, count * dim);
  PackedBlock block(top_k_cuda_bytes(count, dim));
  const TopKCudaVectors packed = pack_top_k_cuda(vectors.data(), count, dim, block.data(), block.data());
  Guarded<int64_t> ids(n * k), want_ids(n * k);
  Guarded<float> scores(n * k), want_scores(n * k);
  TopKArgs args;
  args.queries = queries.data(), args.n = n, args.k = k, args.ids = ids.data(), args.scores = scores.data();
  Guarded<std::byte> workspace(static_cast<int64_t>(top_k_cuda_workspace(packed, args)));
  ASSERT_EQ(0, top_k_cuda(packed, args, workspace.data(), nullptr));
  EXPECT_TRUE(ids.intact() && scores.intact() && workspace.intact());
  args.ids = want_ids.data(), args.scores = want_scores.data();
  top_k_ref(vectors.data(), count, dim, args);
  EXPECT_TRUE(std::equal(ids.data(), ids.data() + n * k, want_ids.data()));
  EXPECT_TRUE(std::equal(scores.data(), scores.data() + n * k, want_scores.data()));
}

TEST(SimtTopK, NeighboursAreTheOracles) {
  under_every_schedule("top_k", 6, [](Random& random) {
    expect_neighbours(random, random.integer(0, 9), random.integer(0, 900), random.integer(1, 40),
                      random.integer(1, 40));
  });
}

/// Lists of every size of registers, to their ends.
TEST(SimtTopK, ListsOfAnyLength) {
  under_every_schedule("top_k, long lists", 1, [](Random& random) {
    for (const int64_t k : {32, 33, 128, 129}) expect_neighbours(random, 1, 4 * k, 3, k);
    expect_neighbours(random, 1, random.integer(1000, 1050), 2, kMaxTopK);
  });
}

TEST(SimtTopK, MoreQueriesThanOneLaunchTakes) {
  under_every_schedule("top_k, many queries", 1, [](Random& random) {
    expect_neighbours(random, 256 + random.integer(1, 9), random.integer(0, 100), 2, 3);
  });
}

}  // namespace
}  // namespace sns
