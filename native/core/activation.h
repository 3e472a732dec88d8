#pragma once

#include <cmath>
#include <cstdint>

#include "core/bfloat16.h"

namespace sns {

/// Activations of the published models. Values are part of the ABI.
enum class Activation : int32_t {
  kNone = 0,
  kGelu = 1,       ///< x·Φ(x), exact (erf)
  kGeluTanh = 2,   ///< 0.5x(1+tanh(√(2/π)(x+0.044715x³)))
  kQuickGelu = 3,  ///< x·σ(1.702x)
  kRelu = 4,
  kSilu = 5,  ///< x·σ(x)
  kTanh = 6,
};

/// In float64, as the oracles have it.
SNS_HOST_DEVICE inline double activate(Activation a, double x) {
  switch (a) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1.0 + std::exp(-1.702 * x));
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

/// d activate(a, x)/dx; of ReLU at 0 it is 0.
SNS_HOST_DEVICE inline double activate_slope(Activation a, double x) {
  const auto sigmoid_product = [x](double z, double slope) {  // of x·σ(z), slope = dz/dx
    const double s = 1.0 / (1.0 + std::exp(-z));
    return s + x * s * (1.0 - s) * slope;
  };
  switch (a) {
    case Activation::kNone:
      return 1;
    case Activation::kGelu:
      return 0.5 * (1.0 + std::erf(x / std::sqrt(2.0))) + x * std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI);
    case Activation::kGeluTanh: {
      const double c = 2.0 * std::sqrt(2.0 / M_PI);  // (1 + tanh u)/2 = σ(2u)
      return sigmoid_product(c * (x + 0.044715 * x * x * x), c * (1.0 + 3 * 0.044715 * x * x));
    }
    case Activation::kQuickGelu:
      return sigmoid_product(1.702 * x, 1.702);
    case Activation::kRelu:
      return x > 0 ? 1 : 0;
    case Activation::kSilu:
      return sigmoid_product(x, 1);
    case Activation::kTanh: {
      const double t = std::tanh(x);
      return 1 - t * t;
    }
  }
  return 1;
}

}  // namespace sns
