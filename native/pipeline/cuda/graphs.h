#pragma once

#include <vector>

#include "pipeline/cuda/device.h"

namespace sns {

/// The captured graphs of a session, by the request's bucket: the least recently used one goes when a new one
/// comes. A bucket that is seen for the first time is only remembered; from the second time on it is
/// captured, so that requests of ever new buckets do not pay for graphs that nobody launches again.
class CudaGraphs {
 public:
  /// `capacity` buckets of up to `key_size` numbers. find() allocates nothing.
  CudaGraphs(CudaDevicePtr device, int capacity, int64_t key_size);
  ~CudaGraphs();
  CudaGraphs(const CudaGraphs&) = delete;
  CudaGraphs& operator=(const CudaGraphs&) = delete;

  struct Entry {
    std::vector<int64_t> key;
    void* graph = nullptr;
    int64_t size = -1;  ///< of the key; -1: free
    uint64_t hash = 0, used = 0;
  };
  /// The bucket's entry; `seen` says whether it was there before.
  Entry& find(const int64_t* key, int64_t size, bool* seen);
  /// Forgets all graphs: what they point at has changed.
  void clear();
  int64_t captured() const;

 private:
  void drop(Entry& entry);
  CudaDevicePtr device_;
  std::vector<Entry> entries_;
  uint64_t clock_ = 0;
};

}  // namespace sns
