// Complex FFT of Lanes(d) signals at once, one signal a lane: a row holds one complex point of all of them,
// [real lanes][imaginary lanes]. Every butterfly is vertical, so no radix needs a shuffle.

#if defined(SNS_OPS_LOG_MEL_FFT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_OPS_LOG_MEL_FFT_INL_H_
#undef SNS_OPS_LOG_MEL_FFT_INL_H_
#else
#define SNS_OPS_LOG_MEL_FFT_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/log_mel/log_mel_plan.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
struct Complex {
  using V = hn::Vec<D>;
  V re, im;

  static HWY_INLINE Complex load(const hn::TFromD<D>* row) {
    const D d;
    return {hn::Load(d, row), hn::Load(d, row + hn::MaxLanes(d))};
  }
  HWY_INLINE void store(hn::TFromD<D>* row) const {
    const D d;
    hn::Store(re, d, row);
    hn::Store(im, d, row + hn::MaxLanes(d));
  }
  HWY_INLINE Complex operator+(const Complex& o) const { return {hn::Add(re, o.re), hn::Add(im, o.im)}; }
  HWY_INLINE Complex operator-(const Complex& o) const { return {hn::Sub(re, o.re), hn::Sub(im, o.im)}; }
  HWY_INLINE Complex operator*(const Complex& w) const {
    return {hn::MulSub(re, w.re, hn::Mul(im, w.im)), hn::MulAdd(re, w.im, hn::Mul(im, w.re))};
  }
  /// this + s·o with a real s.
  HWY_INLINE Complex plus_scaled(V s, const Complex& o) const {
    return {hn::MulAdd(s, o.re, re), hn::MulAdd(s, o.im, im)};
  }
  HWY_INLINE Complex scaled(V s) const { return {hn::Mul(s, re), hn::Mul(s, im)}; }
  /// this − i·o
  HWY_INLINE Complex minus_i(const Complex& o) const { return {hn::Add(re, o.im), hn::Sub(im, o.re)}; }
  /// this + i·o
  HWY_INLINE Complex plus_i(const Complex& o) const { return {hn::Sub(re, o.im), hn::Add(im, o.re)}; }
};

/// Twiddle factors of one butterfly; the copy without them serves j = 0, where all are 1.
template <class D, int kRadix, bool kTwiddle>
struct Twiddles {
  Complex<D> w[kRadix - 1];
  HWY_INLINE explicit Twiddles(const hn::TFromD<D>* t) {
    const D d;
#pragma GCC unroll 8
    for (int q = 0; q < kRadix - 1; ++q) w[q] = {hn::Set(d, t[2 * q]), hn::Set(d, t[2 * q + 1])};
  }
  template <int kQ>
  HWY_INLINE Complex<D> load(const hn::TFromD<D>* row) const {
    return Complex<D>::load(row) * w[kQ - 1];
  }
};
template <class D, int kRadix>
struct Twiddles<D, kRadix, false> {
  HWY_INLINE explicit Twiddles(const hn::TFromD<D>*) {}
  template <int kQ>
  HWY_INLINE Complex<D> load(const hn::TFromD<D>* row) const {
    return Complex<D>::load(row);
  }
};

