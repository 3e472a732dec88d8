#include "ops/vector_quantize/kmeans_cuda.h"

#include "backend/cuda/grid.h"
#include "backend/cuda/reduce.h"
#include "core/memory.h"
#include "ops/vector_quantize/exact_cuda.h"
#include "ops/vector_quantize/nearest_cuda.h"

// The sums that decide anything run in kmeans()'s order, whole rows and chunks of rows apart, so that both
// give the same codes.

namespace sns {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr int kChunk = kKMeansChunk;
constexpr int kOneBlock = 256;

struct Workspace {
  const float* x;  ///< the caller's rows, or their directions
  float* directions;
  double *distance, *chunk_sums;  ///< [rows] and [chunks]
  int64_t *previous, *members;    ///< [rows] ids of the assignment before; [k] rows of a code
  double* sums;                   ///< [k, dim]
  NearestCudaPack pack;
  void* search;
  size_t bytes;
  Workspace(const KMeansCudaArgs& a, void* workspace) {
    const bool cosine = a.metric == CodeMetric::kCosine;
    Carver c(workspace);
    directions = c.take<float>(cosine ? checked_mul(a.rows, a.dim, "rows") : 0);
    x = cosine ? directions : a.x;
    distance = c.take<double>(a.rows);
    chunk_sums = c.take<double>(ceil_div(a.rows, kChunk));
    previous = c.take<int64_t>(a.rows);
    members = c.take<int64_t>(a.k);
    sums = c.take<double>(checked_mul(a.k, a.dim, "codes"));
    pack.codes = a.codes, pack.ld = a.dim, pack.size = a.k, pack.dim = a.dim;
    pack.padded = LinearTiles::padded(a.dim);
    pack.scale = cosine ? c.take<double>(a.k) : nullptr;
    pack.mean = c.take<float>(a.dim);
    const int64_t parts = checked_mul(round_up(a.k, LinearTiles::kOut), pack.padded, "codes");
    pack.hi = c.take<uint16_t>(parts);
    pack.lo = c.take<uint16_t>(parts);
    pack.bias = c.take<float>(a.k);
    pack.max_norm = c.take<float>(1);
    const size_t own = c.bytes();
    search = workspace ? static_cast<std::byte*>(workspace) + own : nullptr;
    bytes = own + nearest_cuda_workspace(a.k, a.dim, a.rows);
  }
};

/// A warp a row.
__global__ void __launch_bounds__(kThreads) directions_kernel(KMeansCudaArgs a, float* y) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= a.rows) return;
  const float* x = a.x + row * a.dim;
  const double scale = gpu::inverse_norm_warp(x, a.dim, lane);
  for (int64_t i = lane; i < a.dim; i += 32) {
    y[row * a.dim + i] = static_cast<float>(gpu::multiply(double{x[i]}, scale));
  }
}

__global__ void __launch_bounds__(kOneBlock) start_kernel(KMeansCudaArgs a, Workspace w) {
  for (int64_t r = threadIdx.x; r < a.rows; r += kOneBlock) w.distance[r] = INFINITY, w.previous[r] = -1;
  if (threadIdx.x == 0) *a.state = {};
}

/// f(i, value) for [begin, end) one after the other, all lanes of the warp together; f says when it is
/// enough.
template <class F>
__device__ void in_order(const double* values, int64_t begin, int64_t end, int lane, F f) {
  for (int64_t first = begin; first < end; first += 32) {
    const double mine = first + lane < end ? values[first + lane] : 0;
    for (int i = 0; i < 32 && first + i < end; ++i) {
      if (f(first + i, __shfl_sync(0xFFFFFFFFu, mine, i))) return;
    }
  }
}

