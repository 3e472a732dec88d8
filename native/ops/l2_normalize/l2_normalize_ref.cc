#include <algorithm>
#include <cmath>

#include "ops/l2_normalize/l2_normalize.h"

namespace sns {
namespace {

double norm(const float* x, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum);
}

}  // namespace

void l2_normalize_ref(const L2NormalizeArgs& a, double* y) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float* x = a.x + r * a.ldx;
    const double n = std::max(norm(x, a.dim), static_cast<double>(a.eps));
    for (int64_t i = 0; i < a.dim; ++i) y[r * a.dim + i] = x[i] / n;
  }
}

void l2_normalize_grad_ref(const L2NormalizeArgs& a, const float* dy, int64_t lddy, double* dx) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float *x = a.x + r * a.ldx, *g = dy + r * lddy;
    const double n = norm(x, a.dim);
    double dot = 0;
    if (n > a.eps) {
      for (int64_t i = 0; i < a.dim; ++i) dot += x[i] / n * g[i];
    }
    for (int64_t i = 0; i < a.dim; ++i) {
      dx[r * a.dim + i] = n > a.eps ? (g[i] - x[i] / n * dot) / n : g[i] / static_cast<double>(a.eps);
    }
  }
}

}  // namespace sns
