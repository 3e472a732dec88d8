#pragma once

#include <cstdint>

/// The seam between libsensorium.so and libsensorium_cuda.so: a table of functions over standard-layout
/// structures, so that each library can have its own C++ runtime. Raise SNS_CUDA_TABLE_VERSION whenever the
/// meaning of anything here changes; the loader accepts only its own.
#define SNS_CUDA_TABLE_VERSION 11

namespace sns::gpu {
struct Ops;  // ops.h
}

extern "C" {

struct sns_cuda_device {
  char name[128];
  int64_t memory_bytes;
  int32_t multiprocessors;
  int32_t major, minor;  ///< compute capability: 9, 0 is sm_90
  int32_t usable;        ///< 0: `cause` of device_info says why this library has no kernels for it
};

/// The few words of the CUDA runtime that the device pipeline needs. Every function returns a cudaError_t;
/// streams, events and graphs are opaque. `device` memory is never touched by the host.
struct sns_cuda_runtime {
  /// Of the calling thread, for all that follows.
  int32_t (*use_device)(int32_t index);
  const char* (*error_text)(int32_t error);
  /// Device memory from a pool that keeps what is given back, and page-locked host memory.
  int32_t (*allocate)(int64_t bytes, void** out);
  int32_t (*release)(void* device);
  int32_t (*allocate_host)(int64_t bytes, void** out);
  int32_t (*release_host)(void* host);

  int32_t (*stream_create)(void** out);
  int32_t (*stream_destroy)(void* stream);
  int32_t (*stream_synchronize)(void* stream);
  /// Asynchronous, in the stream's order; `host` is page-locked.
  int32_t (*copy_in)(void* device, const void* host, int64_t bytes, void* stream);
  int32_t (*copy_out)(void* host, const void* device, int64_t bytes, void* stream);
  int32_t (*copy)(void* to, const void* from, int64_t bytes, void* stream);  ///< device to device
  int32_t (*fill)(void* device, int32_t byte, int64_t bytes, void* stream);

  int32_t (*event_create)(void** out);
  int32_t (*event_destroy)(void* event);
  int32_t (*event_record)(void* event, void* stream);
  int32_t (*event_query)(void* event);  ///< 0, or SNS_CUDA_NOT_READY
  int32_t (*event_synchronize)(void* event);
  int32_t (*stream_wait)(void* stream, void* event);

  /// What the stream is given between begin and end becomes an executable graph instead of being run.
  int32_t (*capture_begin)(void* stream);
  int32_t (*capture_end)(void* stream, void** graph);
  /// The graph's copy in to `device` reads `host`, of the same block as before, in all later launches.
  int32_t (*graph_copy_from)(void* graph, void* device, const void* host);
  int32_t (*graph_launch)(void* graph, void* stream);
  int32_t (*graph_destroy)(void* graph);
};
enum { SNS_CUDA_OUT_OF_MEMORY = 2, SNS_CUDA_NO_KERNEL = 209, SNS_CUDA_NOT_READY = 600 };

struct sns_cuda_table {
  int32_t version;  ///< SNS_CUDA_TABLE_VERSION
  int32_t reserved;
  int64_t layout;  ///< sns::gpu::ops_layout(): both sides were compiled from the same structures
  /// How many devices can be used: 0 with `cause` filled in when there is no device, no driver, or a driver
  /// that is too old.
  int32_t (*device_count)(char* cause, int64_t cause_size);
  /// 0, or an error with `cause` filled in. index is in [0, device_count).
  int32_t (*device_info)(int32_t index, sns_cuda_device* out, char* cause, int64_t cause_size);
  const sns_cuda_runtime* runtime;
  const sns::gpu::Ops* ops;
};

/// The one exported symbol of libsensorium_cuda.so.
typedef const sns_cuda_table* (*sns_cuda_table_function)(void);
#define SNS_CUDA_TABLE_SYMBOL "sns_cuda_get_table"

}  // extern "C"
