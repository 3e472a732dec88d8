#pragma once

#include <string>

#include "backend/cuda/table.h"

namespace sns {

/// The CUDA backend's functions, or null with the reason. Opens libsensorium_cuda.so from the directory of
/// this library, or the file that $SENSORIUM_CUDA_LIBRARY names. A success is kept; a failure is tried again
/// by the next call.
const sns_cuda_table* cuda_table(std::string* cause);

}  // namespace sns
