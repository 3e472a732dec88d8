// Tests of the host SIMT executor itself: what it computes, and that it catches the classic bugs when
// planted.

#include <gtest/gtest.h>

#include "backend/cuda/grid.h"
#include "simt_support.h"

namespace sns {
namespace {

using gpu::gpu_launch;

void block_sum(const float* x, float* y) {
  SNS_SHARED(float, partial, 8);
  float v = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, d);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x == 0) {
    float sum = 0;
    for (unsigned w = 0; w < blockDim.x / 32; ++w) sum += partial[w];
    y[blockIdx.x] = sum;
  }
}

TEST(Simt, ReducesAcrossLanesWarpsAndBlocks) {
  std::vector<float> x(3 * 256);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97);
  EXPECT_EQ(0, failures([&] {
              float y[3];
              gpu_launch(block_sum, 3, 256, 0, nullptr, x.data(), y);
              for (int b = 0; b < 3; ++b) {
                float sum = 0;
                for (int i = 0; i < 256; ++i) sum += x[static_cast<size_t>(b * 256 + i)];
                if (y[b] != sum) return false;
              }
              return true;
            }));
}

void votes(unsigned* y) {
  const unsigned odd = __ballot_sync(0xFFFFFFFFu, threadIdx.x & 1);
  const int neighbour = __shfl_down_sync(0xFFFFFFFFu, static_cast<int>(threadIdx.x), 1);
  y[threadIdx.x] = odd + static_cast<unsigned>(neighbour) + static_cast<unsigned>(atomicAdd(y + 32, 1u) * 0);
}

TEST(Simt, ShufflesVotesAndAtomics) {
  EXPECT_EQ(0, failures([] {
              unsigned y[33] = {};
              gpu_launch(votes, 1, 32, 0, nullptr, y);
              for (unsigned i = 0; i < 32; ++i) {
                if (y[i] != 0xAAAAAAAAu + (i < 31 ? i + 1 : 31)) return false;
              }
              return y[32] == 32;
            }));
}

// Some threads run on to the next vote while others still have to read the last one.
void votes_of_blocks(int* y) {
  const int t = static_cast<int>(threadIdx.x);
  int seen = 0;
  for (int round = 0; round < 6; ++round) {
    seen = 2 * seen + (__syncthreads_or(round % 3 == 1 && t == 37) != 0);
  }
  y[t] = seen;
}
TEST(Simt, VotesOfABlock) {
  EXPECT_EQ(0, failures([] {
              int y[96];
              gpu_launch(votes_of_blocks, 1, 96, 0, nullptr, y);
              return std::all_of(y, y + 96, [](int v) { return v == 0b010010; });
            }));
}

// ---- a 16×8 tile by ldmatrix and mma against plain loops
// ----------------------------------------------------

void mma_tile(const uint16_t* a, const uint16_t* b, float* c) {
  SNS_SHARED(uint16_t, sa, 16 * 16);
  SNS_SHARED(uint16_t, sb, 16 * 16);  // [k][n], n padded to 16
  for (unsigned i = threadIdx.x; i < 256; i += 32) {
    sa[i] = a[i];
    sb[i] = b[i];
  }
  __syncwarp();
  uint32_t fa[4], fb[4];
  const unsigned l = threadIdx.x;
  gpu::ldmatrix_x4(fa, sa + (l % 16) * 16 + l / 16 * 8);
  gpu::ldmatrix_x4_trans(fb, sb + (l % 16) * 16 + l / 16 * 8);
  const uint32_t low[2] = {fb[0], fb[1]};
  float acc[4] = {};
  gpu::mma_bf16(acc, fa, low);
  for (unsigned i = 0; i < 4; ++i) c[(l / 4 + i / 2 * 8) * 8 + l % 4 * 2 + i % 2] = acc[i];
}

TEST(Simt, LdmatrixAndMmaMatchPlainLoops) {
  Random random(3);
  uint16_t a[256], b[256];
  for (int i = 0; i < 256; ++i) {
    a[i] = to_bf16(static_cast<float>(random.normal()));
    b[i] = to_bf16(static_cast<float>(random.normal()));
  }
  EXPECT_EQ(0, failures([&] {
              float c[128];
              gpu_launch(mma_tile, 1, 32, 0, nullptr, a, b, c);
              for (int r = 0; r < 16; ++r) {
                for (int n = 0; n < 8; ++n) {
                  double sum = 0;
                  for (int k = 0; k < 16; ++k) {
                    sum += double{from_bf16(a[r * 16 + k])} * double{from_bf16(b[k * 16 + n])};
                  }
                  if (std::abs(sum - c[r * 8 + n]) > 1e-4) return false;
                }
              }
              return true;
            }));
}

