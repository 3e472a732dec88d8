#include "ops/contrastive/contrastive_cuda.h"

#include <cmath>

#include "backend/cuda/grid.h"
#include "backend/cuda/reduce.h"
#include "core/memory.h"
#include "ops/contrastive/softmax.h"
#include "ops/gemm/gemm_cuda.h"

namespace sns {
namespace {

constexpr int kThreads = 128, kColumns = 32, kLines = 8;
/// Of the logits: a thread makes kEach × kEach of a tile's, kLanes apart.
constexpr int kTile = 64, kDepth = 32, kLanes = 16, kEach = kTile / kLanes;

/// z without bias and without its diagonal, which stands apart.
struct Logits {
  int64_t n;
  float *z, *diagonal;       ///< [n, n] with kNoLogit on the diagonal; [n]
  float *row_top, *row_sum;  ///< [n] the largest logit and Σ e^(z − top); then the sums are weights
  float *column_top, *column_sum;
  ContrastiveResult* parts;  ///< [n], by row
  size_t bytes;
  Logits(int64_t count, void* workspace) : n(count) {
    Carver c(workspace);
    z = c.take<float>(checked_mul(n, n, "n"));
    for (float** p : {&diagonal, &row_top, &row_sum, &column_top, &column_sum}) *p = c.take<float>(n);
    parts = c.take<ContrastiveResult>(n);
    bytes = c.bytes();
  }
};

/// Logits go through exponentials, which tensor cores are too coarse for: they cut off what they add. Sums of
/// kDepth products are taken by themselves, so that long rows lose no digits.
__global__ void __launch_bounds__(kLanes* kLanes) logits_kernel(ContrastiveArgs args, Logits l, float scale) {
  constexpr int kLd = kDepth + 1;
  SNS_SHARED(float, a, kTile* kLd);
  SNS_SHARED(float, b, kTile* kLd);
  const gpu::BlockAt at(ceil_div(args.n, kTile));
  const int64_t row0 = at.y * kTile, column0 = at.x * kTile;
  const int y = static_cast<int>(threadIdx.x) / kLanes, x = static_cast<int>(threadIdx.x) % kLanes;
  float total[kEach][kEach] = {};
  for (int64_t k0 = 0; k0 < args.dim; k0 += kDepth) {
    __syncthreads();  // the last tile has been read
    for (int i = static_cast<int>(threadIdx.x); i < kTile * kDepth; i += kLanes * kLanes) {
      const int r = i / kDepth, k = i % kDepth;
      const bool inside = k0 + k < args.dim;
      a[r * kLd + k] = inside && row0 + r < args.n ? args.a[(row0 + r) * args.dim + k0 + k] : 0.0f;
      b[r * kLd + k] = inside && column0 + r < args.n ? args.b[(column0 + r) * args.dim + k0 + k] : 0.0f;
    }
    __syncthreads();
    float sum[kEach][kEach] = {};
    for (int k = 0; k < kDepth; ++k) {
      SNS_UNROLL
      for (int i = 0; i < kEach; ++i) {
        SNS_UNROLL
        for (int j = 0; j < kEach; ++j) {
          sum[i][j] += a[(y + i * kLanes) * kLd + k] * b[(x + j * kLanes) * kLd + k];
        }
      }
    }
    SNS_UNROLL
    for (int i = 0; i < kEach * kEach; ++i) total[i / kEach][i % kEach] += sum[i / kEach][i % kEach];
  }
  SNS_UNROLL
  for (int i = 0; i < kEach * kEach; ++i) {
    const int64_t row = row0 + y + i / kEach * kLanes, column = column0 + x + i % kEach * kLanes;
    if (row >= args.n || column >= args.n) continue;
    const float v = scale * total[i / kEach][i % kEach];
    l.z[row * args.n + column] = row == column ? kNoLogit : v;
    if (row == column) l.diagonal[row] = v;
  }
}

/// A block a row.
__global__ void __launch_bounds__(kThreads) row_stats_kernel(Logits l) {
  SNS_SHARED(float, tops, kThreads / 32);
  SNS_SHARED(double, partial, kThreads / 32);
  const float* z = l.z + int64_t{blockIdx.x} * l.n;
  float top = kNoLogit;
  for (int64_t j = threadIdx.x; j < l.n; j += kThreads) top = fmaxf(top, z[j]);
  top = gpu::warp_reduce(top, [](float a, float b) { return fmaxf(a, b); });
  if (threadIdx.x % 32 == 0) tops[threadIdx.x / 32] = top;
  __syncthreads();
  for (int w = 0; w < kThreads / 32; ++w) top = fmaxf(top, tops[w]);
  float sum = 0;
  for (int64_t j = threadIdx.x; j < l.n; j += kThreads) sum += expf(z[j] - top);
  const double total = gpu::block_sum<kThreads>(static_cast<double>(sum), partial);
  if (threadIdx.x != 0) return;
  l.row_top[blockIdx.x] = top;
  l.row_sum[blockIdx.x] = static_cast<float>(total);
}

/// A block 32 columns, a warp every kLines-th row.
__global__ void __launch_bounds__(kColumns* kLines) column_stats_kernel(Logits l) {
  SNS_SHARED(float, lines, kColumns* kLines);
  const int line = static_cast<int>(threadIdx.x) / kColumns, lane = static_cast<int>(threadIdx.x) % kColumns;
  const int64_t column = int64_t{blockIdx.x} * kColumns + lane;
  const bool real = column < l.n;
  float top = kNoLogit;
  for (int64_t i = line; real && i < l.n; i += kLines) top = fmaxf(top, l.z[i * l.n + column]);
  lines[threadIdx.x] = top;
  __syncthreads();
  for (int k = 0; k < kLines; ++k) top = fmaxf(top, lines[k * kColumns + lane]);
  float sum = 0;
  for (int64_t i = line; real && i < l.n; i += kLines) sum += expf(l.z[i * l.n + column] - top);
  __syncthreads();
  lines[threadIdx.x] = sum;
  __syncthreads();
  if (line != 0 || !real) return;
  double total = 0;
  for (int k = 0; k < kLines; ++k) total += static_cast<double>(lines[k * kColumns + lane]);
  l.column_top[column] = top;
  l.column_sum[column] = static_cast<float>(total);
}

/// A thread a pair: its two cross-entropies. From here on the sums are weights, and the diagonal's gradient
/// stands in the part's bias.
__global__ void __launch_bounds__(kThreads) pairs_kernel(Logits l) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= l.n) return;
  const double half = 0.5 / static_cast<double>(l.n);
  const Softmax along = with_diagonal(l.row_top[i], l.row_sum[i], l.diagonal[i]);
  const Softmax across = with_diagonal(l.column_top[i], l.column_sum[i], l.diagonal[i]);
  l.parts[i] = {(along.loss + across.loss) * half, 0, -(along.others + across.others) * half};
  l.row_sum[i] = along.weight;
  l.column_sum[i] = across.weight;
}

