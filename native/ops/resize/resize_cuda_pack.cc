#include <algorithm>
#include <vector>

#include "core/device_block.h"
#include "ops/resize/resize_cuda.h"
#include "ops/resize/resize_window.h"

namespace sns {
namespace {

int32_t convert(double w, int32_t) { return resize_fixed_weight(w); }
float convert(double w, float) { return static_cast<float>(w); }

/// For the weights of one window: kept by the thread, because sessions pack tables with every request.
double* room(int64_t weights) {
  thread_local std::vector<double> kept;
  if (static_cast<int64_t>(kept.size()) < weights) kept.resize(static_cast<size_t>(weights));
  return kept.data();
}

template <class Weight>
ResizeCudaAxis<Weight> pack_windows(const ResizeAxis& axis, int64_t crop, int64_t count, DeviceBlock& block) {
  ResizeCudaAxis<Weight> a;
  a.capacity = resize_window_capacity(axis);
  int32_t* first = block.take(count, &a.first);
  int32_t* counts = block.take(count, &a.count);
  Weight* weight = block.take(checked_mul(count, a.capacity, "resize"), &a.weight);
  if (!first) return a;
  double* const w = room(a.capacity);
  for (int64_t i = 0; i < count; ++i) {
    const ResizeWindow window = resize_window(axis, crop + i, w);
    first[i] = static_cast<int32_t>(window.first);
    counts[i] = static_cast<int32_t>(window.count);
    for (int64_t k = 0; k < a.capacity; ++k) {
      weight[i * a.capacity + k] = k < window.count ? convert(w[k], Weight{}) : Weight{};
    }
  }
  return a;
}

/// PIL's axis of bytes: windows, nearest sources, or a copy where the size stays.
ResizeCudaAxis<int32_t> pack_u8_axis(int64_t in, int64_t out, int64_t crop, int64_t count,
                                     ResizeFilter filter, DeviceBlock& block) {
  if (filter != ResizeFilter::kNearest && in != out) {
    return pack_windows<int32_t>(resize_axis(in, out, filter, true), crop, count, block);
  }
  ResizeCudaAxis<int32_t> a;
  int32_t* first = block.take(count, &a.first);
  if (!first) return a;
  if (filter == ResizeFilter::kNearest) {
    resize_nearest(in, out, crop, count, first);
  } else {
    for (int64_t i = 0; i < count; ++i) first[i] = static_cast<int32_t>(crop + i);
  }
  return a;
}

ResizeU8Cuda pack(const ResizeU8Args& args, DeviceBlock& block) {
  const ResizeGeometry& g = args.geometry;
  ResizeU8Cuda plan;
  ResizeU8Args vertical, horizontal;
  plan.down_first = resize_u8_split(args, nullptr, &vertical, &horizontal);
  plan.across = pack_u8_axis(g.in_width, g.out_width, g.crop_x, g.crop_w, args.filter, block);
  plan.down = pack_u8_axis(g.in_height, g.out_height, g.crop_y, g.crop_h, args.filter, block);
  if (plan.down.capacity > 0 && g.crop_h > 0) {
    const ResizeAxis axis = resize_axis(g.in_height, g.out_height, args.filter, true);
    double* const w = room(plan.down.capacity);
    plan.row_begin = resize_window(axis, g.crop_y, w).first;
    const ResizeWindow last = resize_window(axis, g.crop_y + g.crop_h - 1, w);
    plan.row_end = last.first + last.count;
  }
  return plan;
}

ResizeF32Cuda pack(const ResizeF32Args& args, DeviceBlock& block) {
  const ResizeGeometry& g = args.geometry;
  ResizeF32Cuda plan;
  plan.across =
      pack_windows<float>(resize_axis(g.in_width, g.out_width, args.filter, args.antialias, args.scale_x),
                          g.crop_x, g.crop_w, block);
  plan.down =
      pack_windows<float>(resize_axis(g.in_height, g.out_height, args.filter, args.antialias, args.scale_y),
                          g.crop_y, g.crop_h, block);
  return plan;
}

template <class Args>
size_t bytes_of(const Args& args) {
  DeviceBlock block(nullptr, nullptr);
  pack(args, block);
  return block.bytes();
}

template <class Args>
auto packed(const Args& args, void* host, void* device) {
  DeviceBlock block(host, device);
  return pack(args, block);
}

}  // namespace

size_t resize_u8_cuda_bytes(const ResizeU8Args& args) { return bytes_of(args); }
ResizeU8Cuda pack_resize_u8_cuda(const ResizeU8Args& args, void* host, void* device) {
  return packed(args, host, device);
}
size_t resize_f32_cuda_bytes(const ResizeF32Args& args) { return bytes_of(args); }
ResizeF32Cuda pack_resize_f32_cuda(const ResizeF32Args& args, void* host, void* device) {
  return packed(args, host, device);
}

void resize_u8_cuda_passes(const ResizeU8Cuda& tables, const ResizeU8Args& args, int64_t next_x,
                           int64_t next_y, void* workspace, ResizeU8Pass* first_pass,
                           ResizeU8Pass* second_pass) {
  const ResizeGeometry& g = args.geometry;
  ResizeU8Pass &first = *first_pass, &second = *second_pass;
  first = second = ResizeU8Pass();
  if (g.crop_h == 0 || g.crop_w == 0) return;
  ResizeU8Pass whole;
  whole.x = args.x, whole.ldx = args.ldx, whole.next_x = next_x;
  whole.y = args.y, whole.ldy = args.ldy, whole.next_y = next_y;
  whole.rows = g.crop_h, whole.columns = g.crop_w, whole.channels = args.channels;
  second = whole;
  if (tables.down.capacity == 0) {  // across alone, or nothing but copies
    second.across = true;
    second.axis = tables.across, second.other = tables.down.first;
    return;
  }
  if (tables.across.capacity == 0) {
    second.axis = tables.down, second.other = tables.across.first;
    return;
  }
  first = whole;
  first.y = static_cast<uint8_t*>(workspace);
  second.x = first.y;
  first.next_y = second.next_x = static_cast<int64_t>(resize_u8_cuda_workspace(args));
  if (tables.down_first) {
    first.axis = tables.down, first.columns = g.in_width;
    second.axis = tables.across, second.across = true;
  } else {
    first.axis = tables.across, first.across = true;
    first.rows = tables.row_end - tables.row_begin, first.other_first = tables.row_begin;
    second.axis = tables.down, second.base = tables.row_begin;
  }
  first.ldy = second.ldx = first.columns * args.channels;
}

size_t resize_u8_cuda_workspace(const ResizeU8Args& args) {
  const ResizeGeometry& g = args.geometry;
  const int64_t wide =
      std::max(checked_mul(g.in_height, g.crop_w, "resize"), checked_mul(g.crop_h, g.in_width, "resize"));
  Carver c(nullptr);
  c.take<uint8_t>(checked_mul(wide, args.channels, "resize"));
  return c.bytes();
}

}  // namespace sns