void one_row(const float* terms, float* c) {
  const unsigned l = threadIdx.x;
  const auto pair = [&](unsigned k) { return gpu::pack_bf16(terms[k], terms[k + 1]); };
  const uint32_t a[4] = {pair(l % 4 * 2), 0, pair(l % 4 * 2 + 8), 0}, ones[2] = {0x3F803F80u, 0x3F803F80u};
  float acc[4] = {terms[16]};
  gpu::mma_bf16(acc, a, ones);
  if (l == 0) *c = acc[0];
}
TEST(Simt, MmaCutsOffWhatItShifts) {
  const auto sum = [](std::vector<float> terms) {
    terms.resize(17);
    float c = 0;
    EXPECT_EQ(0, failures([&] { return gpu_launch(one_row, 1, 32, 0, nullptr, terms.data(), &c) == 0; }));
    return c;
  };
  const auto bits = [](int n) { return std::ldexp(1.0f, -n); };
  EXPECT_EQ(1 + bits(23), sum({1, bits(24), bits(24)}));            // a bit below the last is kept
  EXPECT_EQ(1 + bits(23), sum({1, bits(24), bits(24), bits(24)}));  // but not in the sum
  EXPECT_EQ(1, sum({1, bits(25), bits(25), bits(25), bits(25), bits(25), bits(25), bits(25)}));
  EXPECT_EQ(-1, sum({-1, -bits(25), -bits(25), -bits(25), -bits(25)}));
  EXPECT_EQ(bits(23), sum({1 + bits(7), bits(23), -1 - bits(7)}));  // no term hides another
  EXPECT_EQ(4 * bits(25), sum({bits(25), bits(25), bits(25), bits(25)}));
  std::vector<float> with_c(17, bits(25));
  with_c[16] = 1 - bits(24);  // the first eight pass 1, so that the others are lost
  EXPECT_EQ(1 + bits(23), sum(with_c));
  EXPECT_TRUE(std::isinf(sum({INFINITY, 1, 2})));
  EXPECT_TRUE(std::isnan(sum({INFINITY, -INFINITY})));
}

/// The address of a copy of nothing must be aligned as well.
void copy_nothing(const float* x) {
  SNS_DYNAMIC_SHARED(float, tile);
  gpu::cp_async16(tile + 4 * threadIdx.x, x, false);
  gpu::cp_async_commit();
  gpu::cp_async_wait<0>();
}
TEST(Simt, CatchesUnalignedCopiesOfNothing) {
  alignas(16) float x[8] = {};
  EXPECT_EQ(0, failures([&] { return gpu_launch(copy_nothing, 1, 32, 512, nullptr, x) == 0; }));
  EXPECT_EQ(4, failures([&] { return gpu_launch(copy_nothing, 1, 32, 512, nullptr, x + 1) == 0; }));
}

// ---- planted bugs: a double-buffered pipeline, each time with one line missing
// ------------------------------

enum Bug { kNoBug, kNoWait, kNoBarrierAfterLoad, kNoBarrierBeforeReuse };

/// y[tile][i] = x[tile][255 − i]: every thread reads what another one loaded.
template <int bug>
void reverse_tiles(const float* x, float* y, int tiles) {
  SNS_DYNAMIC_SHARED(float, buffer);  // two tiles of 256
  const unsigned t = threadIdx.x;
  const auto load = [&](int tile) {
    if (t < 64) gpu::cp_async16(buffer + tile % 2 * 256 + t * 4, x + tile * 256 + t * 4, true);
    gpu::cp_async_commit();
  };
  load(0);
  for (int tile = 0; tile < tiles; ++tile) {
    if (tile + 1 < tiles) {
      load(tile + 1);
      if (bug != kNoWait) gpu::cp_async_wait<1>();
    } else if (bug != kNoWait) {
      gpu::cp_async_wait<0>();
    }
    if (bug != kNoBarrierAfterLoad) __syncthreads();
    y[tile * 256 + static_cast<int>(t)] = buffer[tile % 2 * 256 + 255 - static_cast<int>(t)];
    if (bug != kNoBarrierBeforeReuse) __syncthreads();
  }
}

