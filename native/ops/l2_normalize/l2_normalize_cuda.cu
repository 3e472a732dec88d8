#include "ops/l2_normalize/l2_normalize_cuda.h"

#include "backend/cuda/reduce.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

/// One block a row. Squares in double: those of small floats vanish in fp32.
__global__ void __launch_bounds__(kThreads) l2_normalize_kernel(L2NormalizeArgs args) {
  SNS_SHARED(double, partial, kThreads / 32);
  const int64_t row = blockIdx.x;
  const float* x = args.x + row * args.ldx;
  float* y = args.y + row * args.ldy;
  double square = 0;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) square += double{x[i]} * double{x[i]};
  const double norm = sqrt(gpu::block_sum<kThreads>(square, partial));
  const double by = 1.0 / (norm > double{args.eps} ? norm : double{args.eps});
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) y[i] = static_cast<float>(double{x[i]} * by);
}

/// One block a row.
__global__ void __launch_bounds__(kThreads)
    l2_normalize_grad_kernel(L2NormalizeArgs args, const float* dy, int64_t lddy) {
  SNS_SHARED(double, partial, kThreads / 32);
  const int64_t row = blockIdx.x;
  const float *x = args.x + row * args.ldx, *g = dy + row * lddy;
  float* dx = args.y + row * args.ldy;
  double square = 0, dot = 0;
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) {
    square += double{x[i]} * double{x[i]};
    dot += double{x[i]} * double{g[i]};
  }
  square = gpu::block_sum<kThreads>(square, partial);
  dot = gpu::block_sum<kThreads>(dot, partial);
  const double norm = sqrt(square);
  const bool projects = norm > double{args.eps};
  const double along = projects ? dot / square : 0.0, by = 1.0 / (projects ? norm : double{args.eps});
  for (int64_t i = threadIdx.x; i < args.dim; i += kThreads) {
    dx[i] = static_cast<float>((double{g[i]} - double{x[i]} * along) * by);
  }
}

}  // namespace

int l2_normalize_cuda(const L2NormalizeArgs& args, void* stream) {
  if (args.rows == 0 || args.dim == 0) return 0;
  return gpu::gpu_launch(l2_normalize_kernel, dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args);
}

int l2_normalize_grad_cuda(const L2NormalizeArgs& args, const float* dy, int64_t lddy, void* stream) {
  if (args.rows == 0 || args.dim == 0) return 0;
  return gpu::gpu_launch(l2_normalize_grad_kernel, dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args, dy, lddy);
}

}  // namespace sns
