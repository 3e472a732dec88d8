#pragma once

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

/// The passes of one resize of bytes: geometry, filter and channels; x and y come with the call.
struct ResizeU8Cuda {
  ResizeCudaAxis<int32_t> across, down;
  bool down_first = false;             ///< PIL's order for very tall images
  int64_t row_begin = 0, row_end = 0;  ///< source rows that the vertical pass reads
};
size_t resize_u8_cuda_bytes(const ResizeU8Args& args);
ResizeU8Cuda pack_resize_u8_cuda(const ResizeU8Args& args, void* host, void* device);
/// Bytes between the passes.
size_t resize_u8_cuda_workspace(const ResizeU8Args& args);
/// Bit-equal to resize_u8_cpu. `plan` was packed for args' geometry, filter and channels.
int resize_u8_cuda(const ResizeU8Cuda& plan, const ResizeU8Args& args, void* workspace, void* stream);

struct ResizeF32Cuda {
  ResizeCudaAxis<float> across, down;
};
size_t resize_f32_cuda_bytes(const ResizeF32Args& args);
ResizeF32Cuda pack_resize_f32_cuda(const ResizeF32Args& args, void* host, void* device);
/// resize_f32_cpu on the GPU. `plan` was packed for args' geometry, filter, antialias and steps.
int resize_f32_cuda(const ResizeF32Cuda& plan, const ResizeF32Args& args, void* stream);

}  // namespace sns
