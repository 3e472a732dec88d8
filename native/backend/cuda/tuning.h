#pragma once

// Sizes of tiles and when to use them: what is worth changing after measuring on a new GPU. Nothing here
// changes a result beyond the order of sums.

#include <cstddef>
#include <cstdint>

namespace sns::gpu {

/// A block of kWarpsM × kWarpsN warps makes a kM × kN tile of the product; kStages tiles of kK are in flight.
template <int M, int N, int kWarpsM_, int kWarpsN_, int Stages>
struct GemmShape {
  static constexpr int kM = M, kN = N, kK = 32, kStages = Stages;
  static constexpr int kWarpsM = kWarpsM_, kWarpsN = kWarpsN_;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  static constexpr int kWarpM = M / kWarpsM, kWarpN = N / kWarpsN;
  static_assert(kWarpM % 16 == 0 && kWarpN % 16 == 0, "a warp makes whole mma tiles");
};

using GemmLarge = GemmShape<128, 64, 2, 2, 3>;  ///< 92 KiB of shared memory in STRICT: every sm_8x takes it
using GemmSmall = GemmShape<64, 64, 2, 2, 3>;
using GemmNarrow = GemmShape<32, 32, 2, 2, 4>;  ///< few rows: more blocks, deeper pipeline

/// Large tiles pay when they alone fill the device, narrow ones when small tiles would leave most of it idle.
constexpr int64_t kGemmLargeTiles = 132;
constexpr int64_t kGemmSmallTiles = 32;

/// On compute capability 9.0: a warpgroup that loads and two that multiply 64 rows each, for N columns. As
/// many stages of kK as fit, kMostStages at most.
template <int N>
struct WgmmaShape {
  static constexpr int kM = 128, kN = N, kK = 64, kMostStages = 4;
  static constexpr int kLoaders = 128, kMultipliers = 256, kThreads = kLoaders + kMultipliers;
  /// A block's 64 Ki registers are 168 a thread at first. Those that take wait for those that give, so that
  /// more than is given would never come.
  static constexpr int kFirstRegisters = 64 * 1024 / kThreads / 8 * 8;
  static constexpr int kLoaderRegisters = 72, kMultiplierRegisters = 216;
  static_assert(kLoaders * kLoaderRegisters + kMultipliers * kMultiplierRegisters <=
                kThreads * kFirstRegisters);
};
using WgmmaStrict = WgmmaShape<128>;
using WgmmaFast = WgmmaShape<256>;  ///< one product of each pair: x is read half as often
constexpr size_t kWgmmaSharedBytes = 227 * 1024;
/// Pays when tiles of 128 × 128 fill the device and are deep enough for the ring to fill.
constexpr int64_t kWgmmaDepth = 128;
inline bool gemm_wgmma(int64_t m, int64_t n, int64_t k, int64_t multiprocessors) {
  const int64_t tiles = (m + 127) / 128 * ((n + 127) / 128);
  return k >= kWgmmaDepth && tiles >= multiprocessors;
}

/// Elsewhere 0 = GemmNarrow, 1 = GemmSmall, 2 = GemmLarge.
inline int gemm_shape(int64_t m, int64_t n) {
  const auto tiles = [&](int64_t tm, int64_t tn) { return ((m + tm - 1) / tm) * ((n + tn - 1) / tn); };
  if (tiles(GemmLarge::kM, GemmLarge::kN) >= kGemmLargeTiles) return 2;
  return tiles(GemmSmall::kM, GemmSmall::kN) >= kGemmSmallTiles ? 1 : 0;
}

/// Log-mel with its projection: frames of a block, and columns of the projection at a time. Few frames are
/// spread over the device; many share what is read of the weights.
using LogMelFew = GemmShape<16, 128, 1, 4, 3>;
using LogMelMany = GemmShape<64, 64, 2, 2, 3>;
constexpr int64_t kLogMelManyFrames = 64 * 132;
inline bool log_mel_few(int64_t frames) { return frames < kLogMelManyFrames; }

/// Attention: 64 rows (queries × heads of a group) against 64 keys at a time, a warp for 16 rows.
using AttentionShape = GemmShape<64, 64, 4, 1, 2>;

/// Into how many parts the keys are split when `blocks` blocks are too few for the device: the smallest count
/// that comes within 85 % of the best wave efficiency.
inline int64_t attention_splits(int64_t blocks, int64_t key_tiles, int64_t multiprocessors) {
  if (blocks * 10 >= multiprocessors * 8) return 1;
  const int64_t most = key_tiles < 64 ? key_tiles : 64;
  const auto efficiency = [&](int64_t splits) {
    const int64_t waves = (blocks * splits + multiprocessors - 1) / multiprocessors;
    return static_cast<double>(blocks * splits) / static_cast<double>(waves * multiprocessors);
  };
  double best = 0;
  for (int64_t s = 1; s <= most; ++s) best = efficiency(s) > best ? efficiency(s) : best;
  for (int64_t s = 1; s <= most; ++s) {
    if (efficiency(s) >= 0.85 * best) return s;
  }
  return 1;
}

/// Video's colours: a block makes kRows × kColumns pixels, a lane kVector columns of a row. kChromaRows are
/// the most that a tile's windows span, whatever the height.
struct YuvTile {
  static constexpr int kVector = 4, kColumns = 32 * kVector;
  static constexpr int kRowsPerWarp = 2, kWarps = 8, kThreads = 32 * kWarps, kRows = kRowsPerWarp * kWarps;
  static constexpr int kChromaRows = kRows / 2 + 4;
};

/// Exact search: queries that share a vector in registers (where k leaves room for their lists), warps that a
/// multiprocessor is given, and queries of one launch, which bound the workspace.
constexpr int kTopKTile = 4;
constexpr int64_t kTopKWarps = 16, kTopKQueries = 256;

}  // namespace sns::gpu
