#include "ops/pack/pack.h"

#include <vector>

#include "parity.h"

namespace sns {
OpCheck pack_check();
namespace {

TEST(Pack, MatchesOracle) { expect_parity(pack_check(), 500); }

// (row + modality) + position, in this order: 1e8 + 1 is lost, then −1e8 leaves nothing.
TEST(Pack, AddsInTheDocumentedOrder) {
  const std::vector<float> row(20, 1e8f), modality(20, 1.0f), position(20, -1e8f);
  std::vector<float> y(20, -1.0f);
  const PackSegment segment{row.data(), 20, 1, modality.data(), position.data()};
  Serial serial;
  pack_cpu({&segment, 1, 20, y.data(), 20}, serial);
  EXPECT_EQ(y, std::vector<float>(20, 0.0f));
}

TEST(Pack, ItemsBetweenSpecialTokens) {
  const std::vector<float> begin = {1, 2}, end = {3, 4}, rows = {10, 20, 30, 40}, modality = {0.5f, 0.25f};
  const PackSegment segments[] = {{begin.data(), 2, 1, nullptr, nullptr},
                                  {rows.data(), 2, 2, modality.data(), nullptr},
                                  {nullptr, 0, 0, nullptr, nullptr},
                                  {end.data(), 2, 1, nullptr, nullptr}};
  std::vector<float> y(8);
  ThreadPool pool(2);
  pack_cpu({segments, 4, 2, y.data(), 2}, pool);
  EXPECT_EQ(y, (std::vector<float>{1, 2, 10.5f, 20.25f, 30.5f, 40.25f, 3, 4}));
}

}  // namespace
}  // namespace sns
