#include "ops/vector_quantize/nearest_cuda.h"

#include "backend/cuda/reduce.h"
#include "ops/linear/gemm_tile_cuda.h"
#include "ops/vector_quantize/exact_cuda.h"

namespace sns {
namespace {

using Shape = gpu::GemmSmall;
using A = gpu::FloatOperand<Shape::kM, Shape::kK, 2, true>;
using B = gpu::SplitOperand<Shape::kN, Shape::kK, 2>;
using Tile = gpu::GemmTile<Shape, gpu::Passes::kSplitAB, A, B>;

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr int kCell = 32;  // a lane a code
constexpr int kCellsPerTile = Shape::kN / kCell;

__host__ __device__ int64_t cells_of(int64_t size) { return ceil_div(size, Shape::kN) * kCellsPerTile; }

__device__ NearestCudaRows rows_of(const NearestCudaArgs& a) {
  return a.on_device ? *a.on_device : NearestCudaRows{a.x, a.rows, a.ldx};
}
template <class Codes>
__device__ NearestCudaRows codes_of(const Codes& c) {
  return c.on_device ? *c.on_device : NearestCudaRows{c.codes, c.size, c.ld};
}

struct Workspace {
  float* z;               ///< [rows, padded]
  double* scale;          ///< [rows] 1/‖x‖, or 1
  float* bound;           ///< [rows] of the screen's error; infinite: nothing can be ruled out
  float* maxima;          ///< [rows, cells]
  int64_t padded, cells;  ///< of the most codes
  size_t bytes;
  Workspace(int64_t size, int64_t dim, int64_t rows, void* memory) {
    padded = LinearTiles::padded(dim);
    cells = cells_of(size);
    Carver c(memory);
    z = c.take<float>(checked_mul(rows, padded, "rows"));
    scale = c.take<double>(rows);
    bound = c.take<float>(rows);
    maxima = c.take<float>(checked_mul(rows, cells, "rows"));
    bytes = c.bytes();
  }
};

/// A warp a row: its scale, z and the bound.
__global__ void __launch_bounds__(kThreads)
    nearest_rows_kernel(NearestCuda codes, NearestCudaArgs args, Workspace w) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  const NearestCudaRows rows = rows_of(args);
  if (row >= rows.count) return;
  const float* x = rows.x + row * rows.ld;
  const double scale = codes.scale ? gpu::inverse_norm_warp(x, codes.dim, lane) : 1.0;
  double square = 0;
  for (int64_t i = lane; i < w.padded; i += 32) {
    double v = 0;
    if (i < codes.dim) v = double{x[i]} * scale - (codes.mean ? double{codes.mean[i]} : 0.0);
    w.z[row * w.padded + i] = static_cast<float>(v);
    square += v * v;
  }
  square = gpu::warp_reduce(square, [](double a, double b) { return a + b; });
  if (lane != 0) return;
  const double norm = sqrt(square), n = *codes.max_norm, d = static_cast<double>(codes.dim);
  const double bound =
      (3 * (d + 16) * 0x1p-22 + 0x1p-13) * (norm * n + 0.5 * n * n) + (d + 4) * 0x1p-52 * square;
  const bool screenable = norm < 1e15 && (norm > 1e-15 || norm == 0) && n < 1e15 && (n > 1e-15 || n == 0);
  w.scale[row] = scale;
  w.bound[row] = screenable ? static_cast<float>(bound) : INFINITY;
}

__global__ void __launch_bounds__(Shape::kThreads, 2)
    nearest_screen_kernel(NearestCuda codes, NearestCudaArgs args, Workspace w) {
  SNS_DYNAMIC_SHARED(Tile::Stage, stages);
  const gpu::BlockAt at(ceil_div(codes.size, Shape::kN));
  const int64_t row0 = at.y * Shape::kM, column0 = at.x * Shape::kN;
  const int64_t rows = rows_of(args).count, size = codes_of(codes).count;
  if (row0 >= rows || column0 >= size) return;
  Tile tile;
  tile.run({w.z, w.padded, rows, w.padded}, {codes.screen.hi, codes.screen.lo, w.padded, size}, row0, column0,
           static_cast<int>(ceil_div(codes.dim, Shape::kK)), stages);
  const float* scores = tile.to_shared(stages);
  for (int i = static_cast<int>(threadIdx.x); i < Shape::kM * kCellsPerTile; i += Shape::kThreads) {
    // Neighbouring threads take neighbouring rows: their columns fall into different banks.
    const int r = i % Shape::kM, cell = i / Shape::kM;
    if (row0 + r >= rows) continue;
    float top = -INFINITY;
    for (int c = 0; c < kCell; ++c) {
      const int64_t column = column0 + cell * kCell + c;
      if (column >= size) break;
      const float h = codes.screen.bias ? codes.screen.bias[column] : 0.0f;
      top = fmaxf(top, scores[r * Tile::kTileLd + cell * kCell + c] + h);
    }
    w.maxima[(row0 + r) * w.cells + column0 / kCell + cell] = top;
  }
}

/// A warp a row.
__global__ void __launch_bounds__(kThreads)
    nearest_rank_kernel(NearestCuda codes, NearestCudaArgs args, Workspace w) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  const NearestCudaRows rows = rows_of(args);
  if (row >= rows.count) return;
  const NearestCudaRows all = codes_of(codes);
  const int cells = static_cast<int>(cells_of(all.count));
  const float* maxima = w.maxima + row * w.cells;
  const float bound = w.bound[row];
  float top = -INFINITY;
  for (int c = lane; c < cells; c += 32) top = fmaxf(top, maxima[c]);
  top = gpu::warp_reduce(top, [](float a, float b) { return fmaxf(a, b); });

