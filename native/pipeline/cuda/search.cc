#include "pipeline/cuda/search.h"

#include <algorithm>

namespace sns {
namespace {

constexpr int64_t kQueries = 256;  // of one turn: what bounds the memory

/// Queries, ids and scores of one turn, the same on both sides.
struct Turn {
  float* queries;
  int64_t* ids;
  float* scores;
  int64_t bytes;
  Turn(void* memory, int64_t n, int64_t dim, int64_t k) {
    Carver carver(memory);
    queries = carver.take<float>(checked_mul(n, dim, "n"));
    ids = carver.take<int64_t>(n * k);
    scores = carver.take<float>(n * k);
    bytes = static_cast<int64_t>(carver.bytes());
  }
};

}  // namespace

CudaSearch::CudaSearch(CudaDevicePtr device, const float* vectors, int64_t count, int64_t dim)
    : memory_(CudaBlock::packed(entered(device), top_k_cuda_bytes(count, dim),
                                [&](void* host, void* on_device) {
                                  vectors_ = pack_top_k_cuda(vectors, count, dim, host, on_device);
                                })),
      stream_(std::move(device)) {}

void CudaSearch::run(const TopKArgs& args) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const CudaDevicePtr& device = entered(stream_.device_pointer());
  const int64_t dim = vectors_.dim, k = args.k, most = std::min(args.n, kQueries);
  const int64_t bytes = Turn(nullptr, most, dim, k).bytes;
  const Turn host(room(host_, device, CudaBlock::Place::kHost, bytes), most, dim, k);
  const Turn there(room(device_, device, CudaBlock::Place::kDevice, bytes), most, dim, k);
  TopKArgs a = args;
  a.queries = there.queries, a.ids = there.ids, a.scores = there.scores;
  for (int64_t first = 0; first < args.n; first += kQueries) {
    a.n = std::min(args.n - first, kQueries);
    void* workspace = room(workspace_, device, CudaBlock::Place::kDevice,
                           static_cast<int64_t>(device->ops().top_k_workspace(vectors_, a)));
    std::copy_n(args.queries + first * dim, a.n * dim, host.queries);
    stream_.copy_in(there.queries, host.queries, a.n * dim * static_cast<int64_t>(sizeof(float)));
    stream_.check(device->ops().top_k(vectors_, a, workspace, stream_.get()), "top_k");
    stream_.copy_out(host.ids, there.ids, a.n * k * static_cast<int64_t>(sizeof(int64_t)));
    stream_.copy_out(host.scores, there.scores, a.n * k * static_cast<int64_t>(sizeof(float)));
    stream_.synchronize();
    std::copy_n(host.ids, a.n * k, args.ids + first * k);
    std::copy_n(host.scores, a.n * k, args.scores + first * k);
  }
}

}  // namespace sns
