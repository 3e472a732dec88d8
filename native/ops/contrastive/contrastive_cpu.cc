#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/contrastive/contrastive_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// foreach_target.h must come first.
#include <hwy/contrib/math/math-inl.h>

#include "ops/contrastive/contrastive.h"
#include "ops/contrastive/softmax.h"
#include "ops/linear/activation-inl.h"

#ifndef SNS_OPS_CONTRASTIVE_TYPES_  // this file is compiled once for every target
#define SNS_OPS_CONTRASTIVE_TYPES_
namespace sns {
namespace {

/// Off-diagonal probabilities are e^(z − top)·weight along the row and along the column.
struct ClipRow {
  float top, weight, diagonal;
  const float *column_top, *column_weight, *diagonals;  ///< [padded]
};

struct SigLipSums {
  float loss, scale, bias;
};

}  // namespace
}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());
constexpr float kLog2E = 1.44269504f;
/// e^x, x ≤ 0.
HWY_INLINE Vec ExpNegative(Vec x) {
  const Floats d;
  return Exp2(d, hn::Max(hn::Mul(x, hn::Set(d, kLog2E)), hn::Set(d, -126.0f)));
}

HWY_INLINE float Sum(Vec v) { return hn::GetLane(hn::SumOfLanes(Floats(), v)); }

/// Largest of a row [padded] and Σ e^(z − largest).
void RowStats(const float* z, int64_t padded, float* top, float* sum) {
  const Floats d;
  Vec m = hn::Set(d, kNoLogit);
  for (int64_t j = 0; j < padded; j += kLanes) m = hn::Max(m, hn::Load(d, z + j));
  m = hn::MaxOfLanes(d, m);
  Vec s = hn::Zero(d);
  for (int64_t j = 0; j < padded; j += kLanes) s = hn::Add(s, ExpNegative(hn::Sub(hn::Load(d, z + j), m)));
  *top = hn::GetLane(m);
  *sum = Sum(s);
}

/// The same of the 16 columns at z; sums of 64 rows are taken by themselves, so that many rows lose no
/// digits.
void ColumnStats(const float* z, int64_t ldz, int64_t rows, float* top, float* sum) {
  const Floats d;
  for (int64_t c = 0; c < 16; c += kLanes) {
    Vec m = hn::Set(d, kNoLogit);
    for (int64_t i = 0; i < rows; ++i) m = hn::Max(m, hn::Load(d, z + i * ldz + c));
    Vec total = hn::Zero(d);
    for (int64_t i = 0; i < rows;) {
      Vec s = hn::Zero(d);
      for (const int64_t stop = HWY_MIN(rows, i + 64); i < stop; ++i) {
        s = hn::Add(s, ExpNegative(hn::Sub(hn::Load(d, z + i * ldz + c), m)));
      }
      total = hn::Add(total, s);
    }
    hn::Store(m, d, top + c);
    hn::Store(total, d, sum + c);
  }
}

/// z → dloss/dz·2n off the diagonal, 0 on it; returns Σ of that · dz/dlogit_scale, the diagonal's part
/// included.
float ClipGradRow(const ClipRow& row, float share, int64_t padded, float* z) {
  const Floats d;
  const Vec none = hn::Set(d, 0.5f * kNoLogit), top = hn::Set(d, row.top), weight = hn::Set(d, row.weight);
  const Vec own = hn::Set(d, row.diagonal), f = hn::Set(d, share);
  Vec sum = hn::Zero(d);
  for (int64_t j = 0; j < padded; j += kLanes) {
    const Vec v = hn::Load(d, z + j);
    const auto real = hn::Gt(v, none);
    const Vec along = hn::Mul(ExpNegative(hn::Sub(v, top)), weight);
    const Vec across =
        hn::Mul(ExpNegative(hn::Sub(v, hn::Load(d, row.column_top + j))), hn::Load(d, row.column_weight + j));
    hn::Store(hn::IfThenElseZero(real, hn::Mul(hn::Add(along, across), f)), d, z + j);
    const Vec t =
        hn::MulAdd(along, hn::Sub(v, own), hn::Mul(across, hn::Sub(v, hn::Load(d, row.diagonals + j))));
    sum = hn::Add(sum, hn::IfThenElseZero(real, t));
  }
  return Sum(sum) * share;
}

