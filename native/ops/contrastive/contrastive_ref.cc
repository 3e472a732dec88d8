#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/contrastive/contrastive.h"

namespace sns {
namespace {

/// Cross-entropy of row i of z (stride over columns `step`) against class i; adds its gradient · weight to g.
double cross_entropy(const double* z, int64_t step, int64_t n, int64_t i, double weight, double* g) {
  double top = z[0], off = 0;
  for (int64_t j = 0; j < n; ++j) top = std::max(top, z[j * step]);
  for (int64_t j = 0; j < n; ++j) off += j == i ? 0 : std::exp(z[j * step] - top);
  const double own = std::exp(z[i * step] - top), sum = off + own;
  for (int64_t j = 0; j < n; ++j) {
    // p_i − 1 without the cancellation.
    g[j * step] += weight * (j == i ? -off / sum : std::exp(z[j * step] - top) / sum);
  }
  return z[i * step] == top ? std::log1p(off) : top - z[i * step] + std::log(sum);
}

}  // namespace

ContrastiveResult contrastive_ref(const ContrastiveArgs& args, double* da, double* db, double* g_out) {
  const int64_t n = args.n, dim = args.dim;
  ContrastiveResult result;
  if (n == 0) return result;
  const double scale = std::exp(static_cast<double>(args.logit_scale)), share = 1.0 / static_cast<double>(n);
  const bool clip = args.kind == ContrastiveLoss::kClip;
  std::vector<double> scaled(static_cast<size_t>(n * n)), z(scaled), g(scaled);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double dot = 0;
      for (int64_t k = 0; k < dim; ++k) dot += static_cast<double>(args.a[i * dim + k]) * args.b[j * dim + k];
      scaled[i * n + j] = scale * dot;
      z[i * n + j] = scale * dot + args.logit_bias;
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    if (clip) {
      result.loss += share / 2 * cross_entropy(z.data() + i * n, 1, n, i, share / 2, g.data() + i * n);
      result.loss += share / 2 * cross_entropy(z.data() + i, n, n, i, share / 2, g.data() + i);
      continue;
    }
    for (int64_t j = 0; j < n; ++j) {
      const double y = i == j ? 1 : -1, t = y * z[i * n + j];
      result.loss += share * (std::max(-t, 0.0) + std::log1p(std::exp(-std::abs(t))));
      g[i * n + j] = -share * y / (1 + std::exp(t));
    }
  }
  if (g_out) std::copy(g.begin(), g.end(), g_out);
  std::fill(da, da + n * dim, 0.0);
  std::fill(db, db + n * dim, 0.0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double gij = g[i * n + j];
      result.d_logit_scale += gij * scaled[i * n + j];
      if (!clip) result.d_logit_bias += gij;
      for (int64_t k = 0; k < dim; ++k) {
        da[i * dim + k] += scale * gij * args.b[j * dim + k];
        db[j * dim + k] += scale * gij * args.a[i * dim + k];
      }
    }
  }
  return result;
}

}  // namespace sns
