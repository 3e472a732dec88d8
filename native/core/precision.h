#pragma once

#include <cstdint>

namespace sns {

/// What the inputs of matrix products are rounded to; products are summed in fp32 either way. Chosen by name,
/// never implicitly. Numbers as in the C ABI.
enum class Precision : int32_t {
  kStrict =
      0,      ///< as good as fp32, NMSE at most 1e-10 (on the GPU: bfloat16 high and low parts, three passes)
  kFast = 1,  ///< bfloat16 where the device has units for it (patches of bytes on AVX-512 VNNI: weights of
              ///< one or two bytes): NMSE at most 2e-5
};

}  // namespace sns
