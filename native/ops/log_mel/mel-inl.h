// From the half-size complex spectrum to features: real spectrum, sparse filterbank, logarithm, layout.

#if defined(SNS_OPS_LOG_MEL_MEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_OPS_LOG_MEL_MEL_INL_H_
#undef SNS_OPS_LOG_MEL_MEL_INL_H_
#else
#define SNS_OPS_LOG_MEL_MEL_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/log_mel/frames-inl.h"
#include "ops/log_mel/mel_workspace.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// From here on every number is positive and only its relative error matters: float32 from the power on.
template <class D>
HWY_INLINE void StoreFloat(D d, hn::Vec<D> v, float* p) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    hn::Store(v, d, p);
  } else {
    const hn::Rebind<float, D> df;
    hn::StoreU(hn::DemoteTo(df, v), df, p);
  }
}

template <bool kRoot, class D, class T = hn::TFromD<D>>
HWY_INLINE void SpectrumRows(D d, const LogMelPlan::Tables& t, const T* split, const T* rows, int64_t ld,
                             float* out) {
  using V = hn::Vec<D>;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(d));
  const int64_t half = t.half;
  auto put = [&](V re, V im, int64_t k) HWY_ATTR {
    const V power = hn::MulAdd(re, re, hn::Mul(im, im));
    StoreFloat(d, kRoot ? hn::Sqrt(power) : power, out + k * ld);
  };
  // 2X₀ and 2X of the Nyquist bin are real.
  {
    const V re = hn::Load(d, rows), im = hn::Load(d, rows + kLanes);
    const V sum = hn::Add(re, im), diff = hn::Sub(re, im);
    put(hn::Add(sum, sum), hn::Zero(d), 0);
    put(hn::Add(diff, diff), hn::Zero(d), half);
  }
  // 2X_k = E − iW·O and 2X_(half−k) = conj(E + iW·O), E = Z_k + conj Z_(half−k), O = Z_k − conj Z_(half−k). A
  // pair is left out when no filter looks at either bin.
  int64_t end = half / 2 + 1;
  int64_t begin = t.bin_end > end ? half + 1 - t.bin_end : t.bin_begin;
  if (t.bin_begin < begin) begin = t.bin_begin;
  if (begin < 1) begin = 1;
  if (t.bin_end < end) end = t.bin_end;
  const T* a = rows + begin * 2 * kLanes;
  const T* b = rows + (half - begin) * 2 * kLanes;
  for (int64_t k = begin; k < end; ++k, a += 2 * kLanes, b -= 2 * kLanes) {
    const V ar = hn::Load(d, a), ai = hn::Load(d, a + kLanes);
    const V br = hn::Load(d, b), bi = hn::Load(d, b + kLanes);
    const V er = hn::Add(ar, br), ei = hn::Sub(ai, bi), od = hn::Sub(ar, br), oi = hn::Add(ai, bi);
    const V c = hn::Set(d, split[2 * k]), s = hn::Set(d, split[2 * k + 1]);
    const V p = hn::MulAdd(c, od, hn::Mul(s, oi)), q = hn::MulSub(c, oi, hn::Mul(s, od));
    put(hn::Add(er, q), hn::Sub(ei, p), k);
    put(hn::Sub(er, q), hn::Add(ei, p), half - k);
  }
}

/// Power (×4) or magnitude (×2) of the bins that filters look at; out [half + 1] rows of ld floats.
template <class D, class T = hn::TFromD<D>>
HWY_NOINLINE void Spectrum(D d, const LogMelConfig& config, const LogMelPlan::Tables& t,
                           const LogMelPlan::Tables::Typed<T>& typed, const T* rows, int64_t ld, float* out) {
  if (config.power == 2) {
    SpectrumRows<false>(d, t, typed.split.data(), rows, ld, out);
  } else {
    SpectrumRows<true>(d, t, typed.split.data(), rows, ld, out);
  }
}

/// ln x of positive normal floats, 1 ulp (Cephes logf).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Ln(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto bits = hn::BitCast(di, x);
  const auto e = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3F3504F3)));  // √½ ≤ mantissa < √2
  const V f = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(e))), hn::Set(d, 1.0f));
  const V n = hn::ConvertTo(d, e);
  const V z = hn::Mul(f, f);
  V p = hn::Set(d, 7.0376836292e-2f);
  p = hn::MulAdd(p, f, hn::Set(d, -1.1514610310e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.1676998740e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, -1.2420140846e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.4249322787e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, -1.6668057665e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 2.0000714765e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, -2.4999993993e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 3.3333331174e-1f));
  V r = hn::Mul(hn::Mul(p, f), z);
  r = hn::MulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  r = hn::NegMulAdd(hn::Set(d, 0.5f), z, r);
  return hn::MulAdd(n, hn::Set(d, 0.693359375f), hn::Add(f, r));
}

/// Block b of v goes to p + 4b·stride.
template <class DF>
HWY_INLINE void StoreBlocks(DF df, hn::Vec<DF> v, float* p, int64_t stride) {
  if constexpr (hn::MaxLanes(DF()) <= 4) {
    (void)stride;
    hn::StoreU(v, df, p);
  } else {
    const hn::Half<DF> dh;
    constexpr int64_t kHalf = static_cast<int64_t>(hn::MaxLanes(DF()) / 2);
    StoreBlocks(dh, hn::LowerHalf(dh, v), p, stride);
    StoreBlocks(dh, hn::UpperHalf(dh, v), p + kHalf * stride, stride);
  }
}