/// The radix-point DFT of rows x, x+s, x+2s …, in place.
template <class D, int kRadix, bool kTwiddle>
HWY_INLINE void Butterfly(const Twiddles<D, kRadix, kTwiddle>& tw, hn::TFromD<D>* x, int64_t s) {
  using T = hn::TFromD<D>;
  using C = Complex<D>;
  const D d;
  const C x0 = C::load(x);
  const C x1 = tw.template load<1>(x + s);
  if constexpr (kRadix == 2) {
    (x0 + x1).store(x);
    (x0 - x1).store(x + s);
  } else if constexpr (kRadix == 3) {
    const C x2 = tw.template load<2>(x + 2 * s);
    const C sum = x1 + x2;
    const C diff = (x1 - x2).scaled(hn::Set(d, static_cast<T>(0.86602540378443864676)));
    const C mid = x0.plus_scaled(hn::Set(d, static_cast<T>(-0.5)), sum);
    (x0 + sum).store(x);
    mid.minus_i(diff).store(x + s);
    mid.plus_i(diff).store(x + 2 * s);
  } else if constexpr (kRadix == 4) {
    const C x2 = tw.template load<2>(x + 2 * s), x3 = tw.template load<3>(x + 3 * s);
    const C a = x0 + x2, b = x0 - x2, c = x1 + x3, e = x1 - x3;
    (a + c).store(x);
    b.minus_i(e).store(x + s);
    (a - c).store(x + 2 * s);
    b.plus_i(e).store(x + 3 * s);
  } else if constexpr (kRadix == 5) {
    const auto c1 = hn::Set(d, static_cast<T>(0.30901699437494742410));
    const auto c2 = hn::Set(d, static_cast<T>(-0.80901699437494742410));
    const auto s1 = hn::Set(d, static_cast<T>(0.95105651629515357212));
    const auto s2 = hn::Set(d, static_cast<T>(0.58778525229247312917));
    const auto minus_s1 = hn::Set(d, static_cast<T>(-0.95105651629515357212));
    const C x4 = tw.template load<4>(x + 4 * s);
    const C p = x1 + x4, q = x1 - x4;
    const C x2 = tw.template load<2>(x + 2 * s), x3 = tw.template load<3>(x + 3 * s);
    const C r = x2 + x3, u = x2 - x3;
    (x0 + p + r).store(x);
    const C a1 = x0.plus_scaled(c1, p).plus_scaled(c2, r), b1 = q.scaled(s1).plus_scaled(s2, u);
    a1.minus_i(b1).store(x + s);
    a1.plus_i(b1).store(x + 4 * s);
    const C a2 = x0.plus_scaled(c2, p).plus_scaled(c1, r), b2 = q.scaled(s2).plus_scaled(minus_s1, u);
    a2.minus_i(b2).store(x + 2 * s);
    a2.plus_i(b2).store(x + 3 * s);
  } else {
    static_assert(kRadix == 8, "radix");
    const auto h = hn::Set(d, static_cast<T>(0.70710678118654752440));
    // Odd half first: its results wait in registers while the even half is made.
    const C x3 = tw.template load<3>(x + 3 * s), x5 = tw.template load<5>(x + 5 * s);
    const C x7 = tw.template load<7>(x + 7 * s);
    const C a = x1 + x5, b = x1 - x5, c = x3 + x7, e = x3 - x7;
    const C o0 = a + c, o2 = a - c, o1 = b.minus_i(e), o3 = b.plus_i(e);
    // times e^(−iπ/4) and e^(−3iπ/4)
    const C t1 = C{hn::Add(o1.re, o1.im), hn::Sub(o1.im, o1.re)}.scaled(h);
    const C t3 = C{hn::Sub(o3.im, o3.re), hn::Neg(hn::Add(o3.re, o3.im))}.scaled(h);
    const C x2 = tw.template load<2>(x + 2 * s), x4 = tw.template load<4>(x + 4 * s);
    const C x6 = tw.template load<6>(x + 6 * s);
    const C f = x0 + x4, g = x0 - x4, i = x2 + x6, j = x2 - x6;
    const C e0 = f + i, e2 = f - i, e1 = g.minus_i(j), e3 = g.plus_i(j);
    (e0 + o0).store(x);
    (e1 + t1).store(x + s);
    e2.minus_i(o2).store(x + 2 * s);
    (e3 + t3).store(x + 3 * s);
    (e0 - o0).store(x + 4 * s);
    (e1 - t1).store(x + 5 * s);
    e2.plus_i(o2).store(x + 6 * s);
    (e3 - t3).store(x + 7 * s);
  }
}

/// One pass over `rows` rows from x.
template <class D, int kRadix>
HWY_NOINLINE void FftPassOf(int64_t m, int64_t rows, const hn::TFromD<D>* twiddle, hn::TFromD<D>* x) {
  const D d;
  const int64_t width = 2 * static_cast<int64_t>(hn::MaxLanes(d));
  const int64_t stride = m * width, group = kRadix * stride, end = rows * width;
  const Twiddles<D, kRadix, false> none(twiddle);
  for (int64_t at = 0; at < end; at += group) Butterfly<D, kRadix, false>(none, x + at, stride);
  for (int64_t j = 1; j < m; ++j) {
    const Twiddles<D, kRadix, true> tw(twiddle + j * (2 * (kRadix - 1)));
    for (int64_t at = j * width; at < end; at += group) Butterfly<D, kRadix, true>(tw, x + at, stride);
  }
}

