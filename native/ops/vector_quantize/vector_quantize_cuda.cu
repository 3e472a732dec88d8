#include "ops/vector_quantize/vector_quantize_cuda.h"

#include "backend/cuda/grid.h"
#include "ops/vector_quantize/finite_scalar.h"
#include "ops/vector_quantize/nearest_cuda.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

NearestCuda nearest_of(const CodebookCuda& c) {
  NearestCuda n;
  n.codes = c.codes, n.ld = c.dim, n.size = c.size, n.dim = c.dim, n.scale = c.scale, n.screen = c.screen;
  n.mean = c.mean, n.max_norm = c.max_norm;
  return n;
}

/// One block a row: y = (add ? y : 0) + the row's code.
__global__ void __launch_bounds__(kThreads)
    add_code_kernel(const float* codes, int64_t dim, const int64_t* ids, int64_t id_stride, bool add,
                    float* y, int64_t ldy) {
  const int64_t row = blockIdx.x;
  const float* code = codes + ids[row * id_stride] * dim;
  for (int64_t i = threadIdx.x; i < dim; i += kThreads) {
    y[row * ldy + i] = (add ? y[row * ldy + i] : 0.0f) + code[i];
  }
}

/// One block a row: left = x − the row's code; left may be x.
__global__ void __launch_bounds__(kThreads)
    leave_code_kernel(const float* codes, int64_t dim, const int64_t* ids, int64_t id_stride, const float* x,
                      int64_t ldx, float* left) {
  const int64_t row = blockIdx.x;
  const float* code = codes + ids[row * id_stride] * dim;
  for (int64_t i = threadIdx.x; i < dim; i += kThreads) left[row * dim + i] = x[row * ldx + i] - code[i];
}

__global__ void __launch_bounds__(kThreads)
    round_distance_kernel(const double* value, int64_t rows, float* distance) {
  const int64_t r = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (r < rows) distance[r] = static_cast<float>(value[r]);
}

struct Levels {
  int32_t levels[kFiniteScalarMaxDim];
  FiniteScalarBound bound[kFiniteScalarMaxDim];
  int64_t dim;
  Levels(const int32_t* values, int64_t count) : dim(count) {
    for (int64_t i = 0; i < dim; ++i) levels[i] = values[i], bound[i] = finite_scalar_bound(values[i]);
  }
};

__global__ void __launch_bounds__(kThreads)
    fsq_encode_kernel(Levels l, const float* z, int64_t rows, int64_t* ids) {
  const int64_t r = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (r >= rows) return;
  int64_t id = 0, basis = 1;
  for (int64_t i = 0; i < l.dim; ++i) {
    const FiniteScalarBound b = l.bound[i];
    const double bounded = gpu::multiply(tanh(double{z[r * l.dim + i]} + b.shift), b.half);
    const double index = rint(gpu::add(bounded, -b.offset)) + l.levels[i] / 2;
    const double top = l.levels[i] - 1;  // the 1+ε would pass it from 1001 levels on; NaN becomes step 0
    id += basis * static_cast<int64_t>(index > 0 ? (index < top ? index : top) : 0.0);
    basis *= l.levels[i];
  }
  ids[r] = id;
}

__global__ void __launch_bounds__(kThreads)
    fsq_decode_kernel(Levels l, const int64_t* ids, int64_t rows, float* y) {
  const int64_t r = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (r >= rows) return;
  int64_t rest = ids[r];
  for (int64_t i = 0; i < l.dim; ++i) {
    const int32_t half = l.levels[i] / 2;
    const int64_t index = rest % l.levels[i];
    rest /= l.levels[i];
    y[r * l.dim + i] = half == 0 ? 0.0f : static_cast<float>(index - half) / static_cast<float>(half);
  }
}

dim3 blocks(int64_t rows) { return dim3(static_cast<unsigned>(ceil_div(rows, kThreads))); }

}  // namespace

size_t vector_quantize_cuda_workspace(const CodebookCuda& codebook, int64_t rows) {
  Carver c(nullptr);
  c.take<double>(rows);
  return c.bytes() + nearest_cuda_workspace(codebook.size, codebook.dim, rows);
}

