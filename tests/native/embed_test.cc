#include "ops/embed/embed.h"

#include <limits>
#include <vector>

#include "parity.h"

namespace sns {
OpCheck embed_check();
namespace {

TEST(Embed, MatchesOracle) { expect_parity(embed_check(), 500); }

TEST(Embed, FindsTheFirstInvalidId) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
  const auto first = [](std::vector<int64_t> ids) {
    EmbedArgs a;
    a.vocabulary = 10;
    a.ids = ids.data();
    a.count = static_cast<int64_t>(ids.size());
    return embed_first_invalid(a);
  };
  EXPECT_EQ(first({}), -1);
  EXPECT_EQ(first({0, 9, 5}), -1);
  EXPECT_EQ(first({0, 10, -1}), 1);
  EXPECT_EQ(first({-1}), 0);
  EXPECT_EQ(first({3, 3, kLow}), 2);
  EXPECT_EQ(first({kHigh, 3}), 0);
}

}  // namespace
}  // namespace sns
