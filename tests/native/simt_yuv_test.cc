#include "ops/yuv/yuv_cuda.h"

#include "backend/cuda/tuning.h"
#include "ops/yuv/yuv_check.h"
#include "simt_support.h"

namespace sns {
namespace {

bool run(const YuvArgs& args) {
  PackedBlock block(yuv_cuda_bytes(args));
  const YuvCuda tables = pack_yuv_cuda(args, block.data(), block.data());
  EXPECT_EQ(0, yuv_cuda(tables, args, nullptr));
  return true;
}

TEST(SimtYuv, MatchesOracle) {
  under_every_schedule("yuv", 20, [](Random& random) {
    const uint64_t seed = random.next();
    const Parity p = yuv_parity(seed, run);
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed << ")";
    EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << seed << ")";
  });
}

/// What the kernel takes for granted: a lane's windows lie within eight bytes, a tile's within its shared
/// memory.
TEST(SimtYuv, WindowsFitTheTile) {
  using gpu::YuvTile;
  std::vector<int64_t> sizes;
  for (int64_t size = kYuvLeast; size < 3000; ++size) sizes.push_back(size);
  Random random(1);
  for (const int64_t most : {10000, 100000, 1000000}) sizes.push_back(random.integer(3000, most));
  for (const int64_t size : sizes) {
    YuvArgs args;
    args.height = args.width = size;
    PackedBlock block(yuv_cuda_bytes(args));
    const YuvCuda tables = pack_yuv_cuda(args, block.data(), block.data());
    for (int64_t x = 0; x < size; x += YuvTile::kVector) {
      ASSERT_LE(tables.across.first[x + YuvTile::kVector - 1] + kYuvTaps - tables.across.first[x], 8) << size;
      for (int64_t i = 1; i < YuvTile::kVector; ++i) {
        ASSERT_GE(tables.across.first[x + i], tables.across.first[x]) << size;
      }
    }
    for (int64_t top = -1; top < size; top += YuvTile::kRows) {
      const int64_t begin = tables.down.first[std::max<int64_t>(top, 0)];
      const int64_t last = std::min(top + YuvTile::kRows, size) - 1;
      ASSERT_LE(tables.down.first[last] + kYuvTaps - begin, YuvTile::kChromaRows) << size;
    }
  }
}

}  // namespace
}  // namespace sns