/// A block a row: z becomes dloss/dz.
__global__ void __launch_bounds__(kThreads) clip_gradient_kernel(Logits l) {
  SNS_SHARED(double, partial, kThreads / 32);
  const int64_t i = blockIdx.x;
  float* z = l.z + i * l.n;
  const float top = l.row_top[i], weight = l.row_sum[i], own = l.diagonal[i];
  const float half = 0.5f / static_cast<float>(l.n);
  float sum = 0;
  for (int64_t j = threadIdx.x; j < l.n; j += kThreads) {
    if (j == i) continue;
    const float v = z[j];
    const float along = expf(v - top) * weight, across = expf(v - l.column_top[j]) * l.column_sum[j];
    z[j] = (along + across) * half;
    sum += along * (v - own) + across * (v - l.diagonal[j]);
  }
  const double total = gpu::block_sum<kThreads>(static_cast<double>(sum), partial);
  if (threadIdx.x != 0) return;
  z[i] = static_cast<float>(l.parts[i].d_logit_bias);
  l.parts[i].d_logit_scale = total * static_cast<double>(half);
  l.parts[i].d_logit_bias = 0;  // CLIP's loss does not depend on it
}

__global__ void __launch_bounds__(kThreads) siglip_gradient_kernel(Logits l, float bias) {
  SNS_SHARED(double, partial, kThreads / 32);
  const int64_t i = blockIdx.x;
  float* z = l.z + i * l.n;
  const float share = 1.0f / static_cast<float>(l.n);
  float loss = 0, scale = 0, sum = 0;
  for (int64_t j = threadIdx.x; j < l.n; j += kThreads) {
    if (j == i) continue;
    const float v = z[j], u = v + bias, e = expf(-fabsf(u));
    loss += fmaxf(u, 0.0f) + log1pf(e);
    const float g = (u < 0 ? e : 1.0f) / (1.0f + e) * share;
    scale += g * v;
    sum += g;
    z[j] = g;
  }
  const double losses = gpu::block_sum<kThreads>(static_cast<double>(loss), partial);
  const double scales = gpu::block_sum<kThreads>(static_cast<double>(scale), partial);
  const double sums = gpu::block_sum<kThreads>(static_cast<double>(sum), partial);
  if (threadIdx.x != 0) return;
  const double n = static_cast<double>(l.n), own = l.diagonal[i], t = own + static_cast<double>(bias);
  const double g = -1 / (n * (1 + exp(t)));
  z[i] = static_cast<float>(g);
  l.parts[i] = {(losses + fmax(-t, 0.0) + log1p(exp(-fabs(t)))) / n, scales + g * own, sums + g};
}

