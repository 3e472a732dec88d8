// From samples to rows for the FFT: padding, int16, transposition of frames into lanes, DC removal,
// pre-emphasis and window.

#if defined(SNS_OPS_LOG_MEL_FRAMES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_OPS_LOG_MEL_FRAMES_INL_H_
#undef SNS_OPS_LOG_MEL_FRAMES_INL_H_
#else
#define SNS_OPS_LOG_MEL_FRAMES_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/log_mel/fft-inl.h"
#include "ops/log_mel/mel_workspace.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// ---- transposition -------------------------------------------------------------------------------------

// Named, not an array: GCC keeps arrays of vectors in memory.
template <class V>
struct Four {
  V a, b, c, e;
};

/// Transposes 4×4 inside every 128-bit block.
template <class DF, class V = hn::Vec<DF>>
HWY_INLINE Four<V> TransposeBlocks(DF df, V a, V b, V c, V e) {
  const V ac0 = hn::InterleaveLower(df, a, c), be0 = hn::InterleaveLower(df, b, e);
  const V ac1 = hn::InterleaveUpper(df, a, c), be1 = hn::InterleaveUpper(df, b, e);
  return {hn::InterleaveLower(df, ac0, be0), hn::InterleaveUpper(df, ac0, be0),
          hn::InterleaveLower(df, ac1, be1), hn::InterleaveUpper(df, ac1, be1)};
}

/// Block b of the result is the four floats at p + 4b·stride.
template <class DF>
HWY_INLINE hn::Vec<DF> LoadBlocks(DF df, const float* p, int64_t stride) {
  if constexpr (hn::MaxLanes(DF()) <= 4) {
    (void)stride;
    return hn::LoadU(df, p);
  } else {
    const hn::Half<DF> dh;
    constexpr int64_t kHalf = static_cast<int64_t>(hn::MaxLanes(DF()) / 2);
    return hn::Combine(df, LoadBlocks(dh, p + kHalf * stride, stride), LoadBlocks(dh, p, stride));
  }
}

/// Samples t … t+3 of all lanes' frames, as four vectors of D's type.
template <class D>
HWY_INLINE Four<hn::Vec<D>> LoadSamples(D d, const float* p, int64_t stride) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return TransposeBlocks(d, LoadBlocks(d, p, stride), LoadBlocks(d, p + stride, stride),
                           LoadBlocks(d, p + 2 * stride, stride), LoadBlocks(d, p + 3 * stride, stride));
  } else if constexpr (hn::MaxLanes(D()) == 2) {
    const hn::Full128<float> df;
    const hn::Half<decltype(df)> dh;
    const auto a = hn::LoadU(df, p), b = hn::LoadU(df, p + stride);
    const auto low = hn::InterleaveLower(df, a, b), high = hn::InterleaveUpper(df, a, b);
    return {hn::PromoteTo(d, hn::LowerHalf(dh, low)), hn::PromoteTo(d, hn::UpperHalf(dh, low)),
            hn::PromoteTo(d, hn::LowerHalf(dh, high)), hn::PromoteTo(d, hn::UpperHalf(dh, high))};
  } else {
    const hn::Rebind<float, D> df;
    const auto q = LoadSamples(df, p, stride);
    return {hn::PromoteTo(d, q.a), hn::PromoteTo(d, q.b), hn::PromoteTo(d, q.c), hn::PromoteTo(d, q.e)};
  }
}

// ---- staging -------------------------------------------------------------------------------------------

