#include "ops/gemm/gemm.h"

namespace sns {

void gemm_ref(const GemmArgs& g, double* c) {
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < g.k; ++p) {
        const double a = g.transpose_a ? g.a[p * g.lda + i] : g.a[i * g.lda + p];
        const double b = g.transpose_b ? g.b[j * g.ldb + p] : g.b[p * g.ldb + j];
        sum += a * b;
      }
      c[i * g.n + j] = g.scale * sum;
    }
  }
}

}  // namespace sns