/// Likewise of a greater prime p, as the sum it is: with inputs q and p − q taken together, outputs k and p −
/// k share their real and imaginary sums. `spare` holds p rows.
template <class D>
HWY_NOINLINE void FftPassOfPrime(const FftPass& pass, int64_t rows, const hn::TFromD<D>* twiddles,
                                 hn::TFromD<D>* x, hn::TFromD<D>* spare) {
  using C = Complex<D>;
  const D d;
  const int64_t width = 2 * static_cast<int64_t>(hn::MaxLanes(d)), p = pass.radix, m = pass.m;
  const int64_t stride = m * width, pairs = (p - 1) / 2;
  const hn::TFromD<D>* roots = twiddles + pass.roots;
  for (int64_t at = 0; at < rows; at += p * m) {
    for (int64_t j = 0; j < m; ++j) {
      hn::TFromD<D>* row = x + (at + j) * width;
      const hn::TFromD<D>* w = twiddles + pass.twiddles + j * 2 * (p - 1);
      const auto load = [&](int64_t q) HWY_ATTR {
        const C factor{hn::Set(d, w[2 * q - 2]), hn::Set(d, w[2 * q - 1])};
        return C::load(row + q * stride) * factor;
      };
      const C first = C::load(row);
      C sum = first;
      for (int64_t q = 1; q <= pairs; ++q) {
        const C a = load(q), b = load(p - q);
        (a + b).store(spare + (2 * q - 2) * width);
        (a - b).store(spare + (2 * q - 1) * width);
        sum = sum + a + b;
      }
      sum.store(row);
      for (int64_t k = 1; k <= pairs; ++k) {
        C even = first, odd{hn::Zero(d), hn::Zero(d)};
        int64_t turn = 0;  // k·q mod p
        for (int64_t q = 1; q <= pairs; ++q) {
          turn += k;
          if (turn >= p) turn -= p;
          even = even.plus_scaled(hn::Set(d, roots[2 * turn]), C::load(spare + (2 * q - 2) * width));
          odd = odd.plus_scaled(hn::Set(d, roots[2 * turn + 1]), C::load(spare + (2 * q - 1) * width));
        }
        even.minus_i(odd).store(row + k * stride);
        even.plus_i(odd).store(row + (p - k) * stride);
      }
    }
  }
}

template <class D>
HWY_INLINE void RunPass(const FftPass& pass, int64_t rows, const hn::TFromD<D>* twiddles, hn::TFromD<D>* x,
                        hn::TFromD<D>* spare) {
  const auto* w = twiddles + pass.twiddles;
  switch (pass.radix) {
    case 2:
      return FftPassOf<D, 2>(pass.m, rows, w, x);
    case 3:
      return FftPassOf<D, 3>(pass.m, rows, w, x);
    case 4:
      return FftPassOf<D, 4>(pass.m, rows, w, x);
    case 5:
      return FftPassOf<D, 5>(pass.m, rows, w, x);
    case 8:
      return FftPassOf<D, 8>(pass.m, rows, w, x);
    default:
      return FftPassOfPrime<D>(pass, rows, twiddles, x, spare);
  }
}

// x: [half] rows, in the order of Tables::row at first, in natural order at last; one more row and those that
// passes of greater primes use behind them.

/// The passes that stay within the run of local_rows rows from `first` on.
template <class D>
HWY_INLINE void FftLocal(D, const LogMelPlan::Tables& t,
                         const LogMelPlan::Tables::Typed<hn::TFromD<D>>& typed, int64_t first,
                         hn::TFromD<D>* x) {
  const int64_t width = 2 * static_cast<int64_t>(hn::MaxLanes(D()));
  const FftPass* passes = t.passes.data();
  for (int64_t p = 0; p < t.local_passes; ++p) {
    RunPass<D>(passes[p], t.local_rows, typed.twiddle.data(), x + first * width, x + (t.half + 1) * width);
  }
}

/// The others, when all runs are done.
template <class D>
HWY_INLINE void FftRest(D, const LogMelPlan::Tables& t, const LogMelPlan::Tables::Typed<hn::TFromD<D>>& typed,
                        hn::TFromD<D>* x) {
  const int64_t width = 2 * static_cast<int64_t>(hn::MaxLanes(D()));
  const FftPass* passes = t.passes.data();
  const int64_t count = static_cast<int64_t>(t.passes.size());
  for (int64_t p = t.local_passes; p < count; ++p) {
    RunPass<D>(passes[p], t.half, typed.twiddle.data(), x, x + (t.half + 1) * width);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif  // toggle
