#include "ops/gemm/gemm_cuda.h"

#include "ops/linear/gemm_tile_cuda.h"

namespace sns {
namespace {

using gpu::Passes;
using Shape = gpu::GemmSmall;

template <bool kAcross, bool kStrict>
using Operand = std::conditional_t<kAcross, gpu::TransposedOperand<Shape::kM, Shape::kK, kStrict ? 3 : 1>,
                                   gpu::FloatOperand<Shape::kM, Shape::kK, kStrict ? 3 : 1, false>>;
static_assert(Shape::kM == Shape::kN, "one operand type serves both sides");

template <bool kAcrossA, bool kAcrossB, bool kStrict>
using Tile = gpu::GemmTile<Shape, kStrict ? Passes::kThirds : Passes::kOne, Operand<kAcrossA, kStrict>,
                           Operand<kAcrossB, kStrict>>;

template <bool kAcrossA, bool kAcrossB, bool kStrict>
__global__ void __launch_bounds__(Shape::kThreads, 2) gemm_kernel(GemmArgs args, float shift) {
  using T = Tile<kAcrossA, kAcrossB, kStrict>;
  SNS_DYNAMIC_SHARED(typename T::Stage, stages);
  const gpu::BlockAt at(ceil_div(args.n, Shape::kN));
  const int64_t row0 = at.y * Shape::kM, column0 = at.x * Shape::kN;
  T tile;
  tile.run({args.a, args.lda, args.m, args.k}, {args.b, args.ldb, args.n, args.k}, row0, column0,
           static_cast<int>((args.k + Shape::kK - 1) / Shape::kK), stages);
  tile.for_each(stages, [&](int r, int c, float v) {
    const int64_t row = row0 + r, column = column0 + c;
    if (row < args.m && column < args.n) args.c[row * args.ldc + column] = args.scale * v + shift;
  });
}

template <bool kAcrossA, bool kAcrossB>
int launch(const GemmArgs& args, float shift, Precision precision, void* stream) {
  const dim3 grid = gpu::grid_of(ceil_div(args.n, Shape::kN), ceil_div(args.m, Shape::kM));
  const auto kernel = precision == Precision::kStrict ? gemm_kernel<kAcrossA, kAcrossB, true>
                                                      : gemm_kernel<kAcrossA, kAcrossB, false>;
  const size_t shared = precision == Precision::kStrict ? Tile<kAcrossA, kAcrossB, true>::kShared
                                                        : Tile<kAcrossA, kAcrossB, false>::kShared;
  return gpu::gpu_launch(kernel, grid, dim3(Shape::kThreads), shared, static_cast<gpu::Stream>(stream), args,
                         shift);
}

}  // namespace

int gemm_cuda(const GemmArgs& args, float shift, Precision precision, void* stream) {
  if (args.m == 0 || args.n == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  if (args.transpose_a) {
    return args.transpose_b ? launch<true, false>(args, shift, precision, stream)
                            : launch<true, true>(args, shift, precision, stream);
  }
  return args.transpose_b ? launch<false, false>(args, shift, precision, stream)
                          : launch<false, true>(args, shift, precision, stream);
}

}  // namespace sns
