#pragma once

// One tile of A·Bᵀ on tensor cores: bfloat16 products, fp32 sums, operands from a pipeline of cp.async
// stages. An operand says how it is staged and read back as fragments; float operands are split into high and
// low bfloat16 parts on the way to the tensor core, which gives fp32 accuracy by three products.

#include "backend/cuda/grid.h"
#include "backend/cuda/tuning.h"
#include "ops/linear/linear_cuda.h"

namespace sns::gpu {

/// 0, or the error that a launcher of these kernels gives: they are built for compute capability 8.0 and up.
inline int no_tensor_kernel() { return compute_capability() < 80 ? kNoKernel : 0; }

/// Products taken per pair of fragments. A float is hi + lo to 2⁻¹⁶, hi + lo + rest to fp32.
enum class Passes {
  kOne,      ///< hi·hi
  kSplitB,   ///< hi·lo + hi·hi: A is exact in bfloat16
  kSplitAB,  ///< lo·hi + hi·lo + hi·hi: NMSE about 1e-11
  kThirds,  ///< rest·hi + hi·rest + lo·lo + lo·hi + hi·lo + hi·hi: fp32, for what goes through an exponential
};
/// Tensor cores cut off what they add, so that the error of a sum grows with its length. Where it matters,
/// this many columns are summed by themselves and the parts added in fp32, rounded.
constexpr int kSumColumns = 128;
__host__ __device__ constexpr bool sums_in_parts(Passes p) { return p != Passes::kOne; }
/// sum += part; part = 0.
template <int kCount>
__device__ inline void take_part(float (&sum)[kCount], float (&part)[kCount]) {
  SNS_UNROLL
  for (int i = 0; i < kCount; ++i) sum[i] += part[i], part[i] = 0;
}

/// Into how many parts each operand is split.
__host__ __device__ constexpr int parts_a(Passes p) {
  return p == Passes::kThirds ? 3 : p == Passes::kSplitAB ? 2 : 1;
}
__host__ __device__ constexpr int parts_b(Passes p) {
  return p == Passes::kThirds ? 3 : p == Passes::kOne ? 1 : 2;
}

/// 16 rows × 16 columns of k in the registers of a warp. [0] (row g, k 2p), [1] (row g, k 2p + 8), [2] and
/// [3] the same of row g + 8, for g = lane / 4 and p = lane % 4: two B fragments of mma.m16n8k16; its A
/// fragment is the same with [1] and [2] exchanged.
struct Fragment {
  uint32_t hi[4], lo[4] = {}, rest[4] = {};
};

/// Two neighbouring floats as packed bfloat16 parts, each what the ones before leave over.
template <int kParts>
__device__ inline void split_pair(float a, float b, int i, Fragment* f) {
  const auto leave = [&](uint32_t packed) {
    a -= from_bf16(static_cast<uint16_t>(packed));
    b -= from_bf16(static_cast<uint16_t>(packed >> 16));
  };
  f->hi[i] = pack_bf16(a, b);
  if (kParts > 1) {
    leave(f->hi[i]);
    f->lo[i] = pack_bf16(a, b);
  }
  if (kParts > 2) {
    leave(f->lo[i]);
    f->rest[i] = pack_bf16(a, b);
  }
}

/// Rows of packed weights (LinearTiles). The padding makes the eight rows of one ldmatrix fall into different
/// banks.
template <int kRows, int kK, int kParts>
struct SplitOperand {
  static constexpr int kLd = kK + 8;
  struct Stage {
    uint16_t hi[kRows * kLd];
    uint16_t lo[kParts > 1 ? kRows* kLd : 1];
    uint16_t rest[kParts > 2 ? kRows* kLd : 1];
  };
  const uint16_t *hi, *lo;
  int64_t in_padded, rows;
  const uint16_t* rest = nullptr;

  template <int kThreads>
  __device__ void load(Stage* stage, int64_t row0, int64_t k0) const {
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kK / 8; i += kThreads) {
      const int r = i / (kK / 8), c = i % (kK / 8) * 8;
      const bool valid = row0 + r < rows;
      const int64_t at = LinearTiles::at(valid ? row0 + r : 0, k0 + c, in_padded);
      cp_async16(stage->hi + r * kLd + c, hi + at, valid);
      if (kParts > 1) cp_async16(stage->lo + r * kLd + c, lo + at, valid);
      if (kParts > 2) cp_async16(stage->rest + r * kLd + c, rest + at, valid);
    }
  }
  __device__ static void read(const Stage& stage, int row, int k, int lane, Fragment* f) {
    // Matrices (row, k), (row, k + 8), (row + 8, k), (row + 8, k + 8).
    const int offset = (row + lane % 8 + lane / 16 * 8) * kLd + k + lane / 8 % 2 * 8;
    ldmatrix_x4(f->hi, stage.hi + offset);
    if (kParts > 1) ldmatrix_x4(f->lo, stage.lo + offset);
    if (kParts > 2) ldmatrix_x4(f->rest, stage.rest + offset);
  }
};