/// Writes the features of a vector of frames.
class MelOutput {
 public:
  MelOutput(const LogMelPlan& plan, const MelTarget& target) : target_(target), config_(plan.config()) {
    const bool clip = config_.clip != ClipRange::kNone, norm = config_.norm != FeatureNorm::kNone;
    double unit = 1;  // of the natural logarithm
    if (config_.log == LogKind::kLog10) unit = 0.43429448190325182765;
    if (config_.log == LogKind::kDecibel) unit = 4.3429448190325182765;
    scale_ = static_cast<float>(clip || norm ? unit : unit * config_.out_scale);
    shift_ = static_cast<float>(clip || norm ? 0 : config_.out_shift);
    // As a clip whose own maximum it is would be clipped, to the bit.
    fixed_ = config_.clip == ClipRange::kFixedMax;
    low_ = static_cast<float>(static_cast<float>(config_.clip_maximum) - config_.clip_range);
    clip_scale_ = norm ? 1.0f : static_cast<float>(config_.out_scale);
    clip_shift_ = norm ? 0.0f : static_cast<float>(config_.out_shift);
  }

  /// `valid` frames from f on; their maximum goes into *clip_max.
  template <class DF>
  HWY_INLINE void write(DF df, const LogMelPlan::Tables& t, const float* spectrum, int64_t f, int64_t valid,
                        float* clip_max) const {
    switch (config_.log) {
      case LogKind::kNone:
        return write_as<0>(df, t, spectrum, f, valid, clip_max);
      default:
        return config_.floor_kind == LogFloor::kMax ? write_as<1>(df, t, spectrum, f, valid, clip_max)
                                                    : write_as<2>(df, t, spectrum, f, valid, clip_max);
    }
  }

 private:
  template <int kLog, class DF>
  HWY_NOINLINE void write_as(DF df, const LogMelPlan::Tables& t, const float* spectrum, int64_t f,
                             int64_t valid, float* clip_max) const {
    using V = hn::Vec<DF>;
    constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(DF()));
    const V scale = hn::Set(df, scale_), shift = hn::Set(df, shift_);
    const V low = hn::Set(df, low_), clip_scale = hn::Set(df, clip_scale_),
            clip_shift = hn::Set(df, clip_shift_);
    const bool fixed = fixed_;
    float* const out = target_.y;
    const int64_t ldy = target_.ldy, row = f - target_.first;
    const V floor = hn::Set(df, static_cast<float>(config_.floor));
    const float* weights = t.weight.data();
    const LogMelPlan::Tables::Filter* filters = t.filter.data();
    auto feature = [&](int64_t m) HWY_ATTR {
      const auto filter = filters[m];
      const float* w = weights + filter.weights;
      const float* s = spectrum + filter.first_bin * kLanes;
      V even = hn::Zero(df), odd = hn::Zero(df);
      int64_t i = 0;
      for (; i + 2 <= filter.count; i += 2) {
        even = hn::MulAdd(hn::Set(df, w[i]), hn::Load(df, s + i * kLanes), even);
        odd = hn::MulAdd(hn::Set(df, w[i + 1]), hn::Load(df, s + (i + 1) * kLanes), odd);
      }
      if (i < filter.count) even = hn::MulAdd(hn::Set(df, w[i]), hn::Load(df, s + i * kLanes), even);
      V v = hn::Add(even, odd);
      if constexpr (kLog == 1) v = Ln(df, hn::Max(v, floor));
      if constexpr (kLog == 2) v = Ln(df, hn::Add(v, floor));
      v = hn::MulAdd(v, scale, shift);
      return fixed ? hn::MulAdd(hn::Max(v, low), clip_scale, clip_shift) : v;
    };

    V top = hn::Set(df, *clip_max);
    const int64_t mels = config_.n_mels;
    const bool full = valid == kLanes;
    for (int64_t m = 0; m < mels; m += 4) {
      if (full && m + 4 <= mels) {
        const V a = feature(m), b = feature(m + 1), c = feature(m + 2), e = feature(m + 3);
        top = hn::Max(top, hn::Max(hn::Max(a, b), hn::Max(c, e)));
        if (target_.mel_major) {
          float* y = out + m * ldy + row;
          hn::StoreU(a, df, y);
          hn::StoreU(b, df, y + ldy);
          hn::StoreU(c, df, y + 2 * ldy);
          hn::StoreU(e, df, y + 3 * ldy);
        } else {
          const auto q = TransposeBlocks(df, a, b, c, e);
          float* y = out + row * ldy + m;
          StoreBlocks(df, q.a, y, ldy);
          StoreBlocks(df, q.b, y + ldy, ldy);
          StoreBlocks(df, q.c, y + 2 * ldy, ldy);
          StoreBlocks(df, q.e, y + 3 * ldy, ldy);
        }
      } else {
        const int64_t rows = mels - m < 4 ? mels - m : 4;
        for (int64_t r = 0; r < rows; ++r) {
          HWY_ALIGN float lane[kLanes];
          hn::Store(feature(m + r), df, lane);
          for (int64_t l = 0; l < valid; ++l) {
            out[target_.mel_major ? (m + r) * ldy + row + l : (row + l) * ldy + m + r] = lane[l];
            if (lane[l] > *clip_max) *clip_max = lane[l];
          }
        }
      }
    }
    const float highest = hn::GetLane(hn::MaxOfLanes(df, top));
    if (highest > *clip_max) *clip_max = highest;
  }

  const MelTarget& target_;
  const LogMelConfig& config_;
  float scale_ = 1, shift_ = 0, low_ = 0, clip_scale_ = 1, clip_shift_ = 0;
  bool fixed_ = false;
};

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif  // toggle
