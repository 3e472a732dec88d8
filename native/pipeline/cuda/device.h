#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "backend/cuda/ops.h"
#include "backend/cuda/table.h"
#include "core/memory.h"
#include "core/precision.h"

namespace sns {

class CudaFft;

/// One GPU, through the table of libsensorium_cuda.so. Any number of threads may use it at once.
///
/// Errors: no memory is kOutOfMemory, and an op that has no kernel for this GPU's compute capability
/// kUnavailable; both leave the device usable. An error of the kind that spoils a CUDA context latches: this
/// call and every later one throws kDeviceFatal, so that nothing computed beside the fault is ever handed
/// out.
class CudaDevice {
 public:
  CudaDevice(const sns_cuda_table& table, int32_t index, Precision precision);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  const gpu::Ops& ops() const { return *table_.ops; }
  const sns_cuda_runtime& runtime() const { return *table_.runtime; }
  Precision precision() const { return precision_; }
  int32_t index() const { return index_; }
  int32_t multiprocessors() const { return multiprocessors_; }
  /// Of this thread, for what follows. Throws kDeviceFatal when the device is lost.
  void enter() const;
  /// Throws unless `status` is 0; `what` names the call or the op.
  void check(int32_t status, const char* what) const;
  bool lost() const { return lost_.load(std::memory_order_acquire) != 0; }

  /// Brought by the caller for models that are made afterwards; null: there is none.
  void set_fft(std::shared_ptr<const CudaFft> fft) const;
  std::shared_ptr<const CudaFft> fft() const;

  /// Copies to the device and waits for it.
  void upload(void* device, const void* host, int64_t bytes) const;

 private:
  [[noreturn]] void throw_lost() const;

  const sns_cuda_table& table_;
  const int32_t index_;
  const Precision precision_;
  int32_t multiprocessors_ = 0, major_ = 0, minor_ = 0;
  void* uploads_ = nullptr;  ///< a stream
  mutable std::mutex upload_mutex_, fft_mutex_;
  mutable std::shared_ptr<const CudaFft> fft_;
  mutable std::atomic<int32_t> lost_{0};
};
using CudaDevicePtr = std::shared_ptr<const CudaDevice>;

/// The device, after it has become this thread's: for initializers, which come before anything else is done.
inline const CudaDevicePtr& entered(const CudaDevicePtr& device) {
  device->enter();
  return device;
}

/// A block of device memory (or page-locked host memory). Move-only.
class CudaBlock {
 public:
  enum class Place { kDevice, kHost };
  CudaBlock() = default;
  CudaBlock(CudaDevicePtr device, Place place, int64_t bytes);
  /// Device memory with what pack(host, device) writes at `host`.
  template <class F>
  static CudaBlock packed(const CudaDevicePtr& device, size_t bytes, F&& pack) {
    AlignedArray<unsigned char> host(static_cast<int64_t>(bytes));
    CudaBlock block(device, Place::kDevice, host.size());
    pack(static_cast<void*>(host.data()), block.data());
    if (host.size() > 0) device->upload(block.data(), host.data(), host.size());
    return block;
  }
  CudaBlock(CudaBlock&& other) noexcept { swap(other); }
  CudaBlock& operator=(CudaBlock&& other) noexcept {
    CudaBlock(std::move(other)).swap(*this);
    return *this;
  }
  CudaBlock(const CudaBlock&) = delete;
  CudaBlock& operator=(const CudaBlock&) = delete;
  ~CudaBlock();
  void* data() const { return data_; }
  int64_t size() const { return size_; }
  void swap(CudaBlock& other) noexcept;

 private:
  CudaDevicePtr device_;
  Place place_ = Place::kDevice;
  void* data_ = nullptr;
  int64_t size_ = 0;
};

/// Of a block that grows: at least so many bytes, of which nothing is kept.
inline void* room(CudaBlock& block, const CudaDevicePtr& device, CudaBlock::Place place, int64_t bytes) {
  if (block.size() < bytes) {
    block = CudaBlock();  // not both at once
    block = CudaBlock(device, place, bytes);
  }
  return block.data();
}

/// An array on the device with what the host had; the host's may go. Empty when `host` is null.
template <class T>
class CudaArray {
 public:
  CudaArray() = default;
  CudaArray(const CudaDevicePtr& device, const T* host, int64_t count) {
    if (!host || count == 0) return;
    const int64_t bytes = checked_mul(count, sizeof(T), "tensors");
    block_ = CudaBlock(device, CudaBlock::Place::kDevice, bytes);
    device->upload(block_.data(), host, bytes);
  }
  const T* data() const { return static_cast<const T*>(block_.data()); }

 private:
  CudaBlock block_;
};

/// A stream of its own, or the caller's.
class CudaStream {
 public:
  explicit CudaStream(CudaDevicePtr device);
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  const CudaDevice& device() const { return *device_; }
  const CudaDevicePtr& device_pointer() const { return device_; }
  const gpu::Ops& ops() const { return device_->ops(); }
  Precision precision() const { return device_->precision(); }
  void* get() const { return borrowed_ ? borrowed_ : own_; }
  void* borrowed() const { return borrowed_; }
  /// Work goes into this stream of the caller from now on; null takes the own one again.
  void borrow(void* stream) { borrowed_ = stream; }

  void check(int32_t status, const char* what) const { device_->check(status, what); }
  void copy_in(void* device, const void* host, int64_t bytes) const;
  void copy_out(void* host, const void* device, int64_t bytes) const;
  void copy(void* to, const void* from, int64_t bytes) const;
  void fill(void* device, int byte, int64_t bytes) const;
  void synchronize() const;

 private:
  CudaDevicePtr device_;
  void *own_ = nullptr, *borrowed_ = nullptr;
};

}  // namespace sns