/// Rows of floats, k along memory. kAligned: base and ld are multiples of 16 bytes.
template <int kRows, int kK, int kParts, bool kAligned>
struct FloatOperand {
  static constexpr int kLd = kK + 8;
  struct Stage {
    float x[kRows * kLd];
  };
  const float* x;
  int64_t ld, rows, k;

  template <int kThreads>
  __device__ void load(Stage* stage, int64_t row0, int64_t k0) const {
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kK / 4; i += kThreads) {
      const int r = i / (kK / 4), c = i % (kK / 4) * 4;
      const int64_t left = row0 + r < rows ? k - k0 - c : 0;
      const float* from = x + (left > 0 ? (row0 + r) * ld + k0 + c : 0);
      float* to = stage->x + r * kLd + c;
      if (kAligned) {
        cp_async16_partial(to, from, left >= 4 ? 16 : left > 0 ? static_cast<int>(left) * 4 : 0);
      } else {
        for (int e = 0; e < 4; ++e) cp_async4(to + e, e < left ? from + e : x, e < left);
      }
    }
  }
  __device__ static void read(const Stage& stage, int row, int k, int lane, Fragment* f) {
    const float* at = stage.x + (row + lane / 4) * kLd + k + lane % 4 * 2;
    SNS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float* pair = at + i / 2 * 8 * kLd + i % 2 * 8;
      split_pair<kParts>(pair[0], pair[1], i, f);
    }
  }
};

/// The transposed: element (row, k) is x[k·ld + row].
template <int kRows, int kK, int kParts>
struct TransposedOperand {
  static constexpr int kLd = kRows + 4;
  struct Stage {
    float x[kK * kLd];
  };
  const float* x;
  int64_t ld, rows, k;

  template <int kThreads>
  __device__ void load(Stage* stage, int64_t row0, int64_t k0) const {
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kK; i += kThreads) {
      const int r = i % kRows, c = i / kRows;
      const bool valid = row0 + r < rows && k0 + c < k;
      cp_async4(stage->x + c * kLd + r, valid ? x + (k0 + c) * ld + row0 + r : x, valid);
    }
  }
  __device__ static void read(const Stage& stage, int row, int k, int lane, Fragment* f) {
    const float* at = stage.x + (k + lane % 4 * 2) * kLd + row + lane / 4;
    SNS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float* pair = at + i % 2 * 8 * kLd + i / 2 * 8;
      split_pair<kParts>(pair[0], pair[kLd], i, f);
    }
  }
};

/// acc += A-fragment (16 rows) · B-fragment (16 columns)ᵀ, small terms first.
template <Passes kPasses>
__device__ inline void multiply(float (&acc)[2][4], const Fragment& a, const Fragment& b) {
  const uint32_t a_hi[4] = {a.hi[0], a.hi[2], a.hi[1], a.hi[3]};
  const uint32_t a_lo[4] = {a.lo[0], a.lo[2], a.lo[1], a.lo[3]};
  SNS_UNROLL
  for (int half = 0; half < 2; ++half) {
    const uint32_t b_hi[2] = {b.hi[2 * half], b.hi[2 * half + 1]};
    const uint32_t b_lo[2] = {b.lo[2 * half], b.lo[2 * half + 1]};
    if (kPasses == Passes::kThirds) {
      const uint32_t b_rest[2] = {b.rest[2 * half], b.rest[2 * half + 1]};
      const uint32_t a_rest[4] = {a.rest[0], a.rest[2], a.rest[1], a.rest[3]};
      mma_bf16(acc[half], a_rest, b_hi);
      mma_bf16(acc[half], a_hi, b_rest);
      mma_bf16(acc[half], a_lo, b_lo);
    }
    if (parts_a(kPasses) > 1) mma_bf16(acc[half], a_lo, b_hi);
    if (parts_b(kPasses) > 1) mma_bf16(acc[half], a_hi, b_lo);
    mma_bf16(acc[half], a_hi, b_hi);
  }
}

template <class Shape, Passes kPasses, class A, class B>
struct GemmTile {
  struct Stage {
    alignas(128) typename A::Stage a;
    alignas(128) typename B::Stage b;
  };
  static constexpr int kTileLd = Shape::kN + 8;
  static constexpr size_t kTileBytes = sizeof(float) * Shape::kM * kTileLd;
  static constexpr size_t kShared = Shape::kStages * sizeof(Stage) > kTileBytes
                                        ? Shape::kStages * sizeof(Stage)
                                        : kTileBytes;
  static constexpr int kM = Shape::kWarpM / 16, kN = Shape::kWarpN / 16;

  float acc[kM][kN][2][4] = {};