/// draw() of kmeans.cc by one warp.
__device__ int64_t draw(const Workspace& w, int64_t rows, double share, int lane) {
  const int64_t chunks = ceil_div(rows, kChunk);
  double total = 0;
  in_order(w.chunk_sums, 0, chunks, lane, [&](int64_t, double v) {
    total = gpu::add(total, v);
    return false;
  });
  const double target = gpu::multiply(share, total);
  double sum = 0;
  int64_t last = -1;
  bool found = false;
  in_order(w.chunk_sums, 0, chunks, lane, [&](int64_t t, double chunk) {
    if (gpu::add(sum, chunk) > target || t + 1 == chunks) {
      double inner = sum;
      const int64_t end = (t + 1) * kChunk < rows ? (t + 1) * kChunk : rows;
      in_order(w.distance, t * kChunk, end, lane, [&](int64_t r, double v) {
        if (v > 0) last = r;
        inner = gpu::add(inner, v);
        found = v > 0 && inner > target;
        return found;
      });
    }
    sum = gpu::add(sum, chunk);
    return found;
  });
  for (int64_t end = rows; last < 0 && end > 0; end = (end - 1) / 32 * 32) {
    const int64_t first = (end - 1) / 32 * 32;
    const unsigned any = __ballot_sync(0xFFFFFFFFu, first + lane < end && w.distance[first + lane] > 0);
    for (int i = 31; last < 0 && i >= 0; --i) last = any >> i & 1 ? first + i : -1;
  }
  return last;
}

/// One warp: code j becomes a row drawn in proportion to its distance from the codes so far.
__global__ void __launch_bounds__(32) draw_kernel(KMeansCudaArgs a, Workspace w, int64_t j) {
  const int lane = static_cast<int>(threadIdx.x);
  int64_t chosen = static_cast<int64_t>(gpu::multiply(a.shares[0], static_cast<double>(a.rows)));
  if (chosen > a.rows - 1) chosen = a.rows - 1;
  if (j > 0) {
    chosen = draw(w, a.rows, a.shares[j], lane);
    if (chosen < 0) chosen = j;
  }
  for (int64_t i = lane; i < a.dim; i += 32) a.codes[j * a.dim + i] = w.x[chosen * a.dim + i];
}

/// A thread a row, a block a chunk.
__global__ void __launch_bounds__(kChunk) approach_kernel(KMeansCudaArgs a, Workspace w, int64_t j) {
  SNS_SHARED(double, nearest, kChunk);
  const int64_t row = int64_t{blockIdx.x} * kChunk + threadIdx.x;
  if (row < a.rows) {
    const double d = gpu::exact(Nearness::kDistance, w.x + row * a.dim, 1.0, a.codes + j * a.dim, 1.0, a.dim);
    const double before = w.distance[row];
    nearest[threadIdx.x] = w.distance[row] = d < before ? d : before;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  double sum = 0;
  const int64_t left = a.rows - int64_t{blockIdx.x} * kChunk;
  for (int i = 0; i < kChunk && i < left; ++i) sum = gpu::add(sum, nearest[i]);
  w.chunk_sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kOneBlock) judge_kernel(KMeansCudaArgs a, Workspace w) {
  SNS_SHARED(double, partial, kOneBlock / 32);
  SNS_SHARED(int64_t, counts, kOneBlock / 32);
  double sum = 0;
  int64_t changed = 0;
  for (int64_t r = threadIdx.x; r < a.rows; r += kOneBlock) {
    sum += w.distance[r];
    changed += a.ids[r] != w.previous[r];
    w.previous[r] = a.ids[r];
  }
  sum = gpu::block_sum<kOneBlock>(sum, partial);
  changed = gpu::block_sum<kOneBlock>(changed, counts);
  if (threadIdx.x == 0) a.state->inertia = sum, a.state->changed = changed;
}

/// A block a code: the mean of its rows, taken in order; without rows it keeps its place.
__global__ void __launch_bounds__(kThreads, 4) means_kernel(KMeansCudaArgs a, Workspace w) {
  SNS_SHARED(int, hits, kThreads);
  const int t = static_cast<int>(threadIdx.x);
  const int64_t code = blockIdx.x;
  double* sum = w.sums + code * a.dim;
  for (int64_t i = t; i < a.dim; i += kThreads) sum[i] = 0;
  int64_t members = 0;
  for (int64_t first = 0; first < a.rows; first += kThreads) {
    const int hit = first + t < a.rows && a.ids[first + t] == code;
    if (__syncthreads_or(hit) == 0) continue;
    hits[t] = hit;
    __syncthreads();
    for (int h = 0; h < kThreads; ++h) {
      if (!hits[h]) continue;
      ++members;
      const float* x = w.x + (first + h) * a.dim;
      for (int64_t i = t; i < a.dim; i += kThreads) sum[i] = gpu::add(sum[i], double{x[i]});
    }
    __syncthreads();  // before hits are written again
  }
  if (t == 0) w.members[code] = members;
  for (int64_t i = t; members > 0 && i < a.dim; i += kThreads) {
    a.codes[code * a.dim + i] = static_cast<float>(sum[i] / static_cast<double>(members));
  }
}

/// A row as far away as `distance`; of equals the first counts as farther.
struct Far {
  double distance;
  int64_t row;
  __device__ bool beyond(const Far& o) const {
    return distance != o.distance ? distance > o.distance : row < o.row;
  }
};

/// One block: dead codes become the farthest rows, in order.
__global__ void __launch_bounds__(kOneBlock) revive_kernel(KMeansCudaArgs a, Workspace w) {
  SNS_SHARED(Far, of_warp, kOneBlock / 32);
  Far last{INFINITY, -1};
  for (int64_t j = 0; j < a.k; ++j) {
    if (w.members[j] > 0) continue;
    Far best{-1, a.rows};
    for (int64_t r = threadIdx.x; r < a.rows; r += kOneBlock) {
      const Far here{w.distance[r], r};
      if (last.beyond(here) && here.beyond(best)) best = here;
    }
    for (int d = 16; d > 0; d /= 2) {
      const Far other{__shfl_xor_sync(0xFFFFFFFFu, best.distance, d),
                      __shfl_xor_sync(0xFFFFFFFFu, best.row, d)};
      if (other.beyond(best)) best = other;
    }
    __syncthreads();  // the last code's have been read
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = best;
    __syncthreads();
    for (int i = 0; i < kOneBlock / 32; ++i) best = of_warp[i].beyond(best) ? of_warp[i] : best;
    if (!(best.distance > 0)) return;  // every further row sits on a code already
    last = best;
    for (int64_t i = threadIdx.x; i < a.dim; i += kOneBlock) {
      a.codes[j * a.dim + i] = w.x[best.row * a.dim + i];
    }
    if (threadIdx.x == 0) ++a.state->revived;
  }
}

}  // namespace

