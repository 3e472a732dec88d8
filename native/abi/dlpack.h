#pragma once

#include <cstdint>

// The structures of DLPack 0.8 (dmlc/dlpack, include/dlpack/dlpack.h), by which tensors pass between
// libraries of one process.

struct DLDevice {
  int32_t device_type;  ///< kDLCUDA = 2
  int32_t device_id;
};
struct DLDataType {
  uint8_t code;  ///< kDLFloat = 2
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  ///< null: dense, row-major
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
