#include "ops/token_merge/token_merge_cuda.h"

#include "backend/cuda/kernel.h"
#include "ops/vector_quantize/nearest_cuda.h"

namespace sns {
namespace {

constexpr int kThreads = 128;
constexpr int kScanThreads = 256;

/// Sizes of the split into candidates A (even rows) and targets B (odd rows), and what is known of each.
struct Merge {
  int64_t a_rows, b_rows, kept;
  int64_t first_a, first_b;  ///< that are not protected
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

  __host__ __device__ int64_t candidates() const { return a_rows - first_a; }
  __host__ __device__ int64_t targets() const { return b_rows - first_b; }

  Merge(const TokenMergeArgs& args, void* workspace) {
    a_rows = (args.rows + 1) / 2, b_rows = args.rows / 2, kept = a_rows - args.merge;
    first_a = (args.protect + 1) / 2, first_b = args.protect / 2;
    padded = LinearTiles::padded(args.metric_dim);
    Carver c(workspace);
    scale = c.take<double>(targets());
    const int64_t rows = round_up(targets(), LinearTiles::kOut);
    hi = c.take<uint16_t>(checked_mul(rows, padded, "rows"));
    lo = c.take<uint16_t>(rows * padded);
    max_norm = c.take<float>(1);
    ids = c.take<int64_t>(candidates());
    similarity = c.take<double>(candidates());
    merged = c.take<uint8_t>(a_rows);
    to = c.take<int32_t>(a_rows);
    from = c.take<int32_t>(kept);
    const size_t own = c.bytes();
    search = workspace ? static_cast<std::byte*>(workspace) + own : nullptr;
    bytes = own + nearest_cuda_workspace(targets(), args.metric_dim, candidates());
  }
};

/// One thread an A row: is it among the `merge` most similar ones, lower rows first?
__global__ void __launch_bounds__(kThreads) choose_kernel(Merge m, int64_t merge) {
  const int64_t a = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (a >= m.a_rows) return;
  int64_t before = 0;
  const int64_t mine = a - m.first_a;
  for (int64_t p = 0; mine >= 0 && merge > 0 && p < m.candidates(); ++p) {
    const double other = m.similarity[p], own = m.similarity[mine];
    before += other > own || (other == own && p < mine);
  }
  m.merged[a] = mine >= 0 && before < merge;
}

/// One block: kept A rows get ascending output rows, merged ones their target's.
__global__ void __launch_bounds__(kScanThreads) place_kernel(Merge m, int32_t* y_index) {
  SNS_SHARED(int, counts, kScanThreads);
  const int t = static_cast<int>(threadIdx.x);
  const int64_t share = (m.a_rows + kScanThreads - 1) / kScanThreads;
  const int64_t begin = t * share < m.a_rows ? t * share : m.a_rows;
  const int64_t end = begin + share < m.a_rows ? begin + share : m.a_rows;
  int count = 0;
  for (int64_t a = begin; a < end; ++a) count += !m.merged[a];
  counts[t] = count;
  __syncthreads();
  int next = 0;
  for (int i = 0; i < t; ++i) next += counts[i];
  for (int64_t a = begin; a < end; ++a) {
    if (m.merged[a]) {
      m.to[a] = static_cast<int32_t>(m.kept + m.first_b + m.ids[a - m.first_a]);
    } else {
      m.from[next] = static_cast<int32_t>(a);
      m.to[a] = next++;
    }
    if (y_index) y_index[2 * a] = m.to[a];
  }
  for (int64_t b = t; y_index && b < m.b_rows; b += kScanThreads) {
    y_index[2 * b + 1] = static_cast<int32_t>(m.kept + b);
  }
}

/// One block an output row: a copy, or the mean of a B row and all A rows that were merged into it, in order.
__global__ void __launch_bounds__(kThreads, 4) mean_kernel(Merge m, TokenMergeArgs args) {
  SNS_SHARED(int, hits, kThreads);
  const int64_t row = blockIdx.x;
  const int t = static_cast<int>(threadIdx.x);
  const auto size = [&](int64_t r) { return args.size ? args.size[r] : 1.0f; };
  float* y = args.y + row * args.ldy;
  if (row < m.kept) {
    const int64_t source = 2 * int64_t{m.from[row]};
    for (int64_t i = t; i < args.dim; i += kThreads) y[i] = args.x[source * args.ldx + i];
    if (t == 0) args.y_size[row] = size(source);
    return;
  }
  const int64_t target = 2 * (row - m.kept) + 1;
  float total = size(target);
  for (int64_t i = t; i < args.dim; i += kThreads) y[i] = total * args.x[target * args.ldx + i];
  for (int64_t first = 0; args.merge > 0 && first < m.a_rows; first += kThreads) {
    const int64_t a = first + t;
    const int hit = a < m.a_rows && m.merged[a] && m.to[a] == row;
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

int find_pairs(const TokenMergeArgs& args, const Merge& m, void* stream) {
  const float* targets = args.metric + (2 * m.first_b + 1) * args.ld_metric;
  const int64_t ld = 2 * args.ld_metric;
  NearestCudaPack pack;
  pack.codes = targets, pack.ld = ld, pack.size = m.targets(), pack.dim = args.metric_dim;
  pack.scale = m.scale, pack.hi = m.hi, pack.lo = m.lo, pack.padded = m.padded, pack.max_norm = m.max_norm;
  if (const int status = pack_nearest_cuda(pack, stream)) return status;
  NearestCuda codes;
  codes.nearness = Nearness::kDot;
  codes.codes = targets, codes.ld = ld, codes.size = m.targets(), codes.dim = args.metric_dim;
  codes.scale = m.scale, codes.max_norm = m.max_norm;
  codes.screen.hi = m.hi, codes.screen.lo = m.lo, codes.screen.out = m.targets();
  codes.screen.in = args.metric_dim, codes.screen.in_padded = m.padded;
  const NearestCudaArgs nearest{
      args.metric + 2 * m.first_a * args.ld_metric, m.candidates(), ld, m.ids, 1, m.similarity};
  return nearest_cuda(codes, nearest, m.search, stream);
}

}  // namespace

size_t token_merge_cuda_workspace(const TokenMergeArgs& args) { return Merge(args, nullptr).bytes; }

int token_merge_cuda(const TokenMergeArgs& args, void* workspace, void* stream) {
  if (args.rows == 0) return 0;
  const Merge m(args, workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  if (args.merge > 0) {
    if (const int status = find_pairs(args, m, stream)) return status;
  }
  const dim3 chooses(static_cast<unsigned>(ceil_div(m.a_rows, kThreads)));
  if (const int status = gpu::gpu_launch(choose_kernel, chooses, dim3(kThreads), 0, s, m, args.merge)) {
    return status;
  }
  if (const int status = gpu::gpu_launch(place_kernel, dim3(1), dim3(kScanThreads), 0, s, m, args.y_index)) {
    return status;
  }
  return gpu::gpu_launch(mean_kernel, dim3(static_cast<unsigned>(args.rows - args.merge)), dim3(kThreads), 0,
                         s, m, args);
}

}  // namespace sns