template <int bug>
int reverse_failures() {
  alignas(16) static float x[5 * 256];
  for (int i = 0; i < 5 * 256; ++i) x[i] = static_cast<float>(i);
  return failures([] {
    std::vector<float> y(5 * 256, -1.f);
    gpu_launch(reverse_tiles<bug>, 1, 256, 2 * 256 * sizeof(float), nullptr, x, y.data(), 5);
    for (int i = 0; i < 5 * 256; ++i) {
      if (y[static_cast<size_t>(i)] != x[i / 256 * 256 + 255 - i % 256]) return false;
    }
    return true;
  });
}

TEST(Simt, CorrectPipelinePassesEverySchedule) { EXPECT_EQ(0, reverse_failures<kNoBug>()); }
TEST(Simt, CatchesMissingWait) { EXPECT_GT(reverse_failures<kNoWait>(), 0); }
TEST(Simt, CatchesMissingBarrierAfterLoad) { EXPECT_GT(reverse_failures<kNoBarrierAfterLoad>(), 0); }
TEST(Simt, CatchesBufferReusedTooEarly) { EXPECT_GT(reverse_failures<kNoBarrierBeforeReuse>(), 0); }

/// A warp's shared exchange without __syncwarp: lanes read what others have not written yet.
template <bool sync>
void rotate_lanes(int* y) {
  SNS_SHARED(int, tile, 32);
  const unsigned t = threadIdx.x;
  for (int round = 0; round < 3; ++round) {
    tile[t] = static_cast<int>(t) + round;
    if (sync) __syncwarp();
    y[t] = tile[(t + 1) % 32];
    if (sync) __syncwarp();
  }
}
template <bool sync>
int rotate_failures() {
  return failures([] {
    int y[32];
    gpu_launch(rotate_lanes<sync>, 1, 32, 0, nullptr, y);
    for (int t = 0; t < 32; ++t) {
      if (y[t] != (t + 1) % 32 + 2) return false;
    }
    return true;
  });
}
TEST(Simt, CorrectLaneExchangePassesEverySchedule) { EXPECT_EQ(0, rotate_failures<true>()); }
TEST(Simt, CatchesMissingSyncwarp) { EXPECT_EQ(4, rotate_failures<false>()); }

/// ldmatrix of rows that another warp's copies fill, one wait too lax.
template <int pending>
void lax_wait(const uint16_t* x, uint32_t* y) {
  SNS_DYNAMIC_SHARED(uint16_t, tile);  // 3 stages of 8 rows
  const unsigned l = threadIdx.x;
  for (unsigned s = 0; s < 3; ++s) {
    if (l < 8) gpu::cp_async16(tile + (s * 8 + l) * 8, x + (s * 8 + l) * 8, true);
    gpu::cp_async_commit();
  }
  gpu::cp_async_wait<pending>();
  __syncwarp();
  uint32_t r[4];
  gpu::ldmatrix_x4(r, tile + (16 + l % 8) * 8);  // the last stage
  y[l] = r[0];
}
template <int pending>
int lax_failures() {
  alignas(16) static uint16_t x[3 * 64];
  for (uint16_t i = 0; i < 3 * 64; ++i) x[i] = i;
  return failures([] {
    uint32_t y[32];
    gpu_launch(lax_wait<pending>, 1, 32, sizeof(x), nullptr, x, y);
    for (uint32_t l = 0; l < 32; ++l) {
      const uint32_t at = 128 + l / 4 * 8 + l % 4 * 2;
      if (y[l] != (at | (at + 1) << 16)) return false;
    }
    return true;
  });
}
TEST(Simt, CatchesAWaitThatIsTooLax) {
  EXPECT_EQ(0, lax_failures<0>());
  EXPECT_EQ(2, lax_failures<1>());  // where copies land at their wait
}

void unaligned_copy(const float* x) {
  SNS_SHARED(float, tile, 64);
  gpu::cp_async16(tile + 1, x, true);
}
void unaligned_matrix() {
  SNS_SHARED(uint16_t, tile, 32 * 8 + 8);
  uint32_t r[4];
  gpu::ldmatrix_x4(r, tile + threadIdx.x * 8 + 1);
}
TEST(Simt, ReportsMisalignedCopiesAndMatrices) {
  alignas(16) static float x[4] = {};
  EXPECT_EQ(4, failures([] { return gpu_launch(unaligned_copy, 1, 32, 0, nullptr, x) == 0; }));
  EXPECT_EQ(4, failures([] { return gpu_launch(unaligned_matrix, 1, 32, 0, nullptr) == 0; }));
}

