#include "ops/linear/linear_cuda.h"

#include <type_traits>

#include "backend/cuda/activation.h"
#include "ops/linear/gemm_tile_cuda.h"
#include "ops/linear/gemm_wgmma_cuda.h"
#include "ops/linear/linear_product_cuda.h"

namespace sns {
namespace {

using gpu::Passes;

template <class Shape, bool kAligned, Passes kPasses>
struct Linear {
  using A = gpu::FloatOperand<Shape::kM, Shape::kK, gpu::parts_a(kPasses), kAligned>;
  using B = gpu::SplitOperand<Shape::kN, Shape::kK, gpu::parts_b(kPasses)>;
  using Tile = gpu::GemmTile<Shape, kPasses, A, B>;
};

/// What becomes of the sums of x·Wᵀ.
struct LinearOut {
  struct Read {
    float bias = 0, factor = 1, residual = 0;
  };
  const LinearCudaWeights& w;
  const LinearArgs& args;
  const float* factor;
  int64_t row0 = 0, period = 0, residual0 = 0;  ///< residual0: row of the residual for row0

  __device__ void begin(int64_t row, int) {
    row0 = row;
    period = args.residual_period > 0 ? args.residual_period : args.rows;
    residual0 = row < period ? row : row % period;
  }
  __device__ Read read(int r, int64_t column) const {
    const int64_t row = row0 + r;
    Read read;
    if (row >= args.rows || column >= w.out) return read;
    if (w.bias) read.bias = w.bias[column];
    if (factor) read.factor = factor[row * args.ldy + column];
    if (args.residual) {
      int64_t from = residual0 + r;
      while (from >= period) from -= period;  // rarely more than once: r is within a tile
      read.residual = args.residual[from * args.ld_residual + column];
    }
    return read;
  }
  __device__ void put(int r, int64_t column, float v, const Read& read) const {
    const int64_t row = row0 + r;
    if (row >= args.rows || column >= w.out) return;
    v = gpu::activate(args.activation, v + read.bias);
    if (factor) v *= read.factor;
    if (args.residual) v += read.residual;
    args.y[row * args.ldy + column] = v;
  }
};

template <class Shape, bool kAligned, Passes kPasses>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    linear_kernel(LinearCudaWeights w, LinearArgs args, const float* factor) {
  using L = Linear<Shape, kAligned, kPasses>;
  SNS_DYNAMIC_SHARED(typename L::Tile::Stage, stages);
  const gpu::BlockAt at(ceil_div(w.out, Shape::kN));
  const int64_t row0 = at.y * Shape::kM, column0 = at.x * Shape::kN;
  typename L::Tile tile;
  tile.run({args.x, args.ldx, args.rows, w.in}, {w.hi, w.lo, w.in_padded, w.out, w.rest}, row0, column0,
           static_cast<int>(ceil_div(w.in, Shape::kK)), stages);
  LinearOut out{w, args, factor};
  out.begin(row0, 0);
  tile.write(stages, column0, out);
}

template <class Shape, Passes kPasses>
struct LinearWgmma {
  using A = gpu::FloatOperand<Shape::kM, Shape::kK, gpu::parts_a(kPasses), true>;
  using Gemm = gpu::WgmmaGemm<Shape, kPasses, A>;
};

template <class Shape, Passes kPasses>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    linear_wgmma_kernel(LinearCudaWeights w, LinearArgs args, const float* factor) {
  if constexpr (gpu::kHopper) {
    using L = LinearWgmma<Shape, kPasses>;
    SNS_DYNAMIC_SHARED(typename L::Gemm::Shared, shared);
    L::Gemm::run(
        w, args.rows, shared,
        [&](int64_t) {
          return typename L::A{args.x, args.ldx, args.rows, w.in};
        },
        LinearOut{w, args, factor});
  } else {
    gpu::not_built();
  }
}

template <class Shape, Passes kPasses>
int launch_wgmma(const LinearCudaWeights& w, const LinearArgs& args, const float* factor, void* stream) {
  return gpu::gpu_launch(linear_wgmma_kernel<Shape, kPasses>, gpu::wgmma_grid<Shape>(args.rows, w.out),
                         dim3(Shape::kThreads), sizeof(typename LinearWgmma<Shape, kPasses>::Gemm::Shared),
                         static_cast<gpu::Stream>(stream), w, args, factor);
}

template <class Shape, bool kAligned, Passes kPasses>
int launch(const LinearCudaWeights& w, const LinearArgs& args, const float* factor, void* stream) {
  const dim3 grid = gpu::grid_of(ceil_div(w.out, Shape::kN), ceil_div(args.rows, Shape::kM));
  return gpu::gpu_launch(linear_kernel<Shape, kAligned, kPasses>, grid, dim3(Shape::kThreads),
                         Linear<Shape, kAligned, kPasses>::Tile::kShared, static_cast<gpu::Stream>(stream), w,
                         args, factor);
}

template <Passes kPasses>
int launch(const LinearCudaWeights& w, const LinearArgs& args, const float* factor, void* stream) {
  const bool aligned = reinterpret_cast<uintptr_t>(args.x) % 16 == 0 && args.ldx % 4 == 0;
  if (!aligned) return launch<gpu::GemmSmall, false, kPasses>(w, args, factor, stream);
  if (gpu::hopper() && gpu::gemm_wgmma(args.rows, w.out, w.in, gpu::multiprocessors())) {
    using Shape = std::conditional_t<kPasses == Passes::kOne, gpu::WgmmaFast, gpu::WgmmaStrict>;
    return launch_wgmma<Shape, kPasses>(w, args, factor, stream);
  }
  switch (gpu::gemm_shape(args.rows, w.out)) {
    case 0:
      return launch<gpu::GemmNarrow, true, kPasses>(w, args, factor, stream);
    case 1:
      return launch<gpu::GemmSmall, true, kPasses>(w, args, factor, stream);
    default:
      // Three parts of a large tile are more than the shared memory of a small sm_8x.
      using Large = std::conditional_t<kPasses == Passes::kThirds, gpu::GemmSmall, gpu::GemmLarge>;
      return launch<Large, true, kPasses>(w, args, factor, stream);
  }
}

}  // namespace

int linear_product_cuda(const LinearCudaWeights& w, const LinearArgs& args, const float* factor,
                        Precision precision, void* stream) {
  if (args.rows == 0 || w.out == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  if (precision == Precision::kFast) return launch<Passes::kOne>(w, args, factor, stream);
  return w.rest ? launch<Passes::kThirds>(w, args, factor, stream)
                : launch<Passes::kSplitAB>(w, args, factor, stream);
}

int linear_cuda(const LinearCudaWeights& w, const LinearArgs& args, Precision precision, void* stream) {
  return linear_product_cuda(w, args, nullptr, precision, stream);
}

}  // namespace sns
