#include "ops/rotary/rotary_cuda.h"

#include "backend/cuda/kernel.h"
#include "core/checked.h"

namespace sns {
namespace {

constexpr int kThreads = 128;

/// The angle may be 2³¹ radians: in double, as the oracle.
__global__ void __launch_bounds__(kThreads) rotary_table_kernel(RotaryTableArgs args) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= args.rows * args.pairs) return;
  const int64_t row = i / args.pairs, pair = i % args.pairs;
  const double angle =
      static_cast<double>(args.ids[row * args.axes + args.axis[pair]]) * args.frequency[pair];
  float* y = args.y + row * 2 * args.pairs + pair;
  y[0] = static_cast<float>(cos(angle));
  y[args.pairs] = static_cast<float>(sin(angle));
}

/// One block a row. A pair is read and written by the same thread: in place is safe.
__global__ void __launch_bounds__(kThreads) rotary_kernel(RotaryArgs args) {
  const int64_t row = blockIdx.x, rest = args.head_dim - 2 * args.pairs;
  const float* table = args.table + row * 2 * args.pairs;
  const bool halves = args.layout == RotaryPairs::kHalves;
  for (int64_t i = threadIdx.x; i < args.heads * args.pairs; i += kThreads) {
    const int64_t head = i / args.pairs * args.head_dim, pair = i % args.pairs;
    const int64_t first = head + (halves ? pair : 2 * pair), second = first + (halves ? args.pairs : 1);
    const float a = args.x[row * args.ldx + first], b = args.x[row * args.ldx + second];
    const float c = table[pair], s = table[args.pairs + pair];
    args.y[row * args.ldy + first] = a * c - b * s;
    args.y[row * args.ldy + second] = b * c + a * s;
  }
  if (args.x == args.y) return;
  for (int64_t i = threadIdx.x; i < args.heads * rest; i += kThreads) {
    const int64_t at = i / rest * args.head_dim + 2 * args.pairs + i % rest;
    args.y[row * args.ldy + at] = args.x[row * args.ldx + at];
  }
}

}  // namespace

int rotary_table_cuda(const RotaryTableArgs& args, void* stream) {
  const int64_t angles = checked_mul(args.rows, args.pairs, "rows");
  if (angles == 0) return 0;
  return gpu::gpu_launch(rotary_table_kernel, dim3(static_cast<unsigned>(ceil_div(angles, kThreads))),
                         dim3(kThreads), 0, static_cast<gpu::Stream>(stream), args);
}

int rotary_cuda(const RotaryArgs& args, void* stream) {
  if (args.rows == 0) return 0;
  return gpu::gpu_launch(rotary_kernel, dim3(static_cast<unsigned>(args.rows)), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), args);
}

}  // namespace sns
