#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define SNS_HOST_DEVICE __host__ __device__
#else
#define SNS_HOST_DEVICE
#endif

namespace sns {

/// fp32 → bfloat16 bits, round to nearest even; NaN stays NaN.
SNS_HOST_DEVICE inline uint16_t to_bf16(float x) {
  union {
    float f;
    uint32_t u;
  } v{x};
  if ((v.u & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(v.u >> 16 | 0x40);
  return static_cast<uint16_t>((v.u + 0x7FFFu + (v.u >> 16 & 1)) >> 16);
}
SNS_HOST_DEVICE inline float from_bf16(uint16_t x) {
  union {
    uint32_t u;
    float f;
  } v{static_cast<uint32_t>(x) << 16};
  return v.f;
}

}  // namespace sns
