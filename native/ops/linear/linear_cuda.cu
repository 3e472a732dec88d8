#include "backend/cuda/activation.h"
#include "backend/cuda/kernel.h"
#include "ops/linear/linear_cuda.h"

namespace sns {
namespace {

// One block makes a kBM×kBN tile of y with 4 warps of 32×32; kStages tiles of k are in flight.
constexpr int kBM = 64, kBN = 64, kBK = 32, kStages = 3;
constexpr int kThreads = 128;
// Padding makes the eight rows that one ldmatrix (or one fragment read) touches fall into different banks.
constexpr int kXRow = kBK + 8;  // floats
constexpr int kWRow = kBK + 8;  // bfloat16

struct Stage {
  float x[kBM * kXRow];
  uint16_t hi[kBN * kWRow];
  uint16_t lo[kBN * kWRow];
};
constexpr size_t kShared = kStages * sizeof(Stage);

/// x rows start anywhere: 16-byte copies where base and stride permit, else element by element.
template <bool kAligned>
__device__ void load_stage(const LinearCudaWeights& w, const LinearArgs& args, int64_t row0, int64_t column0,
                           int64_t k0, Stage* stage) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < kBM * kBK / 4; i += kThreads) {
    const int r = i / (kBK / 4), c = i % (kBK / 4) * 4;
    const int64_t row = row0 + r, k = k0 + c;
    const int64_t left = row < args.rows ? w.in - k : 0;
    const float* from = args.x + (left > 0 ? row * args.ldx + k : 0);
    float* to = stage->x + r * kXRow + c;
    if (kAligned) {
      gpu::cp_async16_partial(to, from, left >= 4 ? 16 : left > 0 ? static_cast<int>(left) * 4 : 0);
    } else {
      for (int e = 0; e < 4; ++e) gpu::cp_async4(to + e, e < left ? from + e : args.x, e < left);
    }
  }
  for (int i = thread; i < kBN * kBK / 8; i += kThreads) {
    const int r = i / (kBK / 8), c = i % (kBK / 8) * 8;
    const bool valid = column0 + r < w.out;
    const int64_t at = (valid ? column0 + r : 0) * w.in_padded + k0 + c;
    gpu::cp_async16(stage->hi + r * kWRow + c, w.hi + at, valid);
    gpu::cp_async16(stage->lo + r * kWRow + c, w.lo + at, valid);
  }
}

/// Two neighbouring floats as packed bfloat16 high parts and what those leave over.
__device__ void split(const float* pair, uint32_t* hi, uint32_t* lo) {
  const uint16_t h0 = to_bf16(pair[0]), h1 = to_bf16(pair[1]);
  const uint16_t l0 = to_bf16(pair[0] - from_bf16(h0));
  const uint16_t l1 = to_bf16(pair[1] - from_bf16(h1));
  *hi = h0 | static_cast<uint32_t>(h1) << 16;
  *lo = l0 | static_cast<uint32_t>(l1) << 16;
}

template <bool kAligned, bool kStrict>
__global__ void __launch_bounds__(kThreads) linear_kernel(LinearCudaWeights w, LinearArgs args) {
  SNS_DYNAMIC_SHARED(Stage, stages);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kBM;
  const int64_t column0 = static_cast<int64_t>(blockIdx.x) * kBN;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = warp / 2 * 32, warp_column = warp % 2 * 32;
  const int group = lane / 4, pair = lane % 4;
  float acc[2][4][4] = {};

  const int steps = static_cast<int>(w.in_padded / kBK);
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) load_stage<kAligned>(w, args, row0, column0, int64_t{s} * kBK, stages + s);
    gpu::cp_async_commit();
  }
  for (int step = 0; step < steps; ++step) {
    gpu::cp_async_wait<kStages - 2>();
    __syncthreads();  // step's tile is there for all, and the tile before it has been read by all
    const int ahead = step + kStages - 1;
    if (ahead < steps) {
      load_stage<kAligned>(w, args, row0, column0, int64_t{ahead} * kBK, stages + ahead % kStages);
    }
    gpu::cp_async_commit();  // possibly empty: keeps the count of groups in step
    const Stage& stage = stages[step % kStages];
    for (int k = 0; k < kBK; k += 16) {
      uint32_t x_hi[2][4], x_lo[2][4];
      for (int m = 0; m < 2; ++m) {
        const float* at = stage.x + (warp_row + m * 16 + group) * kXRow + k + 2 * pair;
        split(at, &x_hi[m][0], &x_lo[m][0]);
        split(at + 8 * kXRow, &x_hi[m][1], &x_lo[m][1]);
        split(at + 8, &x_hi[m][2], &x_lo[m][2]);
        split(at + 8 * kXRow + 8, &x_hi[m][3], &x_lo[m][3]);
      }
      for (int n = 0; n < 2; ++n) {  // 16 outputs at a time: matrices (n, k), (n, k+8), (n+8, k), (n+8, k+8)
        const int row = warp_column + n * 16 + lane % 8 + lane / 16 * 8;
        const int offset = row * kWRow + k + lane / 8 % 2 * 8;
        uint32_t hi[4], lo[4];
        gpu::ldmatrix_x4(hi, stage.hi + offset);
        gpu::ldmatrix_x4(lo, stage.lo + offset);
        for (int half = 0; half < 2; ++half) {
          const uint32_t b_hi[2] = {hi[2 * half], hi[2 * half + 1]},
                         b_lo[2] = {lo[2 * half], lo[2 * half + 1]};
          for (int m = 0; m < 2; ++m) {
            float(&c)[4] = acc[m][2 * n + half];
            if (kStrict) {  // small terms first
              gpu::mma_bf16(c, x_lo[m], b_hi);
              gpu::mma_bf16(c, x_hi[m], b_lo);
            }
            gpu::mma_bf16(c, x_hi[m], b_hi);
          }
        }
      }
    }
  }

  const int64_t period = args.residual_period > 0 ? args.residual_period : args.rows;
  for (int m = 0; m < 2; ++m) {
    for (int n = 0; n < 4; ++n) {
      for (int i = 0; i < 4; ++i) {
        const int64_t row = row0 + warp_row + m * 16 + group + i / 2 * 8;
        const int64_t column = column0 + warp_column + n * 8 + 2 * pair + i % 2;
        if (row >= args.rows || column >= w.out) continue;
        float v = gpu::activate(args.activation, acc[m][n][i] + (w.bias ? w.bias[column] : 0.0f));
        if (args.residual) v += args.residual[row % period * args.ld_residual + column];
        args.y[row * args.ldy + column] = v;
      }
    }
  }
}

}  // namespace

int linear_cuda(const LinearCudaWeights& w, const LinearArgs& args, Precision precision, void* stream) {
  if (args.rows == 0) return 0;
  const dim3 grid(static_cast<unsigned>((w.out + kBN - 1) / kBN),
                  static_cast<unsigned>((args.rows + kBM - 1) / kBM));
  const bool aligned = reinterpret_cast<uintptr_t>(args.x) % 16 == 0 && args.ldx % 4 == 0;
  const bool strict = precision == Precision::kStrict;
  const auto kernel = strict ? (aligned ? linear_kernel<true, true> : linear_kernel<false, true>)
                             : (aligned ? linear_kernel<true, false> : linear_kernel<false, false>);
  return gpu::gpu_launch(kernel, grid, dim3(kThreads), kShared, static_cast<gpu::Stream>(stream), w, args);
}

}  // namespace sns
