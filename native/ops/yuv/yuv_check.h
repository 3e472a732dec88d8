#pragma once

#include <functional>

#include "check/check.h"
#include "ops/yuv/yuv.h"

namespace sns {

/// A random picture, converted by `kernel` and compared with the oracle. The kernel returns false if
/// something around its scratch was touched.
Parity yuv_parity(uint64_t seed, const std::function<bool(const YuvArgs& args)>& kernel);

}  // namespace sns
