#include "ops/linear/linear_cuda.h"

#include "backend/cuda/activation.h"
#include "ops/linear/gemm_tile_cuda.h"
#include "ops/linear/linear_product_cuda.h"

namespace sns {
namespace {

using gpu::Passes;

template <class Shape, bool kAligned, bool kStrict>
struct Linear {
  using A = gpu::FloatOperand<Shape::kM, Shape::kK, kStrict ? 2 : 1, kAligned>;
  using B = gpu::SplitOperand<Shape::kN, Shape::kK, kStrict>;
  using Tile = gpu::GemmTile<Shape, kStrict ? Passes::kSplitAB : Passes::kOne, A, B>;
};

template <class Shape, bool kAligned, bool kStrict>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    linear_kernel(LinearCudaWeights w, LinearArgs args, const float* factor) {
  using L = Linear<Shape, kAligned, kStrict>;
  SNS_DYNAMIC_SHARED(typename L::Tile::Stage, stages);
  const int64_t row0 = int64_t{blockIdx.y} * Shape::kM, column0 = int64_t{blockIdx.x} * Shape::kN;
  typename L::Tile tile;
  tile.run({args.x, args.ldx, args.rows, w.in}, {w.hi, w.lo, w.in_padded, w.out}, row0, column0,
           static_cast<int>(w.in_padded / Shape::kK), stages);
  const int64_t period = args.residual_period > 0 ? args.residual_period : args.rows;
  tile.for_each(stages, [&](int r, int c, float v) {
    const int64_t row = row0 + r, column = column0 + c;
    if (row >= args.rows || column >= w.out) return;
    v = gpu::activate(args.activation, v + (w.bias ? w.bias[column] : 0.0f));
    if (factor) v *= factor[row * args.ldy + column];
    if (args.residual) v += args.residual[row % period * args.ld_residual + column];
    args.y[row * args.ldy + column] = v;
  });
}

template <class Shape, bool kAligned, bool kStrict>
int launch(const LinearCudaWeights& w, const LinearArgs& args, const float* factor, void* stream) {
  const dim3 grid(static_cast<unsigned>(ceil_div(w.out, Shape::kN)),
                  static_cast<unsigned>(ceil_div(args.rows, Shape::kM)));
  return gpu::gpu_launch(linear_kernel<Shape, kAligned, kStrict>, grid, dim3(Shape::kThreads),
                         Linear<Shape, kAligned, kStrict>::Tile::kShared, static_cast<gpu::Stream>(stream), w,
                         args, factor);
}

template <bool kStrict>
int launch(const LinearCudaWeights& w, const LinearArgs& args, const float* factor, void* stream) {
  const bool aligned = reinterpret_cast<uintptr_t>(args.x) % 16 == 0 && args.ldx % 4 == 0;
  if (!aligned) return launch<gpu::GemmSmall, false, kStrict>(w, args, factor, stream);
  switch (gpu::gemm_shape(args.rows, w.out)) {
    case 0:
      return launch<gpu::GemmNarrow, true, kStrict>(w, args, factor, stream);
    case 1:
      return launch<gpu::GemmSmall, true, kStrict>(w, args, factor, stream);
    default:
      return launch<gpu::GemmLarge, true, kStrict>(w, args, factor, stream);
  }
}

}  // namespace

int linear_product_cuda(const LinearCudaWeights& w, const LinearArgs& args, const float* factor,
                        Precision precision, void* stream) {
  if (args.rows == 0 || w.out == 0) return 0;
  return precision == Precision::kStrict ? launch<true>(w, args, factor, stream)
                                         : launch<false>(w, args, factor, stream);
}

int linear_cuda(const LinearCudaWeights& w, const LinearArgs& args, Precision precision, void* stream) {
  return linear_product_cuda(w, args, nullptr, precision, stream);
}

}  // namespace sns
