#include <algorithm>

#include "backend/cuda/tuning.h"
#include "core/device_block.h"
#include "ops/yuv/yuv_cuda.h"

namespace sns {
namespace {

/// To whole vectors of outputs, the last one repeated.
YuvCudaAxis pack_axis(int64_t out, int64_t one, DeviceBlock& block) {
  const int64_t padded = round_up(out, gpu::YuvTile::kVector);
  YuvCudaAxis axis;
  int32_t* first = block.take(padded, &axis.first);
  int16_t* weight = block.take(checked_mul(padded, kYuvTaps, "width"), &axis.weight);
  if (!first) return axis;
  yuv_windows(out, one, first, weight);
  for (int64_t i = out; i < padded; ++i) {
    first[i] = first[out - 1];
    std::copy_n(weight + (out - 1) * kYuvTaps, kYuvTaps, weight + i * kYuvTaps);
  }
  return axis;
}

YuvCuda pack(const YuvArgs& args, DeviceBlock& block) {
  YuvCuda tables;
  tables.across = pack_axis(args.width, 1 << 14, block);
  tables.down = pack_axis(args.height, 1 << 12, block);
  tables.colours = yuv_colours(args.matrix, args.full_range);
  return tables;
}

}  // namespace

size_t yuv_cuda_bytes(const YuvArgs& args) {
  DeviceBlock block(nullptr, nullptr);
  pack(args, block);
  return block.bytes();
}

YuvCuda pack_yuv_cuda(const YuvArgs& args, void* host, void* device) {
  DeviceBlock block(host, device);
  return pack(args, block);
}

}  // namespace sns