void overrun() {
  SNS_SHARED(float, tile, 32);
  tile[threadIdx.x + 1] = 1;  // the last lane writes past the end
}
void dynamic_overrun() {
  SNS_DYNAMIC_SHARED(float, tile);
  tile[threadIdx.x + 1] = 1;
}
TEST(Simt, CatchesWritesOutsideSharedMemory) {
  EXPECT_EQ(4, failures([] { return gpu_launch(overrun, 1, 32, 0, nullptr) == 0; }));
  EXPECT_EQ(4, failures([] { return gpu_launch(dynamic_overrun, 1, 32, 128, nullptr) == 0; }));
}

template <int kBytes>
void with_static() {
  SNS_SHARED(char, tile, kBytes);
  SNS_DYNAMIC_SHARED(char, more);
  tile[0] = more[0] = 1;
}
TEST(Simt, StaticAndDynamicSharedMemoryShareOneLimit) {
  constexpr size_t kAll = 227 * 1024, kUnasked = 48 * 1024;
  const auto refusals = [](auto kernel, size_t dynamic) {
    return failures([&] { return gpu_launch(kernel, 1, 32, dynamic, nullptr) == 0; });
  };
  EXPECT_EQ(0, refusals(with_static<1>, kAll - 1024));
  EXPECT_EQ(4, refusals(with_static<1>, kAll));
  EXPECT_EQ(4, refusals(with_static<1025>, kAll - 1040));  // dynamic memory starts at a multiple of 1024
  EXPECT_EQ(0, refusals(with_static<18 * 1024>, gpu::kSharedUnasked));
  EXPECT_EQ(4, refusals(with_static<18 * 1024 + 16>, gpu::kSharedUnasked));
  EXPECT_EQ(0, refusals(with_static<4096>, kUnasked));
}

void uninitialised(float* y) {
  SNS_SHARED(float, tile, 32);
  y[threadIdx.x] = tile[threadIdx.x];
}
TEST(Simt, SharedMemoryStartsAsNaN) {
  float y[32];
  gpu_launch(uninitialised, 1, 32, 0, nullptr, y);
  for (float v : y) EXPECT_TRUE(std::isnan(v));
}

void half_barrier() {
  if (threadIdx.x < 32) __syncthreads();
  if (threadIdx.x >= 32) __shfl_xor_sync(0xFFFFFFFFu, 1.0f, threadIdx.x == 40 ? 0 : 1);
  if (threadIdx.x < 32) simt::named_barrier(1, 64);
}
TEST(Simt, ReportsBarriersThatNotEveryThreadReaches) {
  EXPECT_EQ(4, failures([] { return gpu_launch(half_barrier, 1, 64, 0, nullptr) == 0; }));
}

void divergent() {
  if (threadIdx.x < 16) {
    __syncwarp();
  } else {
    __ballot_sync(0xFFFFFFFFu, 1);
  }
}
void partial_mask() {
  if (threadIdx.x < 16) __shfl_xor_sync(0x0000FFFFu, 1.0f, 1);
}
TEST(Simt, ReportsDivergentCollectives) {
  EXPECT_EQ(4, failures([] { return gpu_launch(divergent, 1, 32, 0, nullptr) == 0; }));
  EXPECT_EQ(4, failures([] { return gpu_launch(partial_mask, 1, 32, 0, nullptr) == 0; }));
}

void count_block(int64_t across, int* hits) {
  const gpu::BlockAt at(across);
  atomicAdd(hits + at.y * across + at.x, 1);
}
TEST(Simt, GridsAreAsLargeAsTheirX) {
  for (const int64_t across : {1, 7}) {
    const int64_t down = 70000 / across + 1;
    std::vector<int> hits(static_cast<size_t>(across * down));
    ASSERT_EQ(0, gpu_launch(count_block, gpu::grid_of(across, down), 1, 0, nullptr, across, hits.data()));
    EXPECT_TRUE(std::all_of(hits.begin(), hits.end(), [](int n) { return n == 1; }));
  }
  EXPECT_NE(0, gpu_launch(count_block, gpu::grid_of(1 << 20, 1 << 20), 1, 0, nullptr, 1, nullptr));
  EXPECT_NE(0, gpu_launch(count_block, dim3(1, 70000), 1, 0, nullptr, 1, nullptr));
}

TEST(Simt, IsFastEnoughForRealGrids) {
  std::vector<float> x(2000 * 256, 1.f), y(2000);
  simt::set_schedule({});
  gpu_launch(block_sum, 2000, 256, 0, nullptr, x.data(), y.data());
  for (float v : y) EXPECT_EQ(256.f, v);
}

}  // namespace
}  // namespace sns
