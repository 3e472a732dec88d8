#include "ops/token_merge/token_merge_cuda.h"

#include "ops/token_merge/token_merge_check.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtTokenMerge, MergesTheOraclesPairs) {
  under_every_schedule("token_merge", 8, [](Random& random) {
    const uint64_t seed = random.next();
    const int64_t more = random.coin() ? random.integer(1, 300) : 0;  // launches for the most there may be
    const Parity p = token_merge_parity(seed, [&](const TokenMergeArgs& args) {
      const TokenMergeCudaRound round = token_merge_cuda_round(args);
      const int64_t rows = args.rows + more, left = args.rows - args.merge + more;
      Guarded<std::byte> workspace(static_cast<int64_t>(token_merge_cuda_workspace(rows, args.metric_dim)));
      EXPECT_EQ(0, token_merge_cuda(&round, rows, left, args.metric_dim, workspace.data(), nullptr));
      return workspace.intact();
    });
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed << ")";
    EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << seed << ")";
  });
}

}  // namespace
}  // namespace sns
