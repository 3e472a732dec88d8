#include "pipeline/cuda/graphs.h"

#include <algorithm>

namespace sns {

CudaGraphs::CudaGraphs(CudaDevicePtr device, int capacity, int64_t key_size)
    : device_(std::move(device)), entries_(static_cast<size_t>(capacity)) {
  for (Entry& e : entries_) e.key.resize(static_cast<size_t>(key_size));
}

CudaGraphs::~CudaGraphs() { clear(); }

void CudaGraphs::drop(Entry& e) {
  if (e.graph) device_->runtime().graph_destroy(e.graph);
  e.graph = nullptr;
  e.size = -1;
}

void CudaGraphs::clear() {
  for (Entry& e : entries_) drop(e);
}

int64_t CudaGraphs::captured() const {
  return std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.graph; });
}

CudaGraphs::Entry& CudaGraphs::find(const int64_t* key, int64_t size, bool* seen) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a over whole numbers
  for (int64_t i = 0; i < size; ++i) hash = (hash ^ static_cast<uint64_t>(key[i])) * 1099511628211u;
  Entry* oldest = &entries_[0];
  for (Entry& e : entries_) {
    if (e.size == size && e.hash == hash && std::equal(key, key + size, e.key.begin())) {
      e.used = ++clock_;
      *seen = true;
      return e;
    }
    if (e.size < 0 ? oldest->size >= 0 : oldest->size >= 0 && e.used < oldest->used) oldest = &e;
  }
  drop(*oldest);
  std::copy(key, key + size, oldest->key.begin());
  oldest->size = size;
  oldest->hash = hash;
  oldest->used = ++clock_;
  *seen = false;
  return *oldest;
}

}  // namespace sns