/// out[i] = sample at position start + shift + i of the padded signal; `shift` −1 gives each one's
/// predecessor.
HWY_INLINE void StageRun(const LogMelConfig& config, const MelSignal& signal, int64_t start, int64_t shift,
                         int64_t count, float* out) {
  const hn::ScalableTag<float> df;
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(df));
  auto edge = [&](int64_t i) {
    int64_t at = padded_source(config.padding, start + i, signal.total);
    if (at >= 0) at += shift;
    if (at < signal.begin || at >= signal.end) return 0.0f;
    at -= signal.begin;
    return signal.s16 ? static_cast<float>(static_cast<const int16_t*>(signal.samples)[at]) * 0x1p-15f
                      : static_cast<const float*>(signal.samples)[at];
  };
  // [begin, end): inside what is held, predecessor included.
  int64_t begin = signal.begin - shift - start;
  begin = begin < 0 ? 0 : begin > count ? count : begin;
  int64_t end = signal.end - start;
  end = end < begin ? begin : end > count ? count : end;
  for (int64_t i = 0; i < begin; ++i) out[i] = edge(i);
  int64_t i = begin;
  if (signal.s16) {
    const hn::Rebind<int16_t, decltype(df)> d16;
    const hn::Rebind<int32_t, decltype(df)> d32;
    const auto scale = hn::Set(df, 0x1p-15f);
    const int16_t* in = static_cast<const int16_t*>(signal.samples) + (start + shift - signal.begin);
    for (; i + lanes <= end; i += lanes) {
      const auto wide = hn::ConvertTo(df, hn::PromoteTo(d32, hn::LoadU(d16, in + i)));
      hn::StoreU(hn::Mul(wide, scale), df, out + i);
    }
  } else {
    const float* in = static_cast<const float*>(signal.samples) + (start + shift - signal.begin);
    for (; i + lanes <= end; i += lanes) hn::StoreU(hn::LoadU(df, in + i), df, out + i);
  }
  for (; i < count; ++i) out[i] = edge(i);
}

/// Finds, or copies together, the samples of frames f … f+lanes−1. Frames past the last one give zeros or
/// whatever the signal holds there; nobody keeps their features.
HWY_INLINE FrameSource Stage(const LogMelConfig& config, const LogMelPlan::Tables& t, const MelSignal& signal,
                             int64_t f, int64_t lanes, const MelWorkspace& w) {
  const bool previous = config.preemphasis_signal != 0;
  const int64_t start = window_start(config, f);
  const int64_t end = start + (lanes - 1) * config.hop + t.span;
  if (!signal.s16 && start >= signal.begin + (previous ? 1 : 0) && end <= signal.end) {
    const float* x = static_cast<const float*>(signal.samples) + (start - signal.begin);
    return {x, previous ? x - 1 : nullptr, config.hop};
  }
  if (staged_as_run(config)) {
    StageRun(config, signal, start, 0, end - start, w.stage);
    if (previous) StageRun(config, signal, start, -1, end - start, w.stage_previous);
    return {w.stage, w.stage_previous, config.hop};
  }
  for (int64_t l = 0; l < lanes; ++l) {
    StageRun(config, signal, start + l * config.hop, 0, t.span, w.stage + l * t.span);
    if (previous) StageRun(config, signal, start + l * config.hop, -1, t.span, w.stage_previous + l * t.span);
  }
  return {w.stage, w.stage_previous, t.span};
}

// ---- load ----------------------------------------------------------------------------------------------

