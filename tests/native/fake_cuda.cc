// Stands in for libsensorium_cuda.so in abi_cuda_test: the loader, not CUDA, is under test.

#include <cstdio>
#include <cstring>

#include "backend/cuda/ops.h"
#include "backend/cuda/table.h"

namespace {

#if defined(FAKE_NO_DEVICE)
int32_t device_count(char* cause, int64_t size) {
  std::snprintf(cause, static_cast<size_t>(size), "no CUDA device");
  return 0;
}
#else
int32_t device_count(char*, int64_t) { return 1; }
#endif

int32_t device_info(int32_t, sns_cuda_device* out, char*, int64_t) {
  std::memset(out, 0, sizeof(*out));
  std::strcpy(out->name, "Imaginary 1");
  out->memory_bytes = int64_t{1} << 34;
  out->multiprocessors = 7;
  out->major = 9;
  out->usable = 1;
  return 0;
}

}  // namespace

// "Foreign": some other shared library, without the symbol.
#if defined(FAKE_FOREIGN)
#define GET_TABLE not_the_symbol
#else
#define GET_TABLE sns_cuda_get_table
#endif

extern "C" __attribute__((visibility("default"))) const sns_cuda_table* GET_TABLE(void) {
  static const sns_cuda_table table = {
      FAKE_VERSION, 0, sns::gpu::ops_layout(), device_count, device_info, nullptr, nullptr};
  return &table;
}
