#pragma once

#include <functional>

#include "check/check.h"
#include "ops/log_mel/log_mel.h"

namespace sns {

/// Runs one clip; false if something around its scratch was touched.
using LogMelKernel = std::function<bool(const LogMelPlan& plan, const LogMelArgs& args)>;

/// A random front end over a random clip, computed by `kernel` and compared with log_mel_ref.
Parity log_mel_parity(uint64_t seed, const LogMelKernel& kernel);

}  // namespace sns
