#pragma once

// A·Bᵀ on compute capability 9.0, for products large enough to fill the device: the same products in the same
// order as gemm_tile_cuda.h's, by wgmma. Blocks stay and take tile after tile. One warpgroup loads: A by an
// operand's cp.async, as gemm_tile_cuda.h has them, B by one bulk copy a LinearTile. The others split A into
// bfloat16 parts in their registers and multiply them with B where it lies. A ring of stages joins them:
// `full` is over when both operands are there, `empty` when they have been read.

#include "backend/cuda/hopper.h"
#include "ops/linear/gemm_tile_cuda.h"

namespace sns::gpu {

/// Blocks that stay: one a multiprocessor, or fewer.
template <class Shape>
dim3 wgmma_grid(int64_t rows, int64_t columns) {
  const int64_t tiles = ceil_div(columns, Shape::kN) * ceil_div(rows, Shape::kM), most = multiprocessors();
  return dim3(static_cast<unsigned>(tiles < most ? tiles : most));
}

/// kOtherShared: bytes of shared memory that the kernel uses beside.
template <class Shape, Passes kPasses, class A, size_t kOtherShared = 0>
class WgmmaGemm {
 public:
  struct Stage {
    alignas(1024) uint16_t b[parts_b(kPasses)][Shape::kN * Shape::kK];
    alignas(128) typename A::Stage a;
  };

 private:
  static constexpr int kWarps = Shape::kMultipliers / 32, kRows = 16;  // of a warp
  static constexpr int kColumns = 32, kOutLd = kColumns + 8;           // that a warp writes at a time
  static constexpr int kBlocks = Shape::kN / LinearTiles::kOut;        // LinearTiles side by side
  static constexpr size_t kOutBytes = sizeof(float) * kWarps * kRows * kOutLd, kBarrierBytes = 128;
  static constexpr int kFit =
      static_cast<int>((kWgmmaSharedBytes - kOutBytes - kBarrierBytes - kOtherShared) / sizeof(Stage));
  static constexpr int kStages = kFit < Shape::kMostStages ? kFit : Shape::kMostStages;
  static_assert(kStages >= 2 && Shape::kK == LinearTiles::kIn && Shape::kM == kRows * kWarps);

 public:
  struct Shared {
    Stage stages[kStages];
    float out[kWarps][kRows * kOutLd];
    uint64_t full[kStages], empty[kStages];
  };
  static_assert(sizeof(Shared) + kOtherShared <= kWgmmaSharedBytes);

  /// Whole block, all tiles of [rows, w.out]. make(row0) gives the loaders their A; `out` is copied to every
  /// warp that multiplies: out.begin(first of its 16 rows, lane), then out.read(r, column) of a few rows
  /// before out.put(r, column, value, what was read) of them, by all lanes, each with a column of its own, of
  /// which some may be past w.out.
  template <class Make, class Out>
  __device__ static void run(const LinearCudaWeights& w, int64_t rows, Shared* shared, Make make, Out out) {
    const int thread = static_cast<int>(threadIdx.x);
    if (thread == 0) {
      for (int s = 0; s < kStages; ++s) {
        mbarrier_init(shared->full + s, Shape::kLoaders);
        mbarrier_init(shared->empty + s, kWarps);
      }
      mbarrier_init_fence();
    }
    __syncthreads();
    const int64_t across = ceil_div(w.out, Shape::kN), tiles = across * ceil_div(rows, Shape::kM);
    const auto each_tile = [&](auto f) {
      for (int64_t t = blockIdx.x; t < tiles; t += gridDim.x)
        f(t / across * Shape::kM, t % across * Shape::kN);
    };
    uint32_t turn = 0;  // of the ring
    if (thread < Shape::kLoaders) {
      give_registers<Shape::kLoaderRegisters>();
      each_tile([&](int64_t row0, int64_t column0) { load(make(row0), w, row0, column0, shared, &turn); });
      cp_async_commit();
      cp_async_wait<0>();
      return;
    }
    take_registers<Shape::kMultiplierRegisters>();
    const int warp = (thread - Shape::kLoaders) / 32, lane = thread % 32;
    each_tile([&](int64_t row0, int64_t column0) {
      float acc[kBlocks][64] = {};
      multiply(w.in_padded, warp, lane, shared, &turn, acc);
      out.begin(row0 + kRows * warp, lane);
      write(acc, shared->out[warp], column0 + lane, lane, out);
    });
  }

 private:
  __device__ static void load(const A& a, const LinearCudaWeights& w, int64_t row0, int64_t column0,
                              Shared* shared, uint32_t* turn) {
    constexpr uint32_t kTileBytes = LinearTiles::kElements * sizeof(uint16_t);
    const uint16_t* parts[] = {w.hi, w.lo, w.rest};
    const int64_t left = ceil_div(w.out - column0, LinearTiles::kOut);
    const int blocks = left < kBlocks ? static_cast<int>(left) : kBlocks;
    for (int64_t k0 = 0; k0 < w.in_padded; k0 += Shape::kK, ++*turn) {
      const uint32_t slot = *turn % kStages;
      Stage* stage = shared->stages + slot;
      uint64_t* full = shared->full + slot;
      mbarrier_wait(shared->empty + slot, *turn / kStages % 2 ^ 1);
      if (threadIdx.x == 0) {
        mbarrier_expect(full, static_cast<uint32_t>(blocks * parts_b(kPasses)) * kTileBytes);
        SNS_UNROLL
        for (int n = 0; n < kBlocks; ++n) {
          if (n >= blocks) break;
          const int64_t at = LinearTiles::at(column0 + n * LinearTiles::kOut, k0, w.in_padded);
          SNS_UNROLL
          for (int p = 0; p < parts_b(kPasses); ++p) {
            bulk_copy(stage->b[p] + n * LinearTiles::kElements, parts[p] + at, kTileBytes, full);
          }
        }
      }
      a.template load<Shape::kLoaders>(&stage->a, row0, k0);
      cp_async_arrive(full);
      mbarrier_arrive(full);
    }
  }

