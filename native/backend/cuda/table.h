#pragma once

#include <cstdint>

/// The seam between libsensorium.so and libsensorium_cuda.so: plain C, so that each library can have its own
/// C++ runtime. Raise SNS_CUDA_TABLE_VERSION whenever anything here changes; the loader accepts only its own.
#define SNS_CUDA_TABLE_VERSION 1

extern "C" {

struct sns_cuda_device {
  char name[128];
  int64_t memory_bytes;
  int32_t multiprocessors;
  int32_t major, minor;  ///< compute capability: 9, 0 is sm_90
  int32_t reserved;
};

struct sns_cuda_table {
  int32_t version;  ///< SNS_CUDA_TABLE_VERSION
  int32_t reserved;
  /// How many devices can be used: 0 with `cause` filled in when there is no device, no driver, or a driver
  /// that is too old.
  int32_t (*device_count)(char* cause, int64_t cause_size);
  /// 0, or an error with `cause` filled in. index is in [0, device_count).
  int32_t (*device_info)(int32_t index, sns_cuda_device* out, char* cause, int64_t cause_size);
};

/// The one exported symbol of libsensorium_cuda.so.
typedef const sns_cuda_table* (*sns_cuda_table_function)(void);
#define SNS_CUDA_TABLE_SYMBOL "sns_cuda_get_table"

}  // extern "C"