  /// Whole block, once; k_steps tiles of kK columns.
  __device__ void run(const A& a, const B& b, int64_t row0, int64_t column0, int k_steps, Stage* stages) {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int row = warp / Shape::kWarpsN * Shape::kWarpM, column = warp % Shape::kWarpsN * Shape::kWarpN;
    const auto load = [&](int step) {
      Stage* stage = stages + step % Shape::kStages;
      if (step < k_steps) {
        a.template load<Shape::kThreads>(&stage->a, row0, int64_t{step} * Shape::kK);
        b.template load<Shape::kThreads>(&stage->b, column0, int64_t{step} * Shape::kK);
      }
      cp_async_commit();  // possibly empty: keeps the count of groups in step
    };
    float part[kM][kN][2][4] = {};
    auto& sum = sums_in_parts(kPasses) ? part : acc;
    for (int s = 0; s < Shape::kStages - 1; ++s) load(s);
    for (int step = 0; step < k_steps; ++step) {
      cp_async_wait<Shape::kStages - 2>();
      __syncthreads();  // step's tile is there for all, and the tile before it has been read by all
      load(step + Shape::kStages - 1);
      const Stage& stage = stages[step % Shape::kStages];
      SNS_UNROLL
      for (int k = 0; k < Shape::kK; k += 16) {
        Fragment fa[kM];
        SNS_UNROLL
        for (int m = 0; m < kM; ++m) a.read(stage.a, row + 16 * m, k, lane, &fa[m]);
        SNS_UNROLL
        for (int n = 0; n < kN; ++n) {
          Fragment fb;
          B::read(stage.b, column + 16 * n, k, lane, &fb);
          SNS_UNROLL
          for (int m = 0; m < kM; ++m) multiply<kPasses>(sum[m][n], fa[m], fb);
        }
      }
      constexpr int kSteps = kSumColumns / Shape::kK;
      if (sums_in_parts(kPasses) && (step % kSteps == kSteps - 1 || step + 1 == k_steps)) {
        SNS_UNROLL
        for (int i = 0; i < kM * kN * 2; ++i) {
          take_part(acc[i / 2 / kN][i / 2 % kN][i % 2], part[i / 2 / kN][i / 2 % kN][i % 2]);
        }
      }
    }
    cp_async_wait<0>();
  }

  /// The tile [Shape::kM][kTileLd] in the stages' memory, for all threads to read; ends the use of the
  /// stages.
  __device__ const float* to_shared(Stage* stages) const {
    auto* tile = reinterpret_cast<float*>(stages);
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int row = warp / Shape::kWarpsN * Shape::kWarpM + lane / 4;
    const int column = warp % Shape::kWarpsN * Shape::kWarpN + lane % 4 * 2;
    __syncthreads();  // the last stage has been read by all
    SNS_UNROLL
    for (int m = 0; m < kM; ++m) {
      SNS_UNROLL
      for (int n = 0; n < kN; ++n) {
        SNS_UNROLL
        for (int i = 0; i < 8; ++i) {
          tile[(row + 16 * m + i / 2 % 2 * 8) * kTileLd + column + 16 * n + i / 4 * 8 + i % 2] =
              acc[m][n][i / 4][i % 4];
        }
      }
    }
    __syncthreads();
    return tile;
  }

  /// As write() of gemm_wgmma_cuda.h, without its begin().
  template <class Out>
  __device__ void write(Stage* stages, int64_t column0, const Out& out) const {
    constexpr int kBatch = 8;
    static_assert(Shape::kM * Shape::kN % (kBatch * Shape::kThreads) == 0);
    const float* tile = to_shared(stages);
    for (int i = static_cast<int>(threadIdx.x); i < Shape::kM * Shape::kN; i += kBatch * Shape::kThreads) {
      const auto row = [&](int b) { return (i + b * Shape::kThreads) / Shape::kN; };
      const auto column = [&](int b) { return (i + b * Shape::kThreads) % Shape::kN; };
      typename Out::Read read[kBatch];
      SNS_UNROLL
      for (int b = 0; b < kBatch; ++b) read[b] = out.read(row(b), column0 + column(b));
      SNS_UNROLL
      for (int b = 0; b < kBatch; ++b) {
        out.put(row(b), column0 + column(b), tile[row(b) * kTileLd + column(b)], read[b]);
      }
    }
  }

  /// f(row in tile, column in tile, value) for every element, neighbouring threads neighbouring columns, so
  /// that global reads and writes are whole rows.
  template <class F>
  __device__ void for_each(Stage* stages, F f) const {
    const float* tile = to_shared(stages);
    for (int i = static_cast<int>(threadIdx.x); i < Shape::kM * Shape::kN; i += Shape::kThreads) {
      const int r = i / Shape::kN, c = i % Shape::kN;
      f(r, c, tile[r * kTileLd + c]);
    }
  }
};

/// For GemmTile's write(): rows[r] says where row r goes (y; null: nowhere) and what is added (position, or
/// null), as is the bias [columns], or null.
template <class Row>
struct ToRows {
  struct Read {
    float bias = 0, position = 0;
  };
  const Row* rows;
  const float* bias;
  int64_t columns;

  __device__ Read read(int r, int64_t column) const {
    const Row& row = rows[r];
    Read read;
    if (!row.y || column >= columns) return read;
    if (bias) read.bias = bias[column];
    if (row.position) read.position = row.position[column];
    return read;
  }
  __device__ void put(int r, int64_t column, float v, const Read& read) const {
    float* y = rows[r].y;
    if (y && column < columns) y[column] = v + read.bias + read.position;
  }
};

}  // namespace sns::gpu
