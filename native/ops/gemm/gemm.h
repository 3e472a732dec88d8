#pragma once

#include "ops/linear/linear.h"

namespace sns {

/// C = scale·op(A)·op(B) of matrices that both change from call to call (gradients, logits); op transposes or
/// not. op(A) is [m, k], op(B) [k, n], C [m, n]; strides in elements. C overlaps neither A nor B.
struct GemmArgs {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  int64_t lda = 0;
  bool transpose_a = false;  ///< A is stored as [k, m]
  const float* b = nullptr;
  int64_t ldb = 0;
  bool transpose_b = false;  ///< B is stored as [n, k]
  float scale = 1;
  float* c = nullptr;
  int64_t ldc = 0;
};

constexpr double kGemmNmse = 1e-10;

/// B is packed, a transposed A copied; both live in scratch.
size_t gemm_scratch(int64_t m, int64_t n, int64_t k, int threads);
/// fp32 with fp32 accumulation on linear's kernel.
void gemm_cpu(const GemmArgs& args, void* scratch, Parallel& parallel);

/// float64 oracle; c is dense [m, n].
void gemm_ref(const GemmArgs& args, double* c);

}  // namespace sns
