#pragma once

#include "ops/yuv/yuv_tables.h"

namespace sns {

/// One axis: output i has the kYuvTaps samples from first[i] on, weighted by weight[i, kYuvTaps].
struct YuvCudaAxis {
  const int32_t* first = nullptr;
  const int16_t* weight = nullptr;
};

/// The tables of pictures of one size, matrix and range.
struct YuvCuda {
  YuvCudaAxis across, down;
  YuvColours colours;
};
size_t yuv_cuda_bytes(const YuvArgs& args);
/// Where host is null only the places on the device are told.
YuvCuda pack_yuv_cuda(const YuvArgs& args, void* host, void* device);

/// yuv_cpu on the GPU, to the same bytes. `tables` was packed for args' size, matrix and range.
int yuv_cuda(const YuvCuda& tables, const YuvArgs& args, void* stream);

}  // namespace sns