int vector_quantize_cuda(const CodebookCuda& codebook, const VectorQuantizeArgs& args, void* workspace,
                         void* stream) {
  if (args.rows == 0) return 0;
  const auto s = static_cast<gpu::Stream>(stream);
  Carver c(workspace);
  double* value = c.take<double>(args.rows);
  const NearestCudaArgs nearest{args.x, args.rows, args.ldx, args.ids, 1, args.distance ? value : nullptr};
  auto* rest = static_cast<std::byte*>(workspace) + c.bytes();
  if (const int status = nearest_cuda(nearest_of(codebook), nearest, rest, stream)) return status;
  if (args.distance) {
    if (const int status = gpu::gpu_launch(round_distance_kernel, blocks(args.rows), dim3(kThreads), 0, s,
                                           value, args.rows, args.distance)) {
      return status;
    }
  }
  if (!args.quantized) return 0;
  return residual_decode_cuda(&codebook, 1, args.ids, args.rows, args.quantized, codebook.dim, stream);
}

size_t residual_quantize_cuda_workspace(const CodebookCuda* stages, int64_t count, int64_t rows) {
  size_t search = 0;
  for (int64_t s = 0; s < count; ++s) {
    const size_t bytes = nearest_cuda_workspace(stages[s].size, stages[s].dim, rows);
    search = bytes > search ? bytes : search;
  }
  Carver c(nullptr);
  c.take<float>(count > 0 ? checked_mul(rows, stages[0].dim, "rows") : 0);
  return c.bytes() + search;
}

int residual_quantize_cuda(const CodebookCuda* stages, int64_t count, const float* x, int64_t rows,
                           int64_t ldx, int64_t* ids, void* workspace, void* stream) {
  if (rows == 0 || count < 1) return 0;
  const int64_t dim = stages[0].dim;
  Carver c(workspace);
  float* left = c.take<float>(checked_mul(rows, dim, "rows"));
  auto* rest = static_cast<std::byte*>(workspace) + c.bytes();
  for (int64_t s = 0; s < count; ++s) {
    const float* from = s == 0 ? x : left;
    const int64_t ld = s == 0 ? ldx : dim;
    const NearestCudaArgs nearest{from, rows, ld, ids + s, count, nullptr};
    if (const int status = nearest_cuda(nearest_of(stages[s]), nearest, rest, stream)) return status;
    if (s + 1 == count) break;
    if (const int status =
            leave_codes_cuda(stages[s].quantized, dim, ids + s, count, from, rows, ld, left, stream)) {
      return status;
    }
  }
  return 0;
}

int leave_codes_cuda(const float* codes, int64_t dim, const int64_t* ids, int64_t id_stride, const float* x,
                     int64_t rows, int64_t ldx, float* left, void* stream) {
  if (rows == 0) return 0;
  return gpu::gpu_launch(leave_code_kernel, gpu::grid_of(1, rows), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), codes, dim, ids, id_stride, x, ldx, left);
}

int residual_decode_cuda(const CodebookCuda* stages, int64_t count, const int64_t* ids, int64_t rows,
                         float* y, int64_t ldy, void* stream) {
  for (int64_t s = 0; s < count && rows > 0; ++s) {
    if (const int status = gpu::gpu_launch(add_code_kernel, dim3(static_cast<unsigned>(rows)), dim3(kThreads),
                                           0, static_cast<gpu::Stream>(stream), stages[s].quantized,
                                           stages[s].dim, ids + s, count, s > 0, y, ldy)) {
      return status;
    }
  }
  return 0;
}

int fsq_encode_cuda(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                    void* stream) {
  if (rows == 0) return 0;
  return gpu::gpu_launch(fsq_encode_kernel, blocks(rows), dim3(kThreads), 0, static_cast<gpu::Stream>(stream),
                         Levels(levels, dim), z, rows, ids);
}

int fsq_decode_cuda(const int32_t* levels, int64_t dim, const int64_t* ids, int64_t rows, float* y,
                    void* stream) {
  if (rows == 0) return 0;
  return gpu::gpu_launch(fsq_decode_kernel, blocks(rows), dim3(kThreads), 0, static_cast<gpu::Stream>(stream),
                         Levels(levels, dim), ids, rows, y);
}

}  // namespace sns
