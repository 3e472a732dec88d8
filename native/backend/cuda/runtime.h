#pragma once

#include "backend/cuda/table.h"

namespace sns::gpu {

// What table.cu puts into the table: runtime.cu over the CUDA runtime, tests/native/simt/runtime.cc over the
// host.

int32_t device_count(char* cause, int64_t cause_size);
int32_t device_info(int32_t index, sns_cuda_device* out, char* cause, int64_t cause_size);
extern const sns_cuda_runtime kRuntime;

}  // namespace sns::gpu
