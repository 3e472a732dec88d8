#pragma once

#include "backend/cuda/kernel.h"
#include "core/activation.h"

namespace sns::gpu {

/// core/activation.h in fp32 on the device.
__device__ inline float activate(Activation activation, float x) {
  switch (activation) {
    case Activation::kGelu:
      return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case Activation::kGeluTanh:
      return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1.0f + expf(-1.702f * x));
    case Activation::kRelu:
      return x > 0.0f ? x : 0.0f;
    case Activation::kSilu:
      return x / (1.0f + expf(-x));
    case Activation::kTanh:
      return tanhf(x);
    case Activation::kNone:
      break;
  }
  return x;
}

}  // namespace sns::gpu
