#include "ops/token_merge/token_merge_cuda.h"

#include "backend/cuda/kernel.h"

namespace sns {
namespace {

constexpr int kThreads = 128;
constexpr int kScanThreads = 256;

/// What is known of candidates and targets.
struct Workspace {
  int64_t padded;
  double* scale;      ///< [targets] 1/‖metric‖
  uint16_t *hi, *lo;  ///< [targets, padded] in LinearTiles
  float* max_norm;
  int64_t* ids;        ///< [candidates] best target, from first_b on
  double* similarity;  ///< [candidates]
  uint8_t* merged;     ///< [a_rows]
  int32_t* to;         ///< [a_rows] output row
  int32_t* from;       ///< [kept] the A row that output row is
  void* search;
  size_t bytes;

  Workspace(int64_t rows, int64_t metric_dim, void* workspace) {
    const int64_t a_rows = (rows + 1) / 2, b_rows = rows / 2;
    padded = LinearTiles::padded(metric_dim);
    Carver c(workspace);
    scale = c.take<double>(b_rows);
    const int64_t parts = checked_mul(round_up(b_rows, LinearTiles::kOut), padded, "rows");
    hi = c.take<uint16_t>(parts);
    lo = c.take<uint16_t>(parts);
    max_norm = c.take<float>(1);
    ids = c.take<int64_t>(a_rows);
    similarity = c.take<double>(a_rows);
    merged = c.take<uint8_t>(a_rows);
    to = c.take<int32_t>(a_rows);
    from = c.take<int32_t>(a_rows);
    const size_t own = c.bytes();
    search = workspace ? static_cast<std::byte*>(workspace) + own : nullptr;
    bytes = own + nearest_cuda_workspace(b_rows, metric_dim, a_rows);
  }
};

/// One thread an A row: is it among the `merge` most similar ones, lower rows first?
__global__ void __launch_bounds__(kThreads) choose_kernel(Workspace w, const TokenMergeCudaRound* round) {
  const TokenMergeSplit split(round->args);
  const int64_t a = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (a >= split.a_rows) return;
  const int64_t mine = a - split.first_a, candidates = round->candidates.count;
  int64_t before = 0;
  for (int64_t p = 0; mine >= 0 && p < candidates; ++p) {
    const double other = w.similarity[p], own = w.similarity[mine];
    before += other > own || (other == own && p < mine);
  }
  w.merged[a] = mine >= 0 && before < round->args.merge;
}

/// One block: kept A rows get ascending output rows, merged ones their target's.
__global__ void __launch_bounds__(kScanThreads) place_kernel(Workspace w, const TokenMergeCudaRound* round) {
  SNS_SHARED(int, counts, kScanThreads);
  const TokenMergeSplit split(round->args);
  int32_t* const y_index = round->args.y_index;
  const int t = static_cast<int>(threadIdx.x);
  const int64_t share = (split.a_rows + kScanThreads - 1) / kScanThreads;
  const int64_t begin = t * share < split.a_rows ? t * share : split.a_rows;
  const int64_t end = begin + share < split.a_rows ? begin + share : split.a_rows;
  int count = 0;
  for (int64_t a = begin; a < end; ++a) count += !w.merged[a];
  counts[t] = count;
  __syncthreads();
  int next = 0;
  for (int i = 0; i < t; ++i) next += counts[i];
  for (int64_t a = begin; a < end; ++a) {
    if (w.merged[a]) {
      w.to[a] = static_cast<int32_t>(split.kept + split.first_b + w.ids[a - split.first_a]);
    } else {
      w.from[next] = static_cast<int32_t>(a);
      w.to[a] = next++;
    }
    if (y_index) y_index[2 * a] = w.to[a];
  }
  for (int64_t b = t; y_index && b < split.b_rows; b += kScanThreads) {
    y_index[2 * b + 1] = static_cast<int32_t>(split.kept + b);
  }
}

/// One block an output row: a copy, or the mean of a B row and all A rows that were merged into it, in order.
__global__ void __launch_bounds__(kThreads, 4) mean_kernel(Workspace w, const TokenMergeCudaRound* round) {
  SNS_SHARED(int, hits, kThreads);
  const TokenMergeArgs args = round->args;
  const TokenMergeSplit split(args);
  const int64_t row = blockIdx.x;
  if (row >= args.rows - args.merge) return;
  const int t = static_cast<int>(threadIdx.x);
  const auto size = [&](int64_t r) { return args.size ? args.size[r] : 1.0f; };
  float* y = args.y + row * args.ldy;
  if (row < split.kept) {
    const int64_t source = 2 * int64_t{w.from[row]};
    for (int64_t i = t; i < args.dim; i += kThreads) y[i] = args.x[source * args.ldx + i];
    if (t == 0) args.y_size[row] = size(source);
    return;
  }
  const int64_t target = 2 * (row - split.kept) + 1;
  float total = size(target);
  for (int64_t i = t; i < args.dim; i += kThreads) y[i] = total * args.x[target * args.ldx + i];
  for (int64_t first = 0; args.merge > 0 && first < split.a_rows; first += kThreads) {
    const int64_t a = first + t;
    const int hit = a < split.a_rows && w.merged[a] && w.to[a] == row;
    if (__syncthreads_or(hit) == 0) continue;
    hits[t] = hit;
    __syncthreads();
    for (int h = 0; h < kThreads; ++h) {
      if (!hits[h]) continue;
      const int64_t source = 2 * (first + h);
      const float weight = size(source);
      for (int64_t i = t; i < args.dim; i += kThreads) y[i] += weight * args.x[source * args.ldx + i];
      total += weight;
    }
    __syncthreads();  // before hits are written again
  }
  for (int64_t i = t; i < args.dim; i += kThreads) y[i] /= total;
  if (t == 0) args.y_size[row] = total;
}

int find_pairs(const TokenMergeCudaRound* round, int64_t rows, int64_t metric_dim, const Workspace& w,
               void* stream) {
  NearestCudaPack pack;
  pack.size = rows / 2, pack.dim = metric_dim, pack.on_device = &round->targets;
  pack.scale = w.scale, pack.hi = w.hi, pack.lo = w.lo, pack.padded = w.padded, pack.max_norm = w.max_norm;
  if (const int status = pack_nearest_cuda(pack, stream)) return status;
  NearestCuda codes;
  codes.nearness = Nearness::kDot;
  codes.size = rows / 2, codes.dim = metric_dim, codes.on_device = &round->targets;
  codes.scale = w.scale, codes.max_norm = w.max_norm;
  codes.screen.hi = w.hi, codes.screen.lo = w.lo, codes.screen.out = rows / 2;
  codes.screen.in = metric_dim, codes.screen.in_padded = w.padded;
  NearestCudaArgs nearest;
  nearest.rows = (rows + 1) / 2, nearest.on_device = &round->candidates;
  nearest.ids = w.ids, nearest.value = w.similarity;
  return nearest_cuda(codes, nearest, w.search, stream);
}

}  // namespace

size_t token_merge_cuda_workspace(int64_t rows, int64_t metric_dim) {
  return Workspace(rows, metric_dim, nullptr).bytes;
}

int token_merge_cuda(const TokenMergeCudaRound* round, int64_t rows, int64_t left, int64_t metric_dim,
                     void* workspace, void* stream) {
  if (rows == 0) return 0;
  const Workspace w(rows, metric_dim, workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  if (const int status = find_pairs(round, rows, metric_dim, w, stream)) return status;
  const dim3 chooses(static_cast<unsigned>(ceil_div((rows + 1) / 2, kThreads)));
  if (const int status = gpu::gpu_launch(choose_kernel, chooses, dim3(kThreads), 0, s, w, round)) {
    return status;
  }
  if (const int status = gpu::gpu_launch(place_kernel, dim3(1), dim3(kScanThreads), 0, s, w, round)) {
    return status;
  }
  return gpu::gpu_launch(mean_kernel, dim3(static_cast<unsigned>(left)), dim3(kThreads), 0, s, w, round);
}

}  // namespace sns
