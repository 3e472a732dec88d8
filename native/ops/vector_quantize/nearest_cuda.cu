#include "ops/vector_quantize/nearest_cuda.h"

#include "backend/cuda/reduce.h"
#include "ops/linear/gemm_tile_cuda.h"

namespace sns {
namespace {

using Shape = gpu::GemmSmall;
using A = gpu::FloatOperand<Shape::kM, Shape::kK, 2, true>;
using B = gpu::SplitOperand<Shape::kN, Shape::kK, 2>;
using Tile = gpu::GemmTile<Shape, gpu::Passes::kSplitAB, A, B>;

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr int kCell = 32;  // a lane a code
constexpr int kCellsPerTile = Shape::kN / kCell;

struct Workspace {
  float* z;       ///< [rows, padded]
  double* scale;  ///< [rows] 1/‖x‖, or 1
  float* bound;   ///< [rows] of the screen's error; infinite: nothing can be ruled out
  float* maxima;  ///< [rows, cells]
  int64_t padded, cells;
  size_t bytes;
  Workspace(int64_t size, int64_t dim, int64_t rows, void* memory) {
    padded = LinearTiles::padded(dim);
    cells = ceil_div(size, Shape::kN) * kCellsPerTile;
    Carver c(memory);
    z = c.take<float>(checked_mul(rows, padded, "rows"));
    scale = c.take<double>(rows);
    bound = c.take<float>(rows);
    maxima = c.take<float>(checked_mul(rows, cells, "rows"));
    bytes = c.bytes();
  }
};

// exact.h without contraction into fused multiply-adds, by one warp or by one lane.

/// Four chains, one a lane, as inverse_norm keeps them; every lane gets the result.
__device__ double inverse_norm_warp(const float* v, int64_t dim, int lane) {
  double sum = 0;
  for (int64_t i = lane; lane < 4 && i < dim; i += 4) {
    const double x = v[i];
    sum = gpu::add(sum, gpu::multiply(x, x));
  }
  const double s0 = __shfl_sync(0xFFFFFFFFu, sum, 0), s1 = __shfl_sync(0xFFFFFFFFu, sum, 1);
  const double s2 = __shfl_sync(0xFFFFFFFFu, sum, 2), s3 = __shfl_sync(0xFFFFFFFFu, sum, 3);
  const double norm = sqrt(gpu::add(gpu::add(s0, s1), gpu::add(s2, s3)));
  return 1.0 / (norm < 1e-12 ? 1e-12 : norm);
}
__device__ double exact(Nearness nearness, const float* x, double x_scale, const float* c, double c_scale,
                        int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const double a = gpu::multiply(x[i], x_scale), b = gpu::multiply(c[i], c_scale);
    const double d = gpu::add(a, -b);
    sum = gpu::add(sum, nearness == Nearness::kDot ? gpu::multiply(a, b) : gpu::multiply(d, d));
  }
  return sum;
}

/// A warp a row: its scale, z and the bound.
__global__ void __launch_bounds__(kThreads)
    nearest_rows_kernel(NearestCuda codes, NearestCudaArgs args, Workspace w) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= args.rows) return;
  const float* x = args.x + row * args.ldx;
  const double scale = codes.scale ? inverse_norm_warp(x, codes.dim, lane) : 1.0;
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
  const bool screenable = norm < 1e15 && (norm > 1e-15 || norm == 0) && n < 1e15;
  w.scale[row] = scale;
  w.bound[row] = screenable ? static_cast<float>(bound) : INFINITY;
}

__global__ void __launch_bounds__(Shape::kThreads, 2)
    nearest_screen_kernel(NearestCuda codes, NearestCudaArgs args, Workspace w) {
  SNS_DYNAMIC_SHARED(Tile::Stage, stages);
  const gpu::BlockAt at(ceil_div(codes.size, Shape::kN));
  const int64_t row0 = at.y * Shape::kM, column0 = at.x * Shape::kN;
  Tile tile;
  tile.run({w.z, w.padded, args.rows, w.padded}, {codes.screen.hi, codes.screen.lo, w.padded, codes.size},
           row0, column0, static_cast<int>(ceil_div(codes.dim, Shape::kK)), stages);
  const float* scores = tile.to_shared(stages);
  for (int i = static_cast<int>(threadIdx.x); i < Shape::kM * kCellsPerTile; i += Shape::kThreads) {
    // Neighbouring threads take neighbouring rows: their columns fall into different banks.
    const int r = i % Shape::kM, cell = i / Shape::kM;
    if (row0 + r >= args.rows) continue;
    float top = -INFINITY;
    for (int c = 0; c < kCell; ++c) {
      const int64_t column = column0 + cell * kCell + c;
      if (column >= codes.size) break;
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
  if (row >= args.rows) return;
  const float* maxima = w.maxima + row * w.cells;
  const float bound = w.bound[row];
  float top = -INFINITY;
  for (int64_t c = lane; c < w.cells; c += 32) top = fmaxf(top, maxima[c]);
  top = gpu::warp_reduce(top, [](float a, float b) { return fmaxf(a, b); });

  const float* x = args.x + row * args.ldx;
  const double x_scale = w.scale[row];
  const bool dot = codes.nearness == Nearness::kDot;
  double best = dot ? -INFINITY : INFINITY;
  int64_t id = codes.size;  // none yet
  for (int64_t first = 0; first < w.cells; first += 32) {
    const bool mine = first + lane < w.cells && !(maxima[first + lane] + bound < top - bound);
    unsigned live = __ballot_sync(0xFFFFFFFFu, mine);
    for (int c = 0; live != 0; ++c, live >>= 1) {
      const int64_t code = (first + c) * kCell + lane;
      if ((live & 1) == 0 || code >= codes.size) continue;
      const double v = exact(codes.nearness, x, x_scale, codes.codes + code * codes.ld,
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
  args.ids[row * args.id_stride] = id < codes.size ? id : 0;
  if (args.value) args.value[row] = best;
}

/// A warp a code.
__global__ void __launch_bounds__(kThreads)
    normalised_codes_kernel(const float* codes, int64_t ld, int64_t size, int64_t dim, double* scale,
                            uint16_t* hi, uint16_t* lo, int64_t padded, float* max_norm) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t code = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (code >= size) return;
  const double s = inverse_norm_warp(codes + code * ld, dim, lane);
  if (lane == 0) scale[code] = s;
  if (code == 0 && lane == 0) *max_norm = 1.000001f;
  for (int64_t i = lane; i < padded; i += 32) {
    const float v = i < dim ? static_cast<float>(double{codes[code * ld + i]} * s) : 0.0f;
    const uint16_t h = to_bf16(v);
    hi[LinearTiles::at(code, i, padded)] = h;
    lo[LinearTiles::at(code, i, padded)] = to_bf16(v - from_bf16(h));
  }
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

int normalised_codes_cuda(const float* codes, int64_t ld, int64_t size, int64_t dim, double* scale,
                          uint16_t* hi, uint16_t* lo, int64_t padded, float* max_norm, void* stream) {
  if (size == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  return gpu::gpu_launch(normalised_codes_kernel, dim3(static_cast<unsigned>(ceil_div(size, kWarps))),
                         dim3(kThreads), 0, static_cast<gpu::Stream>(stream), codes, ld, size, dim, scale, hi,
                         lo, padded, max_norm);
}

}  // namespace sns
