// Vertical pass into one line of the source's width, then the horizontal pass out of it. The vectors run over
// the channels where these are innermost (position tables), else along the line.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/resize/resize_f32_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "backend/cpu/dispatch.h"
#include "core/memory.h"
#include "ops/resize/resize.h"
#include "ops/resize/resize_window.h"

#ifndef SNS_RESIZE_F32_ONCE
#define SNS_RESIZE_F32_ONCE
namespace sns {
namespace resize_f32 {

constexpr int64_t kMaxLanes = 16;
/// Fewer channels than this are not worth being the vectors' axis.
constexpr int64_t kMinChannels = 16;
/// Channels of one task: their line stays in the first-level cache.
constexpr int64_t kChannelBlock = 256;

struct Axis {
  int64_t capacity;
  int32_t* first;  // taps
  int32_t* count;  // taps
  float* weights;  // [outputs, capacity]
};

struct Plan {
  ResizeF32Args args;
  Axis across, down;
  double* window;
  // The horizontal pass read along the outputs, up to whole vectors; planes only.
  float* by_tap;  // weights [capacity, padded_outputs]
  int32_t *starts, *counts;
  int64_t padded_outputs;
  int64_t begin, end;  // source columns used
  float* line;         // per thread
  int64_t line_size;
};

inline bool channels_last(const ResizeF32Args& args) {
  return args.x_stride_c == 1 && args.y_stride_c == 1 && args.channels >= kMinChannels;
}

}  // namespace resize_f32
}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using resize_f32::Plan;
using DF = hn::ScalableTag<float>;

/// y[i] = Σ_k weights[k]·x[k·stride + i] for i in [0, size).
HWY_INLINE void weighted_sum(const float* x, int64_t stride, const float* weights, int64_t count,
                             int64_t size, float* y) {
  const DF d;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(DF()));
  int64_t i = 0;
  for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
    auto a = hn::Zero(d), b = hn::Zero(d);
    for (int64_t k = 0; k < count; ++k) {
      const auto w = hn::Set(d, weights[k]);
      a = hn::MulAdd(w, hn::LoadU(d, x + k * stride + i), a);
      b = hn::MulAdd(w, hn::LoadU(d, x + k * stride + i + kLanes), b);
    }
    hn::StoreU(a, d, y + i);
    hn::StoreU(b, d, y + i + kLanes);
  }
  for (; i < size; ++i) {
    float a = 0;
    for (int64_t k = 0; k < count; ++k) a += weights[k] * x[k * stride + i];
    y[i] = a;
  }
}

/// Output row `row`, channels [c0, c0 + size).
void ResizeChannels(const Plan& plan, int64_t row, int64_t c0, int64_t size, float* line) {
  const ResizeF32Args& args = plan.args;
  const auto &across = plan.across, &down = plan.down;
  const float* const wy = down.weights + row * down.capacity;
  const float* const x = args.x + down.first[row] * args.x_stride_y + c0;
  for (int64_t column = plan.begin; column < plan.end; ++column) {
    weighted_sum(x + column * args.x_stride_x, args.x_stride_y, wy, down.count[row], size,
                 line + (column - plan.begin) * size);
  }
  for (int64_t i = 0; i < args.geometry.crop_w; ++i) {
    weighted_sum(line + (across.first[i] - plan.begin) * size, size, across.weights + i * across.capacity,
                 across.count[i], size, args.y + row * args.y_stride_y + i * args.y_stride_x + c0);
  }
}