  const float* x = rows.x + row * rows.ld;
  const double x_scale = w.scale[row];
  const bool dot = codes.nearness == Nearness::kDot;
  double best = dot ? -INFINITY : INFINITY;
  int64_t id = all.count;  // none yet
  for (int first = 0; first < cells; first += 32) {
    const bool mine = first + lane < cells && !(maxima[first + lane] + bound < top - bound);
    unsigned live = __ballot_sync(0xFFFFFFFFu, mine);
    for (int c = 0; live != 0; ++c, live >>= 1) {
      const int64_t code = int64_t{first + c} * kCell + lane;
      if ((live & 1) == 0 || code >= all.count) continue;
      const double v = gpu::exact(codes.nearness, x, x_scale, all.x + code * all.ld,
                                  codes.scale ? codes.scale[code] : 1.0, codes.dim);
      if (dot ? v > best : v < best) {  // codes ascend: the first of equals stays
        best = v;
        id = code;
      }
    }
  }
  for (int d = 16; d > 0; d /= 2) {
    const double other = __shfl_xor_sync(0xFFFFFFFFu, best, d);
    const int64_t other_id = __shfl_xor_sync(0xFFFFFFFFu, id, d);
    if ((dot ? other > best : other < best) || (other == best && other_id < id)) {
      best = other;
      id = other_id;
    }
  }
  if (lane != 0) return;
  args.ids[row * args.id_stride] = id < all.count ? id : 0;
  if (args.value) args.value[row] = best;
}

/// A warp a code: 1/‖c‖.
__global__ void __launch_bounds__(kThreads) code_scale_kernel(NearestCudaPack p) {
  const int64_t code = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (blockIdx.x == 0 && threadIdx.x == 0) *p.max_norm = 0;
  const NearestCudaRows codes = codes_of(p);
  if (!p.scale || code >= codes.count) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const double s = gpu::inverse_norm_warp(codes.x + code * codes.ld, p.dim, lane);
  if (lane == 0) p.scale[code] = s;
}