__global__ void __launch_bounds__(kThreads)
    sum_parts_kernel(const ContrastiveResult* parts, int64_t n, ContrastiveResult* result) {
  SNS_SHARED(double, partial, kThreads / 32);
  ContrastiveResult sum;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    sum.loss += parts[i].loss;
    sum.d_logit_scale += parts[i].d_logit_scale;
    sum.d_logit_bias += parts[i].d_logit_bias;
  }
  sum.loss = gpu::block_sum<kThreads>(sum.loss, partial);
  sum.d_logit_scale = gpu::block_sum<kThreads>(sum.d_logit_scale, partial);
  sum.d_logit_bias = gpu::block_sum<kThreads>(sum.d_logit_bias, partial);
  if (threadIdx.x == 0) *result = sum;
}

int clip_gradient(const Logits& l, gpu::Stream s) {
  int status = gpu::gpu_launch(row_stats_kernel, gpu::blocks(l.n, 1), dim3(kThreads), 0, s, l);
  if (!status) {
    status =
        gpu::gpu_launch(column_stats_kernel, gpu::blocks(l.n, kColumns), dim3(kColumns * kLines), 0, s, l);
  }
  if (!status) status = gpu::gpu_launch(pairs_kernel, gpu::blocks(l.n, kThreads), dim3(kThreads), 0, s, l);
  return status ? status
                : gpu::gpu_launch(clip_gradient_kernel, gpu::blocks(l.n, 1), dim3(kThreads), 0, s, l);
}

}  // namespace

int contrastive_logits_cuda(const float* a, int64_t n, const float* b, int64_t m, int64_t dim,
                            float logit_scale, float logit_bias, float* out, Precision precision,
                            void* stream) {
  GemmArgs args;
  args.m = n, args.n = m, args.k = dim;
  args.a = a, args.lda = dim, args.b = b, args.ldb = dim, args.transpose_b = true;
  args.scale = std::exp(logit_scale), args.c = out, args.ldc = m;
  return gemm_cuda(args, logit_bias, precision, stream);
}

size_t contrastive_cuda_workspace(int64_t n) { return Logits(n, nullptr).bytes; }

int contrastive_cuda(const ContrastiveArgs& args, ContrastiveResult* result, void* workspace, void* stream) {
  const int64_t n = args.n;
  const Logits l(n, workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  if (n > 0) {
    const dim3 tiles = gpu::grid_of(ceil_div(n, kTile), ceil_div(n, kTile));
    const auto scale = static_cast<float>(std::exp(static_cast<double>(args.logit_scale)));
    int status = gpu::gpu_launch(logits_kernel, tiles, dim3(kLanes * kLanes), 0, s, args, l, scale);
    if (status) return status;
    status = args.kind == ContrastiveLoss::kClip ? clip_gradient(l, s)
                                                 : gpu::gpu_launch(siglip_gradient_kernel, gpu::blocks(n, 1),
                                                                   dim3(kThreads), 0, s, l, args.logit_bias);
    if (status) return status;
    GemmArgs back;
    back.m = back.k = back.lda = n;
    back.n = back.ldb = back.ldc = args.dim;
    back.a = l.z, back.scale = scale;
    back.b = args.b, back.c = args.da;
    status = gemm_cuda(back, 0, Precision::kStrict, stream);
    if (status) return status;
    back.transpose_a = true;
    back.b = args.a, back.c = args.db;
    status = gemm_cuda(back, 0, Precision::kStrict, stream);
    if (status) return status;
  }
  return gpu::gpu_launch(sum_parts_kernel, dim3(1), dim3(kThreads), 0, s, l.parts, n, result);
}

}  // namespace sns