size_t kmeans_cuda_workspace(const KMeansCudaArgs& args) { return Workspace(args, nullptr).bytes; }

int kmeans_start_cuda(const KMeansCudaArgs& args, void* workspace, void* stream) {
  const Workspace w(args, workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  if (args.metric == CodeMetric::kCosine) {
    const int status = gpu::gpu_launch(directions_kernel, gpu::blocks(args.rows, kWarps), dim3(kThreads), 0,
                                       s, args, w.directions);
    if (status) return status;
  }
  int status = gpu::gpu_launch(start_kernel, dim3(1), dim3(kOneBlock), 0, s, args, w);
  for (int64_t j = 0; j < args.k && !status; ++j) {
    status = gpu::gpu_launch(draw_kernel, dim3(1), dim3(32), 0, s, args, w, j);
    if (!status) {
      status =
          gpu::gpu_launch(approach_kernel, gpu::blocks(args.rows, kChunk), dim3(kChunk), 0, s, args, w, j);
    }
  }
  return status;
}

int kmeans_assign_cuda(const KMeansCudaArgs& args, void* workspace, void* stream) {
  const Workspace w(args, workspace);
  if (const int status = pack_nearest_cuda(w.pack, stream)) return status;
  NearestCuda codes;
  codes.codes = args.codes, codes.ld = args.dim, codes.size = args.k, codes.dim = args.dim;
  codes.scale = w.pack.scale, codes.mean = w.pack.mean, codes.max_norm = w.pack.max_norm;
  codes.screen.hi = w.pack.hi, codes.screen.lo = w.pack.lo, codes.screen.bias = w.pack.bias;
  codes.screen.out = args.k, codes.screen.in = args.dim, codes.screen.in_padded = w.pack.padded;
  const NearestCudaArgs nearest{w.x, args.rows, args.dim, args.ids, 1, w.distance};
  if (const int status = nearest_cuda(codes, nearest, w.search, stream)) return status;
  return gpu::gpu_launch(judge_kernel, dim3(1), dim3(kOneBlock), 0, static_cast<gpu::Stream>(stream), args,
                         w);
}

int kmeans_move_cuda(const KMeansCudaArgs& args, void* workspace, void* stream) {
  const Workspace w(args, workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  const int status = gpu::gpu_launch(means_kernel, gpu::blocks(args.k, 1), dim3(kThreads), 0, s, args, w);
  return status ? status : gpu::gpu_launch(revive_kernel, dim3(1), dim3(kOneBlock), 0, s, args, w);
}

}  // namespace sns
