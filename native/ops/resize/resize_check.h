#pragma once

#include <functional>

#include "check/check.h"
#include "ops/resize/resize.h"

namespace sns {

/// The kernels under test; false if something around their scratch was touched.
struct ResizeKernels {
  std::function<bool(const ResizeU8Args& args)> u8;
  std::function<bool(const ResizeF32Args& args)> f32;
};

/// A random resize of bytes or floats, computed by `kernels` and compared with the oracles.
Parity resize_parity(uint64_t seed, const ResizeKernels& kernels);

}  // namespace sns
