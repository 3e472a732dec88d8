// Tests of the executor's mbarriers, bulk copies and wgmma: what they compute, and that each classic bug of a
// producer and consumers is caught when planted.

#include "backend/cuda/hopper.h"
#include "ops/linear/linear_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

using gpu::gpu_launch;

// ---- bulk copies through a ring of two buffers
// ------------------------------------------------------------------

enum RingBug {
  kNoBug,
  kNoWait,
  kWrongParity,
  kTooFewBytes,
  kTooManyBytes,
  kReusedTooEarly,
  kNoInitFence,
  kTooFewArrivals,
  kNobodyWaits,
  kMisaligned,
  kOutside,
};

constexpr int kTile = 128, kTiles = 5;

/// Warp 0 brings tiles in two halves, warps 1 … 4 write them reversed.
template <RingBug bug>
void reverse_ring(const float* x, float* y) {
  SNS_DYNAMIC_SHARED(float, ring);  // two tiles
  SNS_SHARED(uint64_t, full, 2);
  SNS_SHARED(uint64_t, empty, 2);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0) {
    for (int s = 0; s < 2; ++s) {
      gpu::mbarrier_init(full + s, 1);
      gpu::mbarrier_init(empty + s, bug == kTooFewArrivals ? kTile + 1 : kTile);
    }
    if (bug != kNoInitFence) gpu::mbarrier_init_fence();
  }
  __syncthreads();
  if (t < 32) {
    for (int i = 0; t == 0 && i < kTiles; ++i) {
      const uint32_t turn = static_cast<uint32_t>(i / 2 & 1);
      if (bug != kReusedTooEarly) gpu::mbarrier_wait(empty + i % 2, turn ^ 1);
      constexpr uint32_t kHalf = kTile / 2 * sizeof(float);
      gpu::mbarrier_expect(full + i % 2, bug == kTooFewBytes    ? kHalf
                                         : bug == kTooManyBytes ? 3 * kHalf
                                                                : 2 * kHalf);
      gpu::mbarrier_arrive(full + i % 2);
      float* to = ring + i % 2 * kTile + (bug == kMisaligned ? 1 : bug == kOutside ? kTile + 16 : 0);
      gpu::bulk_copy(to, x + i * kTile, kHalf, full + i % 2);
      gpu::bulk_copy(to + kTile / 2, x + i * kTile + kTile / 2, kHalf, full + i % 2);
    }
    return;
  }
  for (int i = 0; i < kTiles && bug != kNobodyWaits; ++i) {
    const uint32_t turn = static_cast<uint32_t>(i / 2 & 1);
    if (bug != kNoWait) gpu::mbarrier_wait(full + i % 2, bug == kWrongParity ? turn ^ 1 : turn);
    y[i * kTile + t - 32] = ring[i % 2 * kTile + kTile - 1 - (t - 32)];
    gpu::mbarrier_arrive(empty + i % 2);
  }
}

template <RingBug bug>
int ring_failures() {
  alignas(16) static float x[kTiles * kTile];
  for (int i = 0; i < kTiles * kTile; ++i) x[i] = static_cast<float>(i);
  return failures([] {
    std::vector<float> y(kTiles * kTile, -1.f);
    gpu_launch(reverse_ring<bug>, 1, kTile + 32, 2 * kTile * sizeof(float), nullptr, x, y.data());
    for (int i = 0; i < kTiles * kTile; ++i) {
      if (y[static_cast<size_t>(i)] != x[i / kTile * kTile + kTile - 1 - i % kTile]) return false;
    }
    return true;
  });
}

TEST(SimtAsync, RingOfBulkCopiesPassesEverySchedule) { EXPECT_EQ(0, ring_failures<kNoBug>()); }
TEST(SimtAsync, CatchesMissingMbarrierWait) { EXPECT_GT(ring_failures<kNoWait>(), 0); }
TEST(SimtAsync, CatchesWrongPhaseParity) { EXPECT_GT(ring_failures<kWrongParity>(), 0); }
TEST(SimtAsync, CatchesWrongCountsOfBytes) {
  EXPECT_EQ(4, ring_failures<kTooFewBytes>());
  EXPECT_EQ(4, ring_failures<kTooManyBytes>());
}
TEST(SimtAsync, CatchesRingReusedTooEarly) { EXPECT_GT(ring_failures<kReusedTooEarly>(), 0); }
TEST(SimtAsync, CatchesInitialisationWithoutFence) { EXPECT_EQ(4, ring_failures<kNoInitFence>()); }
TEST(SimtAsync, CatchesArrivalsThatNeverCome) { EXPECT_EQ(4, ring_failures<kTooFewArrivals>()); }
TEST(SimtAsync, CatchesCopiesThatNobodyWaitsFor) { EXPECT_EQ(4, ring_failures<kNobodyWaits>()); }
TEST(SimtAsync, ReportsBulkCopiesMisalignedOrOutside) {
  EXPECT_EQ(4, ring_failures<kMisaligned>());
  EXPECT_EQ(4, ring_failures<kOutside>());
}

