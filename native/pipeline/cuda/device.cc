#include "pipeline/cuda/device.h"

#include <string>

namespace sns {
namespace {

/// Errors after which the context gives nothing but errors (CUDA runtime API, cudaError_t). Not those among
/// them that refuse a call: a launch with too many resources, memory that is not registered.
bool sticky(int32_t status) {
  switch (status) {
    case 46:   // devices unavailable
    case 214:  // uncorrectable ECC error
    case 220:  // NVLink
    case 226:  // contained by the GPU
    case 700:  // illegal address
    case 702:  // timeout
    case 709:  // context destroyed
    case 710:  // assert
    case 721:  // tensor memory leak
    case 810:  // MPS client terminated
    case 911:  // external device
    case 999:  // unknown
      return true;
    default:
      return status >= 714 && status <= 719;  // traps, launch failure
  }
}

}  // namespace

CudaDevice::CudaDevice(const sns_cuda_table& table, int32_t index, Precision precision)
    : table_(table), index_(index), precision_(precision) {
  char cause[256] = {};
  sns_cuda_device info = {};
  if (table.device_info(index, &info, cause, sizeof(cause)) != 0) {
    throw Error(Code::kUnavailable, "device", cause);
  }
  multiprocessors_ = info.multiprocessors;
  major_ = info.major, minor_ = info.minor;
  enter();
  check(runtime().stream_create(&uploads_), "stream");
}

CudaDevice::~CudaDevice() { runtime().stream_destroy(uploads_); }

void CudaDevice::throw_lost() const {
  const int32_t status = lost_.load(std::memory_order_acquire);
  throw Error(Code::kDeviceFatal, "device",
              "device: the GPU is lost to this process: " + std::string(runtime().error_text(status)) + " (" +
                  std::to_string(status) + "); close the engine, and start a new process for this device");
}

void CudaDevice::enter() const {
  if (lost()) throw_lost();
  check(runtime().use_device(index_), "device");
}

void CudaDevice::check(int32_t status, const char* what) const {
  if (lost()) throw_lost();
  if (status == 0) return;
  const std::string text = std::string(what) + ": " + runtime().error_text(status);
  if (status == SNS_CUDA_OUT_OF_MEMORY) throw Error(Code::kOutOfMemory, "device", text);
  if (status == SNS_CUDA_NO_KERNEL) {
    throw Error(Code::kUnavailable, "device",
                std::string(what) + ": needs compute capability 8.0, and this GPU has " +
                    std::to_string(major_) + "." + std::to_string(minor_));
  }
  if (!sticky(status)) throw Error(Code::kInternal, "device", text + " (" + std::to_string(status) + ")");
  int32_t none = 0;
  lost_.compare_exchange_strong(none, status, std::memory_order_acq_rel);
  throw_lost();
}

void CudaDevice::set_fft(std::shared_ptr<const CudaFft> fft) const {
  const std::lock_guard<std::mutex> lock(fft_mutex_);
  fft_ = std::move(fft);
}

std::shared_ptr<const CudaFft> CudaDevice::fft() const {
  const std::lock_guard<std::mutex> lock(fft_mutex_);
  return fft_;
}

void CudaDevice::upload(void* device, const void* host, int64_t bytes) const {
  const std::lock_guard<std::mutex> lock(upload_mutex_);
  check(runtime().copy_in(device, host, bytes, uploads_), "upload");
  check(runtime().stream_synchronize(uploads_), "upload");
}

CudaBlock::CudaBlock(CudaDevicePtr device, Place place, int64_t bytes)
    : device_(std::move(device)), place_(place), size_(bytes) {
  if (bytes == 0) return;
  const sns_cuda_runtime& runtime = device_->runtime();
  const bool on_device = place == Place::kDevice;
  const int32_t status = (on_device ? runtime.allocate : runtime.allocate_host)(bytes, &data_);
  if (status != 0) data_ = nullptr;
  if (status == SNS_CUDA_OUT_OF_MEMORY) {
    throw Error(Code::kOutOfMemory, "device",
                std::string("device: ") + std::to_string(bytes) +
                    (on_device ? " bytes of device memory" : " bytes of page-locked memory") +
                    " are not to be had");
  }
  device_->check(status, "memory");
}

CudaBlock::~CudaBlock() {
  if (!data_) return;
  const sns_cuda_runtime& runtime = device_->runtime();
  runtime.use_device(device_->index());  // whatever thread it is: memory goes back in the device's own stream
  (place_ == Place::kDevice ? runtime.release : runtime.release_host)(data_);
}

void CudaBlock::swap(CudaBlock& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(place_, other.place_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

CudaStream::CudaStream(CudaDevicePtr device) : device_(std::move(device)) {
  check(device_->runtime().stream_create(&own_), "stream");
}

CudaStream::~CudaStream() {
  // What was given to a caller's stream must be done, too, before the memory goes.
  if (borrowed_) device_->runtime().stream_synchronize(borrowed_);
  device_->runtime().stream_synchronize(own_);
  device_->runtime().stream_destroy(own_);
}

void CudaStream::copy_in(void* device, const void* host, int64_t bytes) const {
  if (bytes > 0) check(device_->runtime().copy_in(device, host, bytes, get()), "copy to the device");
}
void CudaStream::copy_out(void* host, const void* device, int64_t bytes) const {
  if (bytes > 0) check(device_->runtime().copy_out(host, device, bytes, get()), "copy from the device");
}
void CudaStream::copy(void* to, const void* from, int64_t bytes) const {
  if (bytes > 0) check(device_->runtime().copy(to, from, bytes, get()), "copy on the device");
}
void CudaStream::fill(void* device, int byte, int64_t bytes) const {
  if (bytes > 0) check(device_->runtime().fill(device, byte, bytes, get()), "fill");
}
void CudaStream::synchronize() const { check(device_->runtime().stream_synchronize(get()), "wait"); }

}  // namespace sns
