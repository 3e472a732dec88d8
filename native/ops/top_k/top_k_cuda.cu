#include "ops/top_k/top_k_cuda.h"

#include "backend/cuda/grid.h"
#include "backend/cuda/reduce.h"
#include "backend/cuda/tuning.h"
#include "ops/top_k/top_k_screen.h"

namespace sns {
namespace {

constexpr int kLanes = TopKCudaVectors::kLanes;
constexpr int kWarps = 8, kThreads = 32 * kWarps;
constexpr unsigned kAll = 0xFFFFFFFFu;
constexpr int64_t kNone = INT64_MAX;  // the id of a place that nothing has taken

struct Neighbour {
  double score;
  int64_t id;
};

/// Whether a comes behind b.
__device__ inline bool behind(const Neighbour& a, const Neighbour& b) {
  return a.score < b.score || (a.score == b.score && a.id > b.id);
}

/// A warp's 32·kRegisters best so far, in order: place p is register p / 32 of lane p % 32.
template <int kRegisters>
struct Best {
  Neighbour place[kRegisters];

  __device__ Best() {
    SNS_UNROLL
    for (int r = 0; r < kRegisters; ++r) place[r] = {-INFINITY, kNone};
  }
  /// The one in place k − 1.
  __device__ Neighbour last(int64_t k) const {
    Neighbour n = place[0];
    SNS_UNROLL
    for (int r = 1; r < kRegisters; ++r) {
      if (r == (k - 1) / 32) n = place[r];
    }
    const int from = static_cast<int>((k - 1) % 32);
    return {__shfl_sync(kAll, n.score, from), __shfl_sync(kAll, n.id, from)};
  }
  /// Every lane brings the same one. All places behind it move up by one, the last falls out.
  __device__ void insert(const Neighbour& n, int lane) {
    Neighbour turned = turn(place[kRegisters - 1], lane);
    SNS_UNROLL
    for (int r = kRegisters - 1; r >= 0; --r) {
      const Neighbour earlier = r > 0 ? turn(place[r - 1], lane) : n;
      const Neighbour before = lane == 0 ? earlier : turned;
      if (behind(place[r], n)) place[r] = behind(before, n) ? before : n;
      turned = earlier;
    }
  }
  /// Each lane gets the one of the lane before it, the first that of the last.
  static __device__ Neighbour turn(const Neighbour& n, int lane) {
    return {__shfl_sync(kAll, n.score, lane + 31), __shfl_sync(kAll, n.id, lane + 31)};
  }
  /// Puts in those of the lanes' candidates that come before place k − 1; returns whether there was one.
  __device__ bool take(const Neighbour& mine, bool there, int64_t k, int lane) {
    const Neighbour worst = last(k);
    unsigned live = __ballot_sync(kAll, there && behind(worst, mine));
    const bool any = live != 0;
    for (int from = 0; live != 0; ++from, live >>= 1) {
      if (live & 1) insert({__shfl_sync(kAll, mine.score, from), __shfl_sync(kAll, mine.id, from)}, lane);
    }
    return any;
  }
  __device__ void store(Neighbour* out, int64_t k, int lane) const {
    SNS_UNROLL
    for (int r = 0; r < kRegisters; ++r) {
      if (r * 32 + lane < k) out[r * 32 + lane] = place[r];
    }
  }
};

/// How one block of queries is dealt out: a warp takes kTile queries and one of `parts` of the groups.
struct Plan {
  TopKCudaVectors vectors;
  TopKArgs args;
  double root;  ///< √dim: a query is at most so many times as long as its largest value
  int64_t groups, per_part, parts;
  Neighbour* found;  ///< [queries of the block, parts, k]
};

/// Products of two floats are exact in double, so that contraction changes nothing: the oracle's own sum.
__device__ inline double exact_score(const float* query, const float* vector, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) sum += double{query[i]} * double{vector[i * kLanes]};
  return sum;
}

template <int kRegisters, int kTile>
__global__ void __launch_bounds__(kThreads, 1) top_k_search_kernel(Plan plan) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const gpu::BlockAt at(ceil_div(plan.parts, kWarps));
  const int64_t part = at.x * kWarps + threadIdx.x / 32, first = at.y * kTile;
  if (part >= plan.parts) return;
  const int64_t dim = plan.vectors.dim, k = plan.args.k;
  const float* query[kTile];  // past the last query: the last again
  double error[kTile];
  float threshold[kTile];
  Best<kRegisters> best[kTile];
  SNS_UNROLL
  for (int q = 0; q < kTile; ++q) {
    query[q] = plan.args.queries + (first + q < plan.args.n ? first + q : plan.args.n - 1) * dim;
    float largest = 0;
    for (int64_t i = lane; i < dim; i += 32) largest = fmaxf(largest, fabsf(query[q][i]));
    largest = gpu::warp_reduce(largest, [](float a, float b) { return fmaxf(a, b); });
    error[q] = score_error(plan.root * double{largest}, plan.vectors.longest, dim);
    threshold[q] = -INFINITY;
  }
  const int64_t begin = part * plan.per_part;
  const int64_t end = begin + plan.per_part < plan.groups ? begin + plan.per_part : plan.groups;
  for (int64_t g = begin; g < end; ++g) {
    const float* vector = plan.vectors.groups + g * dim * kLanes + lane;
    float score[kTile] = {};
    for (int64_t i = 0; i < dim; ++i) {
      const float x = vector[i * kLanes];
      SNS_UNROLL
      for (int q = 0; q < kTile; ++q) score[q] += query[q][i] * x;
    }
    const int64_t id = g * kLanes + lane;
    SNS_UNROLL
    for (int q = 0; q < kTile; ++q) {
      // Not '>=': what overflowed to NaN is not lost.
      const bool there = id < plan.vectors.count && !(score[q] < threshold[q]);
      if (!__any_sync(kAll, there)) continue;
      const Neighbour mine{there ? exact_score(query[q], vector, dim) : 0.0, id};
      if (!best[q].take(mine, there, k, lane)) continue;
      const Neighbour last = best[q].last(k);
      if (last.id != kNone) threshold[q] = score_threshold(last.score, error[q]);
    }
  }
  SNS_UNROLL
  for (int q = 0; q < kTile; ++q) {
    if (first + q < plan.args.n) {
      best[q].store(plan.found + ((first + q) * plan.parts + part) * k, k, lane);
    }
  }
}