/// A block a dimension.
__global__ void __launch_bounds__(kThreads) code_mean_kernel(NearestCudaPack p) {
  SNS_SHARED(double, partial, kThreads / 32);
  const NearestCudaRows codes = codes_of(p);
  double sum = 0;
  for (int64_t j = threadIdx.x; j < codes.count; j += kThreads) {
    sum += double{codes.x[j * codes.ld + blockIdx.x]} * (p.scale ? p.scale[j] : 1.0);
  }
  sum = gpu::block_sum<kThreads>(sum, partial);
  if (threadIdx.x == 0) p.mean[blockIdx.x] = static_cast<float>(sum / static_cast<double>(codes.count));
}

/// A warp a code.
__global__ void __launch_bounds__(kThreads) split_code_kernel(NearestCudaPack p) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t code = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  const NearestCudaRows codes = codes_of(p);
  if (code >= codes.count) return;
  const double scale = p.scale ? p.scale[code] : 1.0;
  double square = 0;
  for (int64_t i = lane; i < p.padded; i += 32) {
    double v = 0;
    if (i < p.dim) v = double{codes.x[code * codes.ld + i]} * scale - (p.mean ? double{p.mean[i]} : 0.0);
    square += v * v;
    const auto rounded = static_cast<float>(v);
    const uint16_t h = to_bf16(rounded);
    p.hi[LinearTiles::at(code, i, p.padded)] = h;
    p.lo[LinearTiles::at(code, i, p.padded)] = to_bf16(rounded - from_bf16(h));
  }
  square = gpu::warp_reduce(square, [](double a, double b) { return a + b; });
  if (lane != 0) return;
  if (p.bias) p.bias[code] = static_cast<float>(-0.5 * square);
  union {
    float f;
    int i;
  } norm{static_cast<float>(sqrt(square) * (1 + 1e-6))};
  if (!(norm.f < INFINITY)) norm.f = INFINITY;
  atomicMax(reinterpret_cast<int*>(p.max_norm), norm.i);  // floats ≥ 0 compare as integers
}

}  // namespace

size_t nearest_cuda_workspace(int64_t size, int64_t dim, int64_t rows) {
  return Workspace(size, dim, rows, nullptr).bytes;
}

int nearest_cuda(const NearestCuda& codes, const NearestCudaArgs& args, void* workspace, void* stream) {
  if (args.rows == 0 || codes.size == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  const Workspace w(codes.size, codes.dim, args.rows, workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  const dim3 warps(static_cast<unsigned>(ceil_div(args.rows, kWarps)));
  if (const int status = gpu::gpu_launch(nearest_rows_kernel, warps, dim3(kThreads), 0, s, codes, args, w)) {
    return status;
  }
  const dim3 tiles = gpu::grid_of(ceil_div(codes.size, Shape::kN), ceil_div(args.rows, Shape::kM));
  if (const int status = gpu::gpu_launch(nearest_screen_kernel, tiles, dim3(Shape::kThreads), Tile::kShared,
                                         s, codes, args, w)) {
    return status;
  }
  return gpu::gpu_launch(nearest_rank_kernel, warps, dim3(kThreads), 0, s, codes, args, w);
}

int pack_nearest_cuda(const NearestCudaPack& p, void* stream) {
  if (p.size == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  const dim3 warps(static_cast<unsigned>(ceil_div(p.size, kWarps)));
  const auto s = static_cast<gpu::Stream>(stream);
  if (const int status = gpu::gpu_launch(code_scale_kernel, warps, dim3(kThreads), 0, s, p)) return status;
  if (p.mean) {
    const dim3 dims(static_cast<unsigned>(p.dim));
    if (const int status = gpu::gpu_launch(code_mean_kernel, dims, dim3(kThreads), 0, s, p)) return status;
  }
  return gpu::gpu_launch(split_code_kernel, warps, dim3(kThreads), 0, s, p);
}

}  // namespace sns
