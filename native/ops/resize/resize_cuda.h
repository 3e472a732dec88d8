#pragma once

#include "core/checked.h"
#include "ops/resize/resize.h"

namespace sns {

/// One axis: output i is the weighted sum of sources [first[i], first[i] + count[i]).
template <class Weight>
struct ResizeCudaAxis {
  const int32_t* first = nullptr;
  const int32_t* count = nullptr;
  const Weight* weight = nullptr;  ///< [outputs, capacity]
  int64_t capacity = 0;            ///< 0: output i is source first[i]
};

/// The tables of one resize of bytes: of its geometry, filter and channels.
struct ResizeU8Cuda {
  ResizeCudaAxis<int32_t> across, down;
  bool down_first = false;             ///< PIL's order for very tall images
  int64_t row_begin = 0, row_end = 0;  ///< source rows that the vertical pass reads
};
size_t resize_u8_cuda_bytes(const ResizeU8Args& args);
/// Where host is null only the places on the device are told.
ResizeU8Cuda pack_resize_u8_cuda(const ResizeU8Args& args, void* host, void* device);
/// Bytes between the passes of one frame.
size_t resize_u8_cuda_workspace(const ResizeU8Args& args);

constexpr int64_t kResizeThreads = 128;  ///< of a block, which makes a piece of a row

/// One pass along an axis; the other axis is looked up in `other` or counts from `other_first`. It lies in
/// the device's memory, so that one captured launch serves pictures of many sizes; without rows there is
/// nothing to do.
struct ResizeU8Pass {
  const uint8_t* x = nullptr;
  int64_t ldx = 0;
  uint8_t* y = nullptr;
  int64_t ldy = 0, rows = 0, columns = 0, channels = 0;
  int64_t next_x = 0, next_y = 0;  ///< from a frame to the next
  bool across = false;
  ResizeCudaAxis<int32_t> axis;
  const int32_t* other = nullptr;
  int64_t other_first = 0;
  int64_t base = 0;  ///< source that x starts at, along the axis
  /// That a frame takes.
  int64_t blocks() const { return rows * ceil_div(columns * channels, kResizeThreads); }
};
/// A resize is two passes, of which the first may have nothing to do.
constexpr int kResizePasses = 2;
/// The passes of args, whose x and y are the device's as the workspace is; `tables` was packed for them.
/// Frames that follow each other are next_x and next_y bytes apart, and in the workspace the
/// resize_u8_cuda_workspace() of one.
void resize_u8_cuda_passes(const ResizeU8Cuda& tables, const ResizeU8Args& args, int64_t next_x,
                           int64_t next_y, void* workspace, ResizeU8Pass* first, ResizeU8Pass* second);
/// `count` first passes or second ones, each over so many frames, at once; bit-equal to resize_u8_cpu with
/// the other. most: at least the blocks() of any.
int resize_u8_cuda(const ResizeU8Pass* passes, int64_t count, int64_t most, int64_t frames, void* stream);

struct ResizeF32Cuda {
  ResizeCudaAxis<float> across, down;
};
size_t resize_f32_cuda_bytes(const ResizeF32Args& args);
ResizeF32Cuda pack_resize_f32_cuda(const ResizeF32Args& args, void* host, void* device);
/// One resize, whose tables were packed for args' geometry, filter, antialias and steps. It lies in the
/// device's memory, so that one captured launch serves resizes of many sizes; without an output there is
/// nothing to do.
struct ResizeF32Pass {
  ResizeF32Cuda tables;
  ResizeF32Args args;
  int64_t elements() const { return args.geometry.crop_h * args.geometry.crop_w * args.channels; }
};
/// resize_f32_cpu on the GPU, `count` at once. most: at least the elements() of any.
int resize_f32_cuda(const ResizeF32Pass* passes, int64_t count, int64_t most, void* stream);

}  // namespace sns
