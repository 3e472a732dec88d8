#include "pipeline/cuda/codes.h"

#include <algorithm>

namespace sns {
namespace {

/// Rows that are on the device at a time.
constexpr int64_t kRows = int64_t{1} << 16;
constexpr auto kDevice = CudaBlock::Place::kDevice;

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
  const CudaBlock x(device_, kDevice, most * dim * static_cast<int64_t>(sizeof(float)));
  const CudaBlock y(device_, kDevice, most * stages * static_cast<int64_t>(sizeof(int64_t)));
  const CudaBlock workspace(
      device_, kDevice,
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
  const CudaBlock x(device_, kDevice, most * stages * static_cast<int64_t>(sizeof(int64_t)));
  const CudaBlock y(device_, kDevice, most * dim * static_cast<int64_t>(sizeof(float)));
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

AlignedArray<float> learn_codes_cuda(const CudaDevicePtr& device, const CodesConfig& c, const float* tokens,
                                     int64_t rows, int64_t max_iterations, uint64_t seed,
                                     CodesLearning& learning) {
  device->enter();
  const gpu::Ops& ops = device->ops();
  const int64_t stage = c.size * c.dim;
  AlignedArray<float> codes(c.stages * stage);
  const CudaBlock left(device, kDevice,
                       checked_mul(rows, c.dim * static_cast<int64_t>(sizeof(float)), "rows"));
  const CudaBlock means(device, kDevice, stage * static_cast<int64_t>(sizeof(float)));
  const CudaBlock ids(device, kDevice, rows * static_cast<int64_t>(sizeof(int64_t)));
  const CudaBlock shares(device, kDevice, c.size * static_cast<int64_t>(sizeof(double)));
  const CudaBlock state(device, kDevice, sizeof(KMeansCudaState));
  const CudaBlock seen(device, CudaBlock::Place::kHost, sizeof(KMeansCudaState));
  const auto& told = *static_cast<const KMeansCudaState*>(seen.data());
  auto* const x = static_cast<float*>(left.data());
  KMeansCudaArgs a;
  a.x = x, a.rows = rows, a.dim = c.dim, a.k = c.size, a.metric = c.metric;
  a.shares = static_cast<const double*>(shares.data());
  a.codes = static_cast<float*>(means.data());
  a.ids = static_cast<int64_t*>(ids.data());
  a.state = static_cast<KMeansCudaState*>(state.data());
  const CudaBlock workspace(device, kDevice, static_cast<int64_t>(ops.kmeans_workspace(a)));
  const CudaStream stream(device);  // waits when it goes, while all that it reads is there
  const auto check = [&](int status) { stream.check(status, "vector_quantize"); };
  stream.copy_in(x, tokens, left.size());
  for (int64_t s = 0; s < c.stages; ++s) {
    const std::vector<double> draws = kmeans_shares(seed + static_cast<uint64_t>(s), c.size);
    stream.synchronize();  // the last stage has drawn
    device->upload(shares.data(), draws.data(), shares.size());
    check(ops.kmeans_start(a, workspace.data(), stream.get()));
    for (int64_t done = 1;; ++done) {
      check(ops.kmeans_assign(a, workspace.data(), stream.get()));
      stream.copy_out(seen.data(), state.data(), seen.size());
      stream.synchronize();
      ++learning.iterations;
      if (told.changed == 0 || done == max_iterations) break;
      check(ops.kmeans_move(a, workspace.data(), stream.get()));
    }
    learning.revived += told.revived;
    learning.mean_square = told.inertia / static_cast<double>(rows);
    stream.copy_out(codes.data() + s * stage, a.codes, means.size());
    if (s + 1 == c.stages) break;
    // The last assignment was to the stage's codes as they stay.
    check(ops.leave_codes(a.codes, c.dim, a.ids, 1, x, rows, c.dim, x, stream.get()));
  }
  stream.synchronize();
  return codes;
}

}  // namespace sns