/// A warp's cp.async that another warp waits for.
template <bool arrive>
void async_handover(const float* x, float* y) {
  SNS_SHARED(float, tile, 128);
  SNS_SHARED(uint64_t, full, 1);
  const unsigned t = threadIdx.x;
  if (t == 0) {
    gpu::mbarrier_init(full, 32);
    gpu::mbarrier_init_fence();
  }
  __syncthreads();
  if (t < 32) {
    gpu::cp_async16(tile + 4 * t, x + 4 * t, true);
    if (arrive) gpu::cp_async_arrive(full);
    gpu::mbarrier_arrive(full);
    return;
  }
  gpu::mbarrier_wait(full, 0);
  for (unsigned i = t - 32; i < 128; i += 32) y[i] = tile[127 - i];
}
template <bool arrive>
int handover_failures() {
  alignas(16) static float x[128];
  for (int i = 0; i < 128; ++i) x[i] = static_cast<float>(i);
  return failures([] {
    float y[128];
    gpu_launch(async_handover<arrive>, 1, 64, 0, nullptr, x, y);
    for (int i = 0; i < 128; ++i) {
      if (y[i] != x[127 - i]) return false;
    }
    return true;
  });
}
TEST(SimtAsync, MbarrierWaitsForCpAsync) {
  EXPECT_EQ(0, handover_failures<true>());
  EXPECT_EQ(2, handover_failures<false>());  // where copies land at their wait
}

// ---- wgmma: c[64×128] = a·bᵀ over two tiles of 64 columns, each in the same buffer
// ------------------------------

enum WgmmaBug {
  kCorrect,
  kNoMbarrierWait,
  kNoFence,
  kFenceBeforeRegisters,
  kNoWgmmaWait,
  kSumsTouched,
  kFragmentsTouched,
  kBufferReused,
  kPlainRows,
  kWrongRow,
  kDescriptorOutside,
  kThreadsWrite,
  kOneWarpLess,
};

