#include "pipeline/cuda/codes.h"

#include <algorithm>

namespace sns {
namespace {

/// Rows that are on the device at a time.
constexpr int64_t kRows = int64_t{1} << 16;

}  // namespace

CudaCodes::CudaCodes(CudaDevicePtr device, const CodesConfig& c, const float* codes)
    : device_(std::move(device)), config_(c) {
  device_->enter();
  if (c.kind == CodesKind::kFsq) return;
  for (int64_t s = 0; s < c.stages; ++s) {
    const auto pack = [&](void* host, void* on_device) {
      stages_.push_back(
          pack_codebook_cuda(codes + s * c.size * c.dim, c.size, c.dim, c.metric, host, on_device));
    };
    blocks_.push_back(CudaBlock::packed(device_, codebook_cuda_bytes(c.size, c.dim, c.metric), pack));
  }
}

void CudaCodes::encode(const float* tokens, int64_t rows, int64_t* ids) const {
  device_->enter();
  const gpu::Ops& ops = device_->ops();
  const int64_t most = std::min(rows, kRows), dim = config_.dim, stages = config_.stages;
  const int64_t count = static_cast<int64_t>(stages_.size());
  const CudaBlock x(device_, CudaBlock::Place::kDevice, most * dim * static_cast<int64_t>(sizeof(float)));
  const CudaBlock y(device_, CudaBlock::Place::kDevice,
                    most * stages * static_cast<int64_t>(sizeof(int64_t)));
  const CudaBlock workspace(
      device_, CudaBlock::Place::kDevice,
      count == 0 ? 0 : static_cast<int64_t>(ops.residual_quantize_workspace(stages_.data(), count, most)));
  const CudaStream stream(device_);
  auto* const on_device = static_cast<float*>(x.data());
  auto* const found = static_cast<int64_t*>(y.data());
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t n = std::min(most, rows - first);
    stream.copy_in(on_device, tokens + first * dim, n * dim * static_cast<int64_t>(sizeof(float)));
    const int status = count == 0 ? ops.fsq_encode(config_.levels, dim, on_device, n, found, stream.get())
                                  : ops.residual_quantize(stages_.data(), count, on_device, n, dim, found,
                                                          workspace.data(), stream.get());
    stream.check(status, "vector_quantize");
    stream.copy_out(ids + first * stages, found, n * stages * static_cast<int64_t>(sizeof(int64_t)));
    stream.synchronize();
  }
}

void CudaCodes::decode(const int64_t* ids, int64_t rows, float* tokens) const {
  device_->enter();
  const gpu::Ops& ops = device_->ops();
  const int64_t most = std::min(rows, kRows), dim = config_.dim, stages = config_.stages;
  const int64_t count = static_cast<int64_t>(stages_.size());
  const CudaBlock x(device_, CudaBlock::Place::kDevice,
                    most * stages * static_cast<int64_t>(sizeof(int64_t)));
  const CudaBlock y(device_, CudaBlock::Place::kDevice, most * dim * static_cast<int64_t>(sizeof(float)));
  const CudaStream stream(device_);
  auto* const on_device = static_cast<int64_t*>(x.data());
  auto* const found = static_cast<float*>(y.data());
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t n = std::min(most, rows - first);
    stream.copy_in(on_device, ids + first * stages, n * stages * static_cast<int64_t>(sizeof(int64_t)));
    const int status =
        count == 0 ? ops.fsq_decode(config_.levels, dim, on_device, n, found, stream.get())
                   : ops.residual_decode(stages_.data(), count, on_device, n, found, dim, stream.get());
    stream.check(status, "vector_quantize");
    stream.copy_out(tokens + first * dim, found, n * dim * static_cast<int64_t>(sizeof(float)));
    stream.synchronize();
  }
}

}  // namespace sns