/// A block a query: its warps share what was found in the parts, then the first takes what they kept.
template <int kRegisters>
__global__ void __launch_bounds__(kThreads) top_k_merge_kernel(Plan plan) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t query = blockIdx.x, k = plan.args.k;
  Neighbour* found = plan.found + query * plan.parts * k;
  const int64_t warps = plan.parts < kWarps ? plan.parts : kWarps;
  Best<kRegisters> best;
  const auto merge = [&](const Neighbour* from, int64_t count) {
    for (int64_t i = 0; i < count; i += 32) {
      const bool there = i + lane < count;
      const Neighbour mine = there ? from[i + lane] : Neighbour{-INFINITY, kNone};
      best.take(mine, there, k, lane);
    }
  };
  if (warp < warps) {
    for (int64_t part = warp; part < plan.parts; part += warps) merge(found + part * k, k);
    best.store(found + warp * k, k, lane);  // where it has read itself
  }
  __syncthreads();
  if (warp != 0) return;
  merge(found + k, (warps - 1) * k);
  SNS_UNROLL
  for (int r = 0; r < kRegisters; ++r) {
    const int64_t p = r * 32 + lane;
    if (p >= k) continue;
    const bool there = best.place[r].id != kNone;
    plan.args.ids[query * k + p] = there ? best.place[r].id : -1;
    plan.args.scores[query * k + p] = static_cast<float>(best.place[r].score);
  }
}

int64_t tile_of(int64_t k) { return k <= 32 * 4 ? gpu::kTopKTile : 1; }

/// For the first block of queries, which is the largest.
Plan make_plan(const TopKCudaVectors& vectors, const TopKArgs& args) {
  const double root = sqrt(static_cast<double>(vectors.dim));
  Plan p{vectors, args, root, ceil_div(vectors.count, kLanes), 1, 1, nullptr};
  if (p.args.n > gpu::kTopKQueries) p.args.n = gpu::kTopKQueries;
  const int64_t tiles = ceil_div(p.args.n, tile_of(args.k));
  const int64_t wanted = ceil_div(gpu::kTopKWarps * gpu::multiprocessors(), tiles > 0 ? tiles : 1);
  // Shorter parts would mostly fill their own lists.
  const int64_t least = ceil_div(4 * args.k, kLanes);
  p.per_part = ceil_div(p.groups, wanted);
  if (p.per_part < least) p.per_part = least;
  p.parts = p.groups > 0 ? ceil_div(p.groups, p.per_part) : 1;
  return p;
}

template <int kRegisters, int kTile>
int launch(const Plan& plan, gpu::Stream stream) {
  const dim3 grid = gpu::grid_of(ceil_div(plan.parts, kWarps), ceil_div(plan.args.n, kTile));
  const int status =
      gpu::gpu_launch(top_k_search_kernel<kRegisters, kTile>, grid, dim3(kThreads), 0, stream, plan);
  if (status) return status;
  return gpu::gpu_launch(top_k_merge_kernel<kRegisters>, dim3(static_cast<unsigned>(plan.args.n)),
                         dim3(kThreads), 0, stream, plan);
}

}  // namespace

size_t top_k_cuda_workspace(const TopKCudaVectors& vectors, const TopKArgs& args) {
  const Plan p = make_plan(vectors, args);
  Carver carver(nullptr);
  carver.take<Neighbour>(checked_mul(checked_mul(p.args.n, p.parts, "n"), args.k, "k"));
  return carver.bytes();
}

int top_k_cuda(const TopKCudaVectors& vectors, const TopKArgs& args, void* workspace, void* stream) {
  Plan plan = make_plan(vectors, args);
  plan.found = Carver(workspace).take<Neighbour>(plan.args.n * plan.parts * args.k);
  for (int64_t first = 0; first < args.n; first += gpu::kTopKQueries) {
    plan.args.n = args.n - first < gpu::kTopKQueries ? args.n - first : gpu::kTopKQueries;
    plan.args.queries = args.queries + first * vectors.dim;
    plan.args.ids = args.ids + first * args.k;
    plan.args.scores = args.scores + first * args.k;
    const auto s = static_cast<gpu::Stream>(stream);
    const int status = args.k <= 32    ? launch<1, gpu::kTopKTile>(plan, s)
                       : args.k <= 128 ? launch<4, gpu::kTopKTile>(plan, s)
                                       : launch<32, 1>(plan, s);
    if (status) return status;
  }
  return 0;
}

}  // namespace sns
