#pragma once

#include <deque>
#include <vector>

#include "pipeline/cuda/device.h"

namespace sns {

/// One case of an op on the GPU: its operands go there, the op runs, what it wrote comes back. Every block
/// stands between guard bytes; workspaces hold NaNs.
class CudaCase {
 public:
  explicit CudaCase(const CudaDevicePtr& device);
  /// The device's copy of p [count]; null for null. What lies within memory that is there already is that
  /// memory: operands that overlap on the host overlap on the device, the largest given first.
  template <class T>
  const T* in(const T* p, int64_t count) {
    return static_cast<const T*>(place(p, count * static_cast<int64_t>(sizeof(T)), false));
  }
  /// Of a matrix of which the last row ends with its width.
  template <class T>
  const T* in(const T* p, int64_t rows, int64_t cols, int64_t ld) {
    return in(p, extent(rows, cols, ld));
  }
  /// Likewise, and copied back by done(): before any in() that overlaps it.
  template <class T>
  T* out(T* p, int64_t count) {
    return static_cast<T*>(place(p, count * static_cast<int64_t>(sizeof(T)), true));
  }
  template <class T>
  T* out(T* p, int64_t rows, int64_t cols, int64_t ld) {
    return out(p, extent(rows, cols, ld));
  }
  void* workspace(size_t bytes) { return add(nullptr, static_cast<int64_t>(bytes), false); }
  /// What pack(host, device) returns, over the device's copy of what it wrote at `host`.
  template <class Pack>
  auto packed(size_t bytes, Pack pack) {
    decltype(pack(nullptr, nullptr)) result{};
    kept_.push_back(
        CudaBlock::packed(device_, bytes, [&](void* host, void* device) { result = pack(host, device); }));
    return result;
  }

  const gpu::Ops& ops() const { return device_->ops(); }
  void* stream() const { return stream_.get(); }
  int32_t multiprocessors() const { return device_->multiprocessors(); }
  /// Throws unless the launcher returned 0.
  void check(int status, const char* op) const { device_->check(status, op); }
  /// Waits and copies back; whether no guard byte was touched.
  bool done();

 private:
  struct Block {
    void* host;
    int64_t bytes;
    bool back;
    CudaBlock memory;
  };
  static int64_t extent(int64_t rows, int64_t cols, int64_t ld) {
    return rows == 0 || cols == 0 ? 0 : (rows - 1) * ld + cols;
  }
  void* place(const void* host, int64_t bytes, bool back);
  void* add(const void* host, int64_t bytes, bool back);

  CudaDevicePtr device_;
  CudaStream stream_;
  std::deque<Block> blocks_;
  std::vector<CudaBlock> kept_;
};

}  // namespace sns