HWY_INLINE double SumSamples(const float* x, int64_t n) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(dd));
  auto a = hn::Zero(dd), b = hn::Zero(dd);
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a = hn::Add(a, hn::PromoteTo(dd, hn::LoadU(df, x + i)));
    b = hn::Add(b, hn::PromoteTo(dd, hn::LoadU(df, x + i + lanes)));
  }
  double sum = hn::GetLane(hn::SumOfLanes(dd, hn::Add(a, b)));
  for (; i < n; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

template <class D>
HWY_INLINE void StoreZeros(D d, hn::TFromD<D>* row) {
  hn::Store(hn::Zero(d), d, row);
  hn::Store(hn::Zero(d), d, row + hn::MaxLanes(d));
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreWindowed(D d, const Four<hn::Vec<D>>& q, const T* window, T* a, T* b) {
  constexpr size_t kLanes = hn::MaxLanes(D());
  hn::Store(hn::Mul(q.a, hn::Set(d, window[0])), d, a);
  hn::Store(hn::Mul(q.b, hn::Set(d, window[1])), d, a + kLanes);
  hn::Store(hn::Mul(q.c, hn::Set(d, window[2])), d, b);
  hn::Store(hn::Mul(q.e, hn::Set(d, window[3])), d, b + kLanes);
}

/// Complex samples c and c + 1 of the frames for every c = first, first + step …; `first` and `step` are
/// even.
template <class D, class T = hn::TFromD<D>>
HWY_NOINLINE void LoadPlain(D d, const LogMelPlan::Tables& t, const T* window, const float* x, int64_t stride,
                            int64_t first, int64_t step, T* rows) {
  constexpr int64_t kWidth = 2 * static_cast<int64_t>(hn::MaxLanes(D()));
  const int32_t* row = t.row.data();
  const int64_t half = t.half, span = t.span;
  int64_t c = first;
  for (; 2 * c < span; c += step) {
    StoreWindowed(d, LoadSamples(d, x + 2 * c, stride), window + 2 * c, rows + row[c] * kWidth,
                  rows + row[c + 1] * kWidth);
  }
  for (; c < half; c += step) {
    StoreZeros(d, rows + row[c] * kWidth);
    StoreZeros(d, rows + row[c + 1] * kWidth);
  }
}

/// Likewise all samples, with DC removal and pre-emphasis.
template <class D, class T = hn::TFromD<D>>
HWY_NOINLINE void LoadFiltered(D d, const LogMelConfig& config, const LogMelPlan::Tables& t, const T* window,
                               const float* current, const float* previous, int64_t stride, T* rows) {
  using V = hn::Vec<D>;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D())), kWidth = 2 * kLanes;
  const int32_t* row = t.row.data();
  V mean = hn::Zero(d), last = hn::Zero(d);
  const V alpha = hn::Set(d, static_cast<T>(config.preemphasis));
  const bool in_frame = config.preemphasis != 0 && !previous;
  if (config.remove_dc) {
    HWY_ALIGN T means[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) {
      double sum = SumSamples(current + l * stride, config.win_length);
      if (previous) sum -= config.preemphasis * SumSamples(previous + l * stride, config.win_length);
      means[l] = static_cast<T>(sum / static_cast<double>(config.win_length));
    }
    mean = hn::Load(d, means);
  }
  const int64_t half = t.half, span = t.span;
  for (int64_t i = 0; i < span; i += 4) {
    auto q = LoadSamples(d, current + i, stride);
    if (previous) {
      const auto p = LoadSamples(d, previous + i, stride);
      q = {hn::NegMulAdd(alpha, p.a, q.a), hn::NegMulAdd(alpha, p.b, q.b), hn::NegMulAdd(alpha, p.c, q.c),
           hn::NegMulAdd(alpha, p.e, q.e)};
    }
    q = {hn::Sub(q.a, mean), hn::Sub(q.b, mean), hn::Sub(q.c, mean), hn::Sub(q.e, mean)};
    if (in_frame) {
      const V before = i == 0 ? q.a : last;
      last = q.e;
      q = {hn::NegMulAdd(alpha, before, q.a), hn::NegMulAdd(alpha, q.a, q.b), hn::NegMulAdd(alpha, q.b, q.c),
           hn::NegMulAdd(alpha, q.c, q.e)};
    }
    StoreWindowed(d, q, window + i, rows + row[i / 2] * kWidth, rows + row[i / 2 + 1] * kWidth);
  }
  for (int64_t c = span / 2; c < half; ++c) StoreZeros(d, rows + row[c] * kWidth);
}

/// Frames lane, lane + 1, … of the source → their half-size complex spectra.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void Transform(D d, const LogMelConfig& config, const LogMelPlan::Tables& t,
                          const LogMelPlan::Tables::Typed<T>& typed, const FrameSource& source, int64_t lane,
                          T* rows) {
  const float* current = source.current + lane * source.stride;
  const int64_t runs = t.half / t.local_rows;
  if (config.remove_dc || config.preemphasis != 0) {
    const float* previous = source.previous ? source.previous + lane * source.stride : nullptr;
    LoadFiltered(d, config, t, typed.window.data(), current, previous, source.stride, rows);
    for (int64_t run = 0; run < runs; ++run) FftLocal(d, t, typed, run * t.local_rows, rows);
  } else if (runs % 2 != 0) {
    LoadPlain(d, t, typed.window.data(), current, source.stride, 0, 2, rows);
    for (int64_t run = 0; run < runs; ++run) FftLocal(d, t, typed, run * t.local_rows, rows);
  } else {
    // Samples c with the same c mod runs make one local run: two of them are filled, then transformed while
    // they are in the level-1 cache.
    for (int64_t c = 0; c < runs; c += 2) {
      LoadPlain(d, t, typed.window.data(), current, source.stride, c, runs, rows);
      FftLocal(d, t, typed, t.row[c], rows);
      FftLocal(d, t, typed, t.row[c + 1], rows);
    }
  }
  FftRest(d, t, typed, rows);
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif  // toggle
