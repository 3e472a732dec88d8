#pragma once

#include <vector>

#include "check/check.h"
#include "ops/vector_quantize/vector_quantize.h"

namespace sns {

/// The kernels under test. quantize and residual return false if something around their scratch was touched.
class QuantizeKernels {
 public:
  struct Codes {
    const float* codes;
    int64_t size, dim;
    CodeMetric metric;
  };
  virtual ~QuantizeKernels() = default;
  virtual bool quantize(const Codes& codes, const VectorQuantizeArgs& args) const = 0;
  /// ids [rows, stages] and what they decode to, y [rows, dim].
  virtual bool residual(const std::vector<Codes>& stages, const float* x, int64_t rows, int64_t ldx,
                        int64_t* ids, float* y, int64_t ldy) const = 0;
  /// ids [rows] of z and what they decode to, y [rows, dim].
  virtual void finite_scalar(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                             float* y) const = 0;
};

/// A random case, many of them made of ties, computed by `kernels` and compared with the oracles.
Parity vector_quantize_parity(uint64_t seed, const QuantizeKernels& kernels);

}  // namespace sns
