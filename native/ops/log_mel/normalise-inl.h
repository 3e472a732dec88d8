// Second passes over the features of a whole clip: clipping below its maximum, z-scores of its mel bins.

#if defined(SNS_OPS_LOG_MEL_NORMALISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_OPS_LOG_MEL_NORMALISE_INL_H_
#undef SNS_OPS_LOG_MEL_NORMALISE_INL_H_
#else
#define SNS_OPS_LOG_MEL_NORMALISE_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>

#include "ops/log_mel/log_mel.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// y = max(y, low)·scale + shift over [rows, cols].
HWY_NOINLINE void ClipRows(float* y, int64_t rows, int64_t cols, int64_t ldy, float low, float scale,
                           float shift) {
  const hn::ScalableTag<float> df;
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(df));
  const auto l = hn::Set(df, low), a = hn::Set(df, scale), b = hn::Set(df, shift);
  for (int64_t r = 0; r < rows; ++r, y += ldy) {
    int64_t i = 0;
    for (; i + lanes <= cols; i += lanes) {
      hn::StoreU(hn::MulAdd(hn::Max(hn::LoadU(df, y + i), l), a, b), df, y + i);
    }
    const hn::CappedTag<float, 1> d1;
    for (; i < cols; ++i) {
      const auto v = hn::Max(hn::LoadU(d1, y + i), hn::Set(d1, low));
      hn::StoreU(hn::MulAdd(v, hn::Set(d1, scale), hn::Set(d1, shift)), d1, y + i);
    }
  }
}

/// What turns x into its z-score, scaled and shifted: x → (x − mean)·factor + shift; or half of it
/// (FeatureNorm). A bin that never changes has no spread to divide by and becomes 0.
struct ZScore {
  double mean, factor, shift;
  ZScore(const LogMelConfig& c, double pivot, double sum, double squares, int64_t frames) {
    // sum and squares are of x − pivot.
    const double n = static_cast<double>(frames), offset = sum / n;
    const double spread = squares - sum * offset;
    const double var = frames > c.norm_ddof && spread > 0 ? spread / (n - c.norm_ddof) : 0.0;
    const double by = c.norm_eps_on_var ? std::sqrt(var + c.norm_eps) : std::sqrt(var) + c.norm_eps;
    mean = c.norm == FeatureNorm::kPerBinStd ? 0.0 : pivot + offset;
    factor = c.norm == FeatureNorm::kPerBinMean ? c.out_scale : by > 0 ? c.out_scale / by : 0.0;
    shift = c.out_shift;
  }
};

/// One mel bin whose frames lie side by side. Sums run in float64 around the first value.
HWY_NOINLINE void NormaliseRow(const LogMelConfig& config, float* y, int64_t, int64_t frames, int64_t) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(dd));
  const double first = static_cast<double>(y[0]);
  const auto pivot = hn::Set(dd, first);
  auto sums = hn::Zero(dd), squares = hn::Zero(dd);
  int64_t i = 0;
  for (; i + lanes <= frames; i += lanes) {
    const auto v = hn::Sub(hn::PromoteTo(dd, hn::LoadU(df, y + i)), pivot);
    sums = hn::Add(sums, v);
    squares = hn::MulAdd(v, v, squares);
  }
  double sum = hn::GetLane(hn::SumOfLanes(dd, sums)), square = hn::GetLane(hn::SumOfLanes(dd, squares));
  for (; i < frames; ++i) {
    const double v = static_cast<double>(y[i]) - first;
    sum += v;
    square += v * v;
  }
  const ZScore z(config, first, sum, square, frames);
  const auto mean = hn::Set(dd, z.mean), factor = hn::Set(dd, z.factor), shift = hn::Set(dd, z.shift);
  for (i = 0; i + lanes <= frames; i += lanes) {
    const auto v = hn::Sub(hn::PromoteTo(dd, hn::LoadU(df, y + i)), mean);
    hn::StoreU(hn::DemoteTo(df, hn::MulAdd(v, factor, shift)), df, y + i);
  }
  for (; i < frames; ++i) {
    y[i] = static_cast<float>((static_cast<double>(y[i]) - z.mean) * z.factor + z.shift);
  }
}

/// Up to 16 mel bins side by side, frames ldy apart.
HWY_NOINLINE void NormaliseColumns(const LogMelConfig& config, float* y, int64_t bins, int64_t frames,
                                   int64_t ldy) {
  constexpr int64_t kMax = 16;
  double pivot[kMax], sum[kMax] = {}, square[kMax] = {};
  float mean[kMax], low[kMax], factor[kMax];
  const float shift = static_cast<float>(config.out_shift);
  for (int64_t m = 0; m < bins; ++m) pivot[m] = static_cast<double>(y[m]);
  const hn::CappedTag<double, kMax> dd;
  const hn::Rebind<float, decltype(dd)> df;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(dd));
  const int64_t vectors = bins / kLanes * kLanes;
  for (int64_t m = 0; m < vectors; m += kLanes) {
    const auto p = hn::LoadU(dd, pivot + m);
    auto sums = hn::Zero(dd), squares = hn::Zero(dd);
    const float* x = y + m;
    for (int64_t f = 0; f < frames; ++f, x += ldy) {
      const auto v = hn::Sub(hn::PromoteTo(dd, hn::LoadU(df, x)), p);
      sums = hn::Add(sums, v);
      squares = hn::MulAdd(v, v, squares);
    }
    hn::StoreU(sums, dd, sum + m);
    hn::StoreU(squares, dd, square + m);
  }
  for (int64_t m = vectors; m < bins; ++m) {
    for (int64_t f = 0; f < frames; ++f) {
      const double v = static_cast<double>(y[f * ldy + m]) - pivot[m];
      sum[m] += v;
      square[m] += v * v;
    }
  }
  for (int64_t m = 0; m < bins; ++m) {
    const ZScore z(config, pivot[m], sum[m], square[m], frames);
    // The mean in two floats: the difference to it is then as good as in float64.
    mean[m] = static_cast<float>(z.mean);
    low[m] = static_cast<float>(z.mean - static_cast<double>(mean[m]));
    factor[m] = static_cast<float>(z.factor);
  }
  const hn::CappedTag<float, kMax> dv;
  constexpr int64_t kFloats = static_cast<int64_t>(hn::MaxLanes(dv));
  const int64_t full = bins / kFloats * kFloats;
  for (int64_t f = 0; f < frames; ++f) {
    float* x = y + f * ldy;
    for (int64_t m = 0; m < full; m += kFloats) {
      const auto v = hn::Sub(hn::Sub(hn::LoadU(dv, x + m), hn::LoadU(dv, mean + m)), hn::LoadU(dv, low + m));
      hn::StoreU(hn::MulAdd(v, hn::LoadU(dv, factor + m), hn::Set(dv, shift)), dv, x + m);
    }
    for (int64_t m = full; m < bins; ++m) x[m] = ((x[m] - mean[m]) - low[m]) * factor[m] + shift;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif  // toggle
