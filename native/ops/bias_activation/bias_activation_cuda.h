#pragma once

#include "ops/bias_activation/bias_activation.h"

namespace sns {

/// bias_activation.h's on the GPU; `segments` itself is a device array.
int bias_activation_cuda(const BiasActivationArgs& args, void* stream);
int bias_activation_grad_cuda(const BiasActivationGradArgs& args, void* stream);
int bias_grad_cuda(const BiasGradArgs& args, void* stream);

}  // namespace sns