  /// The fragments of a group are read while the one before it multiplies.
  __device__ static void multiply(int64_t in_padded, int warp, int lane, Shared* shared, uint32_t* turn,
                                  float (&acc)[kBlocks][64]) {
    uint32_t a[2][parts_a(kPasses)][4];
    float part[kBlocks][64] = {};
    auto& sum = sums_in_parts(kPasses) ? part : acc;
    for (int64_t k0 = 0; k0 < in_padded; k0 += Shape::kK, ++*turn) {
      const uint32_t slot = *turn % kStages;
      const Stage& stage = shared->stages[slot];
      mbarrier_wait(shared->full + slot, *turn / kStages % 2);
      SNS_UNROLL
      for (int k = 0; k < Shape::kK; k += 16) {
        read(stage, kRows * warp, k, lane, a[k / 16 % 2]);
        registers(sum, a[k / 16 % 2]);
        wgmma_fence();
        products(stage, k, a[k / 16 % 2], sum);
        wgmma_commit();
        wgmma_wait<1>();
        registers(sum, a[(k / 16 + 1) % 2]);
        if (k == 0 && k0 > 0) release(shared->empty + (*turn - 1) % kStages, lane);
      }
      const int64_t done = k0 + Shape::kK;
      if (sums_in_parts(kPasses) && (done % kSumColumns == 0 || done == in_padded)) {
        wgmma_wait<0>();
        registers(sum, a[0]);
        SNS_UNROLL
        for (int n = 0; n < kBlocks; ++n) take_part(acc[n], part[n]);
      }
    }
    wgmma_wait<0>();
    registers(acc, a[0]);
    release(shared->empty + (*turn - 1) % kStages, lane);
  }

  __device__ static void read(const Stage& stage, int row, int k, int lane,
                              uint32_t (&a)[parts_a(kPasses)][4]) {
    Fragment f;
    A::read(stage.a, row, k, lane, &f);
    SNS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int from = i % 2 * 2 + i / 2;
      a[0][i] = f.hi[from];
      if constexpr (parts_a(kPasses) > 1) a[1][i] = f.lo[from];
      if constexpr (parts_a(kPasses) > 2) a[2][i] = f.rest[from];
    }
  }

  /// Small terms first, as multiply() of gemm_tile_cuda.h.
  __device__ static void products(const Stage& stage, int k, const uint32_t (&a)[parts_a(kPasses)][4],
                                  float (&acc)[kBlocks][64]) {
    constexpr int kHi = 0, kLo = 1, kRest = 2;
    SNS_UNROLL
    for (int n = 0; n < kBlocks; ++n) {
      const auto product = [&](int part_a, int part_b) {
        wgmma_bf16(acc[n], a[part_a], wgmma_descriptor(stage.b[part_b] + n * LinearTiles::kElements + k));
      };
      if constexpr (kPasses == Passes::kThirds) {
        product(kRest, kHi);
        product(kHi, kRest);
        product(kLo, kLo);
      }
      if constexpr (parts_a(kPasses) > 1) product(kLo, kHi);
      if constexpr (parts_b(kPasses) > 1) product(kHi, kLo);
      product(kHi, kHi);
    }
  }

  __device__ static void registers(float (&acc)[kBlocks][64], uint32_t (&a)[parts_a(kPasses)][4]) {
    SNS_UNROLL
    for (int n = 0; n < kBlocks; ++n) wgmma_registers(acc[n]);
    SNS_UNROLL
    for (int p = 0; p < parts_a(kPasses); ++p) wgmma_registers(a[p]);
  }

  __device__ static void release(uint64_t* empty, int lane) {
    __syncwarp();
    if (lane == 0) mbarrier_arrive(empty);
  }

  /// Lanes take neighbouring columns, so that global reads and writes are whole rows. A store may be to where
  /// a later row reads, for all that the compiler knows: hence reads by the batch, which share their latency.
  template <class Out>
  __device__ static void write(const float (&acc)[kBlocks][64], float* shared, int64_t column, int lane,
                               const Out& out) {
    constexpr int kBatch = 8, kParts = kBlocks * LinearTiles::kOut / kColumns;
    SNS_NO_UNROLL
    for (int part = 0; part < kParts; ++part, column += kColumns) {
      __syncwarp();  // what was there has been read
      SNS_UNROLL
      for (int p = 0; p < kParts; ++p) {  // registers have no index
        if (p != part) continue;
        SNS_UNROLL
        for (int i = 0; i < kColumns / 2; ++i) {
          shared[(lane / 4 + i / 2 % 2 * 8) * kOutLd + i / 4 * 8 + lane % 4 * 2 + i % 2] =
              acc[p * kColumns / LinearTiles::kOut][p * kColumns % LinearTiles::kOut / 2 + i];
        }
      }
      __syncwarp();
      SNS_NO_UNROLL
      for (int r0 = 0; r0 < kRows; r0 += kBatch) {
        typename Out::Read read[kBatch];
        SNS_UNROLL
        for (int r = 0; r < kBatch; ++r) read[r] = out.read(r0 + r, column);
        SNS_UNROLL
        for (int r = 0; r < kBatch; ++r) {
          out.put(r0 + r, column, shared[(r0 + r) * kOutLd + lane], read[r]);
        }
      }
    }
  }
};

}  // namespace sns::gpu
