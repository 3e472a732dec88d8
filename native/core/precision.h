#pragma once

#include <cstdint>

namespace sns {

/// What a GEMM's inputs are rounded to; products are summed in fp32 either way.
enum class Precision : int32_t {
  kStrict = 0,  ///< as good as fp32 (on the GPU: bfloat16 high and low parts, three passes)
  kFast = 1,    ///< bfloat16
};

}  // namespace sns
