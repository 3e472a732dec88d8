#include "ops/resize/resize_cuda.h"

#include "backend/cuda/grid.h"
#include "core/checked.h"
#include "ops/resize/resize_window.h"

namespace sns {
namespace {

constexpr int kThreads = kResizeThreads;

/// One thread a byte.
__global__ void __launch_bounds__(kThreads)
    byte_pass_kernel(const ResizeU8Pass* passes, int64_t most, int64_t frames) {
  const gpu::BlockAt at(most);
  const ResizeU8Pass& p = passes[at.y / frames];
  const int64_t frame = at.y % frames;
  // Positions within a row and blocks of a frame fit 32 bits, in which division is several times as fast.
  const int block = static_cast<int>(at.x), channels = static_cast<int>(p.channels);
  const int width = static_cast<int>(p.columns) * channels, pieces = (width + kThreads - 1) / kThreads;
  if (pieces == 0) return;
  const int row = block / pieces, i = block % pieces * kThreads + static_cast<int>(threadIdx.x);
  if (row >= p.rows || i >= width) return;
  const int column = i / channels, channel = i % channels;
  const int64_t along = p.across ? column : row, beside = p.across ? row : column;
  const int64_t other = p.other ? p.other[beside] : p.other_first + beside;
  const int64_t step = p.across ? p.channels : p.ldx;
  const uint8_t* x = p.x + frame * p.next_x + other * (p.across ? p.ldx : p.channels) + channel +
                     (p.axis.first[along] - p.base) * step;
  uint8_t* y = p.y + frame * p.next_y + row * p.ldy + column * p.channels + channel;
  if (p.axis.capacity == 0) {
    *y = *x;
    return;
  }
  const int32_t* w = p.axis.weight + along * p.axis.capacity;
  const int count = p.axis.count[along];
  int64_t sum = int64_t{1} << (kResizeWeightBits - 1);
  for (int k = 0; k < count; ++k) sum += int64_t{x[k * step]} * w[k];
  sum >>= kResizeWeightBits;
  *y = static_cast<uint8_t>(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/// One thread an element, both axes at once: the windows of what is resized in floats are short.
__global__ void __launch_bounds__(kThreads) float_kernel(const ResizeF32Pass* passes, int64_t across) {
  const gpu::BlockAt at(across);
  const ResizeF32Cuda& plan = passes[at.y].tables;
  const ResizeF32Args& args = passes[at.y].args;
  const ResizeGeometry& g = args.geometry;
  const int64_t i = at.x * kThreads + threadIdx.x;
  if (i >= g.crop_h * g.crop_w * args.channels) return;
  // Neighbouring threads take what lies side by side.
  const bool last = args.y_stride_c == 1;
  const int64_t pixel = last ? i / args.channels : i % (g.crop_h * g.crop_w);
  const int64_t channel = last ? i % args.channels : i / (g.crop_h * g.crop_w);
  const int64_t row = pixel / g.crop_w, column = pixel % g.crop_w;
  const float* wx = plan.across.weight + column * plan.across.capacity;
  const float* wy = plan.down.weight + row * plan.down.capacity;
  const float* x = args.x + channel * args.x_stride_c + plan.down.first[row] * args.x_stride_y +
                   plan.across.first[column] * args.x_stride_x;
  float sum = 0;
  for (int j = 0; j < plan.down.count[row]; ++j) {
    float line = 0;
    for (int k = 0; k < plan.across.count[column]; ++k) {
      line += wx[k] * x[j * args.x_stride_y + k * args.x_stride_x];
    }
    sum += wy[j] * line;
  }
  args.y[channel * args.y_stride_c + row * args.y_stride_y + column * args.y_stride_x] = sum;
}

}  // namespace

int resize_u8_cuda(const ResizeU8Pass* passes, int64_t count, int64_t most, int64_t frames, void* stream) {
  if (count == 0 || most == 0 || frames == 0) return 0;
  return gpu::gpu_launch(byte_pass_kernel, gpu::grid_of(most, count * frames), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), passes, most, frames);
}

int resize_f32_cuda(const ResizeF32Pass* passes, int64_t count, int64_t most, void* stream) {
  if (count == 0 || most == 0) return 0;
  const int64_t across = ceil_div(most, kThreads);
  return gpu::gpu_launch(float_kernel, gpu::grid_of(across, count), dim3(kThreads), 0,
                         static_cast<gpu::Stream>(stream), passes, across);
}

}  // namespace sns