/// z → dloss/dz off the diagonal, 0 on it.
SigLipSums SigLipGradRow(float bias, float share, int64_t padded, float* z) {
  const Floats d;
  const Vec none = hn::Set(d, 0.5f * kNoLogit), b = hn::Set(d, bias), f = hn::Set(d, share);
  const Vec zero = hn::Zero(d), one = hn::Set(d, 1.0f);
  Vec loss = zero, scale = zero, sum = zero;
  for (int64_t j = 0; j < padded; j += kLanes) {
    const Vec v = hn::Load(d, z + j);
    const auto real = hn::Gt(v, none);
    const Vec u = hn::Add(v, b);
    const Vec e = ExpNegative(hn::Neg(hn::Abs(u)));
    // log(1 + e^u) and σ(u), without overflow.
    const Vec softplus = hn::Add(hn::Max(u, zero), hn::Log1p(d, e));
    const Vec sigma = hn::Div(hn::IfThenElse(hn::Lt(u, zero), e, one), hn::Add(one, e));
    const Vec g = hn::IfThenElseZero(real, hn::Mul(sigma, f));
    loss = hn::Add(loss, hn::IfThenElseZero(real, softplus));
    scale = hn::Add(scale, hn::IfThenElseZero(real, hn::Mul(g, v)));
    sum = hn::Add(sum, g);
    hn::Store(g, d, z + j);
  }
  return {Sum(loss) * share, Sum(scale), Sum(sum)};
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>

#include "backend/cpu/dispatch.h"
#include "ops/gemm/gemm.h"

namespace sns {
namespace {

constexpr int64_t kPad = 16;       // widest vector
constexpr int64_t kRowsATask = 8;  // also columns of 16 a task

struct Scratch {
  int64_t padded;
  float *z, *diagonal, *row_top, *row_sum, *column_top, *column_sum;
  float *loss, *scale, *bias;
  void* gemm;
  Scratch(Carver& carver, int64_t n, int64_t dim, int threads) : padded(round_up(n, kPad)) {
    z = carver.take<float>(checked_mul(n, padded, "n"));
    for (float** p : {&diagonal, &row_top, &row_sum, &column_top, &column_sum, &loss, &scale, &bias}) {
      *p = carver.take<float>(padded);
    }
    const size_t most = std::max(gemm_scratch(n, n, dim, threads), gemm_scratch(n, dim, n, threads));
    gemm = carver.take<unsigned char>(static_cast<int64_t>(most));
  }
};

template <class F>
void for_rows(Parallel& parallel, int64_t n, F&& f) {
  parallel_for(parallel, ceil_div(n, kRowsATask), [&](int64_t t, int) {
    for (int64_t i = t * kRowsATask; i < std::min(n, (t + 1) * kRowsATask); ++i) f(i);
  });
}

}  // namespace

size_t contrastive_scratch(int64_t n, int64_t dim, int threads) {
  Carver carver(nullptr);
  Scratch(carver, n, dim, threads);
  return carver.bytes();
}

ContrastiveResult contrastive_cpu(const ContrastiveArgs& args, void* scratch, Parallel& parallel) {
  ContrastiveResult result;
  const int64_t n = args.n, dim = args.dim;
  if (n == 0) return result;
  Carver carver(scratch);
  const Scratch s(carver, n, dim, parallel.threads());
  const double scale = std::exp(static_cast<double>(args.logit_scale));

  GemmArgs logits;
  logits.m = logits.n = n;
  logits.k = logits.lda = logits.ldb = dim;
  logits.a = args.a;
  logits.b = args.b;
  logits.transpose_b = true;
  logits.scale = static_cast<float>(scale);
  logits.c = s.z;
  logits.ldc = s.padded;
  gemm_cpu(logits, s.gemm, parallel);
  for_rows(parallel, n, [&](int64_t i) {
    float* row = s.z + i * s.padded;
    s.diagonal[i] = row[i];
    row[i] = kNoLogit;
    std::fill(row + n, row + s.padded, kNoLogit);
  });
  std::fill(s.diagonal + n, s.diagonal + s.padded, 0.0f);

  const double share = 1.0 / static_cast<double>(n);
  if (args.kind == ContrastiveLoss::kClip) {
    const auto row_stats = SNS_DISPATCH(RowStats);
    const auto column_stats = SNS_DISPATCH(ColumnStats);
    const auto grad = SNS_DISPATCH(ClipGradRow);
    for_rows(parallel, n,
             [&](int64_t i) { row_stats(s.z + i * s.padded, s.padded, s.row_top + i, s.row_sum + i); });
    parallel_for(parallel, s.padded / kPad, [&](int64_t t, int) {
      column_stats(s.z + t * kPad, s.padded, n, s.column_top + t * kPad, s.column_sum + t * kPad);
    });
    // From here on the sums are weights, and `bias` holds the gradient of the diagonal.
    for (int64_t i = 0; i < n; ++i) {
      const Softmax along = with_diagonal(s.row_top[i], s.row_sum[i], s.diagonal[i]);
      const Softmax across = with_diagonal(s.column_top[i], s.column_sum[i], s.diagonal[i]);
      result.loss += (along.loss + across.loss) * share / 2;
      s.row_sum[i] = along.weight;
      s.column_sum[i] = across.weight;
      s.bias[i] = static_cast<float>(-(along.others + across.others) * share / 2);
    }
    for (int64_t i = n; i < s.padded; ++i) s.column_sum[i] = 0;
    for_rows(parallel, n, [&](int64_t i) {
      const ClipRow row = {s.row_top[i], s.row_sum[i], s.diagonal[i], s.column_top, s.column_sum, s.diagonal};
      s.scale[i] = grad(row, static_cast<float>(share / 2), s.padded, s.z + i * s.padded);
      s.z[i * s.padded + i] = s.bias[i];
    });
    for (int64_t i = 0; i < n; ++i) result.d_logit_scale += s.scale[i];
  } else {
    const auto grad = SNS_DISPATCH(SigLipGradRow);
    for_rows(parallel, n, [&](int64_t i) {
      const SigLipSums sums = grad(args.logit_bias, static_cast<float>(share), s.padded, s.z + i * s.padded);
      s.loss[i] = sums.loss;
      s.scale[i] = sums.scale;
      s.bias[i] = sums.bias;
    });
    for (int64_t i = 0; i < n; ++i) {
      const double t = static_cast<double>(s.diagonal[i]) + args.logit_bias;
      const double g = -share / (1 + std::exp(t));
      result.loss += s.loss[i] + share * (std::max(-t, 0.0) + std::log1p(std::exp(-std::abs(t))));
      result.d_logit_scale += s.scale[i] + g * s.diagonal[i];
      result.d_logit_bias += s.bias[i] + g;
      s.z[i * s.padded + i] = static_cast<float>(g);
    }
  }

  GemmArgs back;
  back.m = back.k = n;
  back.n = back.ldb = back.ldc = dim;
  back.a = s.z;
  back.lda = s.padded;
  back.scale = static_cast<float>(scale);
  back.b = args.b;
  back.c = args.da;
  gemm_cpu(back, s.gemm, parallel);
  back.transpose_a = true;
  back.b = args.a;
  back.c = args.db;
  gemm_cpu(back, s.gemm, parallel);
  return result;
}

size_t contrastive_logits_scratch(int64_t n, int64_t m, int64_t dim, int threads) {
  return gemm_scratch(n, m, dim, threads);
}

void contrastive_logits_cpu(const float* a, int64_t n, const float* b, int64_t m, int64_t dim,
                            float logit_scale, float logit_bias, float* out, void* scratch,
                            Parallel& parallel) {
  GemmArgs g;
  g.m = n;
  g.n = g.ldc = m;
  g.k = g.lda = g.ldb = dim;
  g.a = a;
  g.b = b;
  g.transpose_b = true;
  g.scale = static_cast<float>(std::exp(static_cast<double>(logit_scale)));
  g.c = out;
  gemm_cpu(g, scratch, parallel);
  if (logit_bias == 0) return;
  for_rows(parallel, n, [&](int64_t i) {
    for (int64_t j = 0; j < m; ++j) out[i * m + j] += logit_bias;
  });
}

}  // namespace sns
#endif
