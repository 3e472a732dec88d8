#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>

#include "backend/cuda/table.h"

namespace {

void say(char* cause, int64_t size, const char* call, cudaError_t error) {
  std::snprintf(cause, static_cast<size_t>(size), "%s: %s (%d)", call, cudaGetErrorString(error),
                static_cast<int>(error));
}

int32_t device_count(char* cause, int64_t cause_size) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    // Also what a machine without any driver answers.
    std::snprintf(cause, static_cast<size_t>(cause_size),
                  "no NVIDIA driver, or one older than CUDA %d.%d needs (35)", CUDART_VERSION / 1000,
                  CUDART_VERSION % 1000 / 10);
    return 0;
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    std::snprintf(cause, static_cast<size_t>(cause_size), "no CUDA device");
    return 0;
  }
  if (error != cudaSuccess) {
    say(cause, cause_size, "cudaGetDeviceCount", error);
    return 0;
  }
  return count;
}

int32_t device_info(int32_t index, sns_cuda_device* out, char* cause, int64_t cause_size) {
  cudaDeviceProp p;
  const cudaError_t error = cudaGetDeviceProperties(&p, index);
  if (error != cudaSuccess) {
    say(cause, cause_size, "cudaGetDeviceProperties", error);
    return 1;
  }
  std::memset(out, 0, sizeof(*out));
  std::memcpy(out->name, p.name, sizeof(out->name) - 1);  // both are zero-padded
  out->memory_bytes = static_cast<int64_t>(p.totalGlobalMem);
  out->multiprocessors = p.multiProcessorCount;
  out->major = p.major;
  out->minor = p.minor;
  return 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const sns_cuda_table* sns_cuda_get_table(void) {
  static const sns_cuda_table table = {SNS_CUDA_TABLE_VERSION, 0, device_count, device_info};
  return &table;
}
