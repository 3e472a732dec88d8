#include "ops/bias_activation/bias_activation_cuda.h"

#include "backend/cuda/grid.h"
#include "core/checked.h"

namespace sns {
namespace {

constexpr int kThreads = 128;
constexpr int kColumns = 32, kLines = 8;  // a warp is a line of columns
constexpr int kSumLines = 32;

__global__ void __launch_bounds__(kThreads) bias_activation_kernel(BiasActivationArgs a) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= a.rows * a.dim) return;
  float z = a.x[i];
  if (a.bias) z += a.scale * a.bias[i % a.dim];
  if (a.residual) z += a.residual[i];
  if (a.z) a.z[i] = z;
  a.y[i] = static_cast<float>(activate(a.activation, double{z}));
}

/// A block 32 columns of a segment.
__global__ void __launch_bounds__(kColumns* kLines) bias_activation_grad_kernel(BiasActivationGradArgs a) {
  const gpu::BlockAt at(ceil_div(a.dim, kColumns));
  const Segment segment = a.segments[at.y];
  const int64_t column = at.x * kColumns + threadIdx.x % kColumns;
  if (column >= a.dim) return;
  const double dy = double{a.dy[at.y * a.dim + column]} / static_cast<double>(segment.count);
  for (int64_t r = static_cast<int64_t>(threadIdx.x) / kColumns; r < segment.count; r += kLines) {
    float& z = a.z[(segment.first + r) * a.dim + column];
    z = static_cast<float>(activate_slope(a.activation, double{z}) * dy);
  }
}

/// A block 32 columns, a line every kSumLines-th row; the lines' sums are added in their order.
__global__ void __launch_bounds__(kColumns* kSumLines) bias_grad_kernel(BiasGradArgs a) {
  SNS_SHARED(double, sums, kColumns* kSumLines);
  const int line = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x % kColumns;
  double sum = 0;
  for (int64_t r = line; column < a.dim && r < a.rows; r += kSumLines) sum += double{a.x[r * a.dim + column]};
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (line != 0 || column >= a.dim) return;
  for (int l = 1; l < kSumLines; ++l) sum += sums[l * kColumns + static_cast<int>(threadIdx.x)];
  a.y[column] = static_cast<float>(double{a.scale} * sum);
}

}  // namespace

int bias_activation_cuda(const BiasActivationArgs& args, void* stream) {
  if (args.rows == 0 || args.dim == 0) return 0;
  const dim3 grid = gpu::grid_of(1, ceil_div(args.rows * args.dim, kThreads));
  return gpu::gpu_launch(bias_activation_kernel, grid, dim3(kThreads), 0, static_cast<gpu::Stream>(stream),
                         args);
}

int bias_activation_grad_cuda(const BiasActivationGradArgs& args, void* stream) {
  if (args.segment_count == 0 || args.dim == 0) return 0;
  const dim3 grid = gpu::grid_of(ceil_div(args.dim, kColumns), args.segment_count);
  return gpu::gpu_launch(bias_activation_grad_kernel, grid, dim3(kColumns * kLines), 0,
                         static_cast<gpu::Stream>(stream), args);
}

int bias_grad_cuda(const BiasGradArgs& args, void* stream) {
  if (args.dim == 0) return 0;
  return gpu::gpu_launch(bias_grad_kernel, gpu::blocks(args.dim, kColumns), dim3(kColumns * kSumLines), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