template <WgmmaBug bug>
void wgmma_product(const uint16_t* a, const uint16_t* b, float* c) {
  SNS_DYNAMIC_SHARED(uint16_t, tile);
  SNS_SHARED(uint64_t, full, 1);
  const unsigned t = threadIdx.x, lane = t % 32, row = t / 32 * 16 + lane / 4;
  if (t == 0) {
    gpu::mbarrier_init(full, 1);
    gpu::mbarrier_init_fence();
  }
  __syncthreads();
  float d[64] = {};
  uint32_t fragment[2][4] = {};
  const auto load = [&](int step) {
    if (t != 0) return;
    constexpr uint32_t kBytes = LinearTiles::kElements * 2;
    gpu::mbarrier_expect(full, kBytes);
    gpu::mbarrier_arrive(full);
    gpu::bulk_copy(tile, b + step * LinearTiles::kElements, kBytes, full);
  };
  load(0);
  for (int step = 0; step < 2; ++step) {
    if (bug == kThreadsWrite && step == 1) {
      for (unsigned i = t; i < LinearTiles::kElements; i += 128) tile[i] = b[LinearTiles::kElements + i];
      __syncthreads();
    } else if (bug != kNoMbarrierWait) {
      gpu::mbarrier_wait(full, static_cast<uint32_t>(step));
    }
    for (int k = 0; k < 64; k += 16) {
      uint32_t(&f)[4] = fragment[k / 16 % 2];
      if (bug == kFenceBeforeRegisters) gpu::wgmma_fence();
      for (unsigned i = 0; i < 4; ++i) {
        std::memcpy(&f[i], a + (row + i % 2 * 8) * 128 + unsigned(step * 64 + k) + lane % 4 * 2 + i / 2 * 8,
                    4);
      }
      if (bug != kNoFence && bug != kFenceBeforeRegisters) gpu::wgmma_fence();
      const int at = bug == kWrongRow ? 64 + k : bug == kDescriptorOutside && k > 0 ? 64 * 128 + k : k;
      if (bug != kOneWarpLess || t < 96 || step * 64 + k < 112) {
        gpu::wgmma_bf16(d, f, gpu::wgmma_descriptor(tile + at));
      }
      gpu::wgmma_commit();
      if (bug == kFragmentsTouched) f[0] = 0;
      if (bug != kNoWgmmaWait) gpu::wgmma_wait<1>();
      if (bug == kSumsTouched && step == 0 && k == 16) d[5] = 0;
    }
    if (bug != kNoWgmmaWait && bug != kBufferReused) gpu::wgmma_wait<0>();
    __syncthreads();
    if (step == 0 && bug != kThreadsWrite) load(1);
  }
  if (bug == kBufferReused) gpu::wgmma_wait<0>();
  for (unsigned i = 0; i < 64; ++i) {
    c[(row + i / 2 % 2 * 8) * 128 + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
  }
}

template <WgmmaBug bug>
int wgmma_failures() {
  Random random(11);
  static uint16_t a[64 * 128];
  alignas(16) static uint16_t b[128 * 128];
  static float weight[128 * 128];
  for (int r = 0; r < 128; ++r) {
    for (int k = 0; k < 128; ++k) {
      if (r < 64) a[r * 128 + k] = to_bf16(static_cast<float>(random.normal()));
      const uint16_t v = to_bf16(static_cast<float>(random.normal()));
      weight[r * 128 + k] = from_bf16(v);
      b[bug == kPlainRows ? (k / 64 * 128 + r) * 64 + k % 64 : LinearTiles::at(r, k, 128)] = v;
    }
  }
  return failures([] {
    std::vector<float> c(64 * 128);
    gpu_launch(wgmma_product<bug>, 1, 128, LinearTiles::kElements * 2, nullptr, a, b, c.data());
    for (int r = 0; r < 64; ++r) {
      for (int n = 0; n < 128; ++n) {
        double sum = 0;
        for (int k = 0; k < 128; ++k) sum += double{from_bf16(a[r * 128 + k])} * double{weight[n * 128 + k]};
        if (!(std::abs(sum - double{c[static_cast<size_t>(r * 128 + n)]}) < 1e-4)) return false;
      }
    }
    return true;
  });
}

TEST(SimtAsync, WgmmaMatchesPlainLoops) { EXPECT_EQ(0, wgmma_failures<kCorrect>()); }
TEST(SimtAsync, CatchesWgmmaBeforeItsDataIsThere) { EXPECT_GT(wgmma_failures<kNoMbarrierWait>(), 0); }
TEST(SimtAsync, CatchesMissingWgmmaFence) {
  EXPECT_EQ(4, wgmma_failures<kNoFence>());
  EXPECT_EQ(4, wgmma_failures<kFenceBeforeRegisters>());
}
TEST(SimtAsync, CatchesMissingWgmmaWait) { EXPECT_EQ(4, wgmma_failures<kNoWgmmaWait>()); }
TEST(SimtAsync, CatchesRegistersTouchedInFlight) {
  EXPECT_EQ(4, wgmma_failures<kSumsTouched>());
  EXPECT_EQ(4, wgmma_failures<kFragmentsTouched>());
}
TEST(SimtAsync, CatchesBufferReusedBeforeWgmmaWait) { EXPECT_EQ(2, wgmma_failures<kBufferReused>()); }
TEST(SimtAsync, CatchesWrongSwizzle) { EXPECT_EQ(4, wgmma_failures<kPlainRows>()); }
TEST(SimtAsync, ChecksDescriptors) {
  EXPECT_EQ(4, wgmma_failures<kWrongRow>());
  EXPECT_EQ(4, wgmma_failures<kDescriptorOutside>());
}
TEST(SimtAsync, CatchesStoresThatWgmmaDoesNotSee) { EXPECT_EQ(4, wgmma_failures<kThreadsWrite>()); }
TEST(SimtAsync, CatchesAWarpThatStaysAway) { EXPECT_EQ(4, wgmma_failures<kOneWarpLess>()); }

}  // namespace
}  // namespace sns
