#include "ops/contrastive/contrastive_check.h"
#include "ops/contrastive/contrastive_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtContrastive, EqualsTheOracle) {
  under_every_schedule("contrastive", 6, [](Random& random) {
    const uint64_t seed = random.next();
    const Parity p = contrastive_parity(seed, [](const ContrastiveArgs& args, ContrastiveResult* result) {
      Guarded<std::byte> workspace(static_cast<int64_t>(contrastive_cuda_workspace(args.n)));
      EXPECT_EQ(0, contrastive_cuda(args, result, workspace.data(), nullptr));
      return workspace.intact();
    });
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed << ")";
    EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << seed << ")";
  });
}

}  // namespace
}  // namespace sns
