#include "ops/resize/resize_cuda.h"

#include "ops/resize/resize_check.h"
#include "simt_support.h"

namespace sns {
namespace {

bool run_u8(const ResizeU8Args& args) {
  PackedBlock block(resize_u8_cuda_bytes(args));
  const ResizeU8Cuda tables = pack_resize_u8_cuda(args, block.data(), block.data());
  Guarded<std::byte> workspace(static_cast<int64_t>(resize_u8_cuda_workspace(args)));
  ResizeU8Pass passes[kResizePasses];
  resize_u8_cuda_passes(tables, args, 0, 0, workspace.data(), &passes[0], &passes[1]);
  for (const ResizeU8Pass& pass : passes) EXPECT_EQ(0, resize_u8_cuda(&pass, 1, pass.blocks(), 1, nullptr));
  return workspace.intact();
}

bool run_f32(const ResizeF32Args& args) {
  PackedBlock block(resize_f32_cuda_bytes(args));
  const ResizeF32Pass pass{pack_resize_f32_cuda(args, block.data(), block.data()), args};
  EXPECT_EQ(0, resize_f32_cuda(&pass, 1, pass.elements(), nullptr));
  return true;
}

TEST(SimtResize, MatchesOracle) {
  under_every_schedule("resize", 20, [](Random& random) {
    const uint64_t seed = random.next();
    const Parity p = resize_parity(seed, {run_u8, run_f32});
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed << ")";
    EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << seed << ")";
  });
}

}  // namespace
}  // namespace sns
