#pragma once

#include <cstddef>
#include <cstdint>

#include "core/activation.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/precision.h"

namespace sns {

/// Weights of y = x·Wᵀ + b (torch.nn.Linear), packed once for the running CPU and then immutable.
class LinearWeights {
 public:
  LinearWeights() = default;
  /// `weight` is [out, in] row-major; `bias` is [out] or null. Both are copied. kFast is kept only where the
  /// CPU has units for bfloat16; x is then rounded to it, too.
  LinearWeights(const float* weight, const float* bias, int64_t out, int64_t in,
                Precision precision = Precision::kStrict);
  /// The same over memory of packed_bytes(), which must outlive it, for weights that change from call to
  /// call: W[o, i] = scale·weight[o·stride_out + i·stride_in], no bias.
  LinearWeights(const float* weight, int64_t stride_out, int64_t stride_in, float scale, int64_t out,
                int64_t in, void* memory, Parallel& parallel);
  static size_t packed_bytes(int64_t out, int64_t in);
  /// Sizes without weights, to ask for scratch.
  static LinearWeights shape(int64_t out, int64_t in);
  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  Precision precision() const { return precision_; }
  /// Steps that a product takes: inputs, or pairs of them in bfloat16.
  int64_t steps() const { return precision_ == Precision::kFast ? ceil_div(in_, 2) : in_; }
  /// Panels of panel_width() outputs, [steps()][panel_width()] each, the last one zero-padded. Each 32 bits
  /// are a weight, or the pair of a step.
  const float* panels() const { return panels_; }
  int64_t panel_width() const { return panel_width_; }
  /// [out rounded up to a panel], zeros where there was no bias.
  const float* bias() const { return bias_; }

 private:
  int64_t out_ = 0, in_ = 0, panel_width_ = 0;
  Precision precision_ = Precision::kStrict;
  AlignedArray<float> owned_panels_, owned_bias_;  // empty where the memory is the caller's
  const float *panels_ = nullptr, *bias_ = nullptr;
};

/// y[r, :] = activation(x[r, :]·Wᵀ + b) + residual[r mod residual_period, :]. Strides are in elements.
/// y may be the residual (same pointer, same stride); otherwise nothing overlaps.
struct LinearArgs {
  const float* x = nullptr;
  int64_t rows = 0;
  int64_t ldx = 0;
  float* y = nullptr;
  int64_t ldy = 0;
  Activation activation = Activation::kNone;
  const float* residual = nullptr;  ///< null = none
  int64_t ld_residual = 0;
  int64_t residual_period = 0;  ///< rows of the residual before it repeats (a position table); 0 = `rows`
};

/// Rows of x that are made when they are needed (patches, normalised pixels) instead of being read from
/// memory. fill() writes rows [row, row+count) as dense [count, in] floats; it is called from worker threads.
struct RowSource {
  void (*fill)(const void* context, int64_t row, int64_t count, float* out) = nullptr;
  const void* context = nullptr;
};

/// Bound on NMSE = Σ(y−ref)²/Σref² of each case against linear_ref.
constexpr double kLinearNmse = 1e-10;
/// The same where weights and x are rounded to bfloat16.
constexpr double kLinearFastNmse = 2e-5;

/// Scratch bytes that linear_cpu needs, with or without a RowSource.
size_t linear_scratch(const LinearWeights& w, int64_t rows, int threads);

/// GEMM with fp32 accumulation. A row's result does not depend on the other rows, on `rows` or on
/// threads.
void linear_cpu(const LinearWeights& w, const LinearArgs& args, void* scratch, Parallel& parallel);
/// The same with x from a source (args.x and args.ldx are ignored).
void linear_cpu(const LinearWeights& w, const RowSource& source, const LinearArgs& args, void* scratch,
                Parallel& parallel);

/// float64 oracle on unpacked weights; y is dense [rows, out].
void linear_ref(const float* weight, const float* bias, int64_t out, int64_t in, const LinearArgs& args,
                double* y);

}  // namespace sns