/// Output row `row` of channel c.
void ResizePlane(const Plan& plan, int64_t row, int64_t c, float* line) {
  const DF d;
  const hn::RebindToSigned<DF> di;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(DF()));
  const ResizeF32Args& args = plan.args;
  const auto& down = plan.down;
  const int64_t width = plan.end - plan.begin, count = down.count[row];
  const float* const wy = down.weights + row * down.capacity;
  const float* const x = args.x + c * args.x_stride_c + down.first[row] * args.x_stride_y;
  if (args.x_stride_x == 1) {
    weighted_sum(x + plan.begin, args.x_stride_y, wy, count, width, line);
  } else {
    for (int64_t i = 0; i < width; ++i) {
      float sum = 0;
      for (int64_t k = 0; k < count; ++k) {
        sum += wy[k] * x[(plan.begin + i) * args.x_stride_x + k * args.x_stride_y];
      }
      line[i] = sum;
    }
  }
  float* const y = args.y + c * args.y_stride_c + row * args.y_stride_y;
  for (int64_t i = 0; i < args.geometry.crop_w; i += kLanes) {
    const int64_t left = args.geometry.crop_w - i;
    const auto starts = hn::Load(di, plan.starts + i), counts = hn::Load(di, plan.counts + i);
    auto sum = hn::Zero(d);
    for (int64_t k = 0; k < plan.across.capacity; ++k) {
      // A weight of 0 is not enough: a sample outside the window may be infinite.
      const auto inside = hn::RebindMask(d, hn::Lt(hn::Set(di, static_cast<int32_t>(k)), counts));
      const auto taps = hn::IfThenElseZero(inside, hn::GatherIndex(d, line + k, starts));
      sum = hn::MulAdd(hn::Load(d, plan.by_tap + k * plan.padded_outputs + i), taps, sum);
    }
    if (left >= kLanes && args.y_stride_x == 1) {
      hn::StoreU(sum, d, y + i);
    } else {
      alignas(64) float out[kLanes];
      hn::Store(sum, d, out);
      for (int64_t j = 0; j < kLanes && j < left; ++j) y[(i + j) * args.y_stride_x] = out[j];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sns {
namespace resize_f32 {
namespace {

ResizeAxis across_of(const ResizeF32Args& args) {
  return resize_axis(args.geometry.in_width, args.geometry.out_width, args.filter, args.antialias,
                     args.scale_x);
}
ResizeAxis down_of(const ResizeF32Args& args) {
  return resize_axis(args.geometry.in_height, args.geometry.out_height, args.filter, args.antialias,
                     args.scale_y);
}

void lay_out(Axis& axis, Carver& carver, const ResizeAxis& source, int64_t outputs) {
  axis.capacity = resize_window_capacity(source);
  axis.first = carver.take<int32_t>(outputs);
  axis.count = carver.take<int32_t>(outputs);
  axis.weights = carver.take<float>(checked_mul(outputs, axis.capacity, "scratch"));
}

void lay_out(Plan& plan, Carver& carver, int threads) {
  const ResizeGeometry& g = plan.args.geometry;
  lay_out(plan.across, carver, across_of(plan.args), g.crop_w);
  lay_out(plan.down, carver, down_of(plan.args), g.crop_h);
  plan.window = carver.take<double>(std::max(plan.across.capacity, plan.down.capacity));
  plan.padded_outputs = round_up(g.crop_w, kMaxLanes);
  if (channels_last(plan.args)) {
    plan.line_size = g.in_width * std::min(plan.args.channels, kChannelBlock);
  } else {
    plan.starts = carver.take<int32_t>(plan.padded_outputs);
    plan.counts = carver.take<int32_t>(plan.padded_outputs);
    plan.by_tap = carver.take<float>(checked_mul(plan.padded_outputs, plan.across.capacity, "scratch"));
    plan.line_size =
        g.in_width + plan.across.capacity;  // the last windows' unused taps lie beyond the columns
  }
  plan.line_size = round_up(plan.line_size, kMaxLanes);
  plan.line = carver.take<float>(checked_mul(plan.line_size, threads, "scratch"));
}

void fill(Axis& axis, const ResizeAxis& source, int64_t crop, int64_t outputs, double* window) {
  for (int64_t i = 0; i < outputs; ++i) {
    const ResizeWindow taps = resize_window(source, crop + i, window);
    axis.first[i] =
        static_cast<int32_t>(std::min(taps.first, source.in - 1));  // an empty one may lie outside
    axis.count[i] = static_cast<int32_t>(taps.count);
    for (int64_t k = 0; k < taps.count; ++k)
      axis.weights[i * axis.capacity + k] = static_cast<float>(window[k]);
  }
}

/// Turns the weights of the horizontal pass to be read along the outputs.
void fill_by_tap(Plan& plan) {
  const Axis& axis = plan.across;
  const int64_t outputs = plan.args.geometry.crop_w;
  for (int64_t i = 0; i < plan.padded_outputs; ++i) {
    plan.starts[i] = i < outputs ? axis.first[i] - static_cast<int32_t>(plan.begin) : 0;
    plan.counts[i] = i < outputs ? axis.count[i] : 0;
    for (int64_t k = 0; k < axis.capacity; ++k) {
      plan.by_tap[k * plan.padded_outputs + i] =
          i < outputs && k < axis.count[i] ? axis.weights[i * axis.capacity + k] : 0.0f;
    }
  }
}

}  // namespace
}  // namespace resize_f32

size_t resize_f32_scratch(const ResizeF32Args& args, int threads) {
  if (args.geometry.crop_h == 0 || args.geometry.crop_w == 0) return 0;
  resize_f32::Plan plan;
  plan.args = args;
  Carver carver(nullptr);
  resize_f32::lay_out(plan, carver, threads);
  return carver.bytes();
}

void resize_f32_cpu(const ResizeF32Args& args, void* scratch, Parallel& parallel) {
  const ResizeGeometry& g = args.geometry;
  if (g.crop_h == 0 || g.crop_w == 0) return;
  const int threads = parallel.threads();
  resize_f32::Plan plan;
  plan.args = args;
  Carver carver(scratch);
  resize_f32::lay_out(plan, carver, threads);
  resize_f32::fill(plan.across, resize_f32::across_of(args), g.crop_x, g.crop_w, plan.window);
  resize_f32::fill(plan.down, resize_f32::down_of(args), g.crop_y, g.crop_h, plan.window);
  const auto& across = plan.across;
  plan.begin = across.first[0];
  plan.end = plan.begin;
  for (int64_t i = 0; i < g.crop_w; ++i) {
    plan.end = std::max<int64_t>(plan.end, across.first[i] + across.count[i]);
  }
  if (resize_f32::channels_last(args)) {
    const auto kernel = SNS_DISPATCH(ResizeChannels);
    const int64_t blocks = ceil_div(args.channels, resize_f32::kChannelBlock);
    parallel_for(parallel, g.crop_h * blocks, [&](int64_t task, int worker) {
      const int64_t c0 = task % blocks * resize_f32::kChannelBlock;
      const int64_t size = std::min(args.channels - c0, resize_f32::kChannelBlock);
      kernel(plan, task / blocks, c0, size, plan.line + worker * plan.line_size);
    });
    return;
  }
  resize_f32::fill_by_tap(plan);
  const auto kernel = SNS_DISPATCH(ResizePlane);
  parallel_for(parallel, g.crop_h * args.channels, [&](int64_t task, int worker) {
    kernel(plan, task % g.crop_h, task / g.crop_h, plan.line + worker * plan.line_size);
  });
}

}  // namespace sns
#endif
