// Vector activations. Every one but ReLU and tanh is x times a number in (0, 1), made from one 2^x.

#if defined(SNS_OPS_LINEAR_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_OPS_LINEAR_ACTIVATION_INL_H_
#undef SNS_OPS_LINEAR_ACTIVATION_INL_H_
#else
#define SNS_OPS_LINEAR_ACTIVATION_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "core/activation.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 2^x for x in [-126, 127]; relative error below 1.2e-7.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp2(D d, V x) {
  const V n = hn::Round(x);
  const V f = hn::Sub(x, n);
  // Minimax fit of 2^f on [-1/2, 1/2] with p(0) = 1.
  V p = hn::Set(d, 0.00015353362f);
  p = hn::MulAdd(p, f, hn::Set(d, 0.0013398875f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.00961843692f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.0555033237f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.240226477f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.693147182f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  const hn::RebindToSigned<D> di;
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, n));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
}

/// x·Φ(x), Φ the normal distribution. Φ(−a) = 2^(a·q(a) − 1), so the small numbers at negative x keep their
/// relative accuracy; q is a fit of degree 9 on [0, 6], |error of Φ| < 3e-8. Beyond −6, where the value is
/// below 6e-9, the result is 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Gelu(D d, V x) {
  const V limit = hn::Set(d, 6.0f);
  const V a = hn::Abs(x);
  const V t = hn::Min(a, limit);
  V q = hn::Set(d, -2.03288035e-08f);
  q = hn::MulAdd(q, t, hn::Set(d, 6.4598737e-07f));
  q = hn::MulAdd(q, t, hn::Set(d, -8.75637215e-06f));
  q = hn::MulAdd(q, t, hn::Set(d, 6.41051156e-05f));
  q = hn::MulAdd(q, t, hn::Set(d, -0.000239421832f));
  q = hn::MulAdd(q, t, hn::Set(d, -7.76676461e-05f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.00703343004f));
  q = hn::MulAdd(q, t, hn::Set(d, -0.052493237f));
  q = hn::MulAdd(q, t, hn::Set(d, -0.459206253f));
  q = hn::MulAdd(q, t, hn::Set(d, -1.15110552f));
  const V one = hn::Set(d, 1.0f);
  const V tail = hn::IfThenElseZero(hn::Lt(a, limit), hn::Mul(hn::Set(d, 0.5f), Exp2(d, hn::Mul(q, t))));
  return hn::Mul(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail)));
}

/// x·σ(z), z given in units of ln 2: x/(1 + 2^(−z)).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V MulSigmoid(D d, V x, V z) {
  const V e = hn::Min(hn::Max(hn::Neg(z), hn::Set(d, -126.0f)), hn::Set(d, 126.0f));
  return hn::Div(x, hn::Add(hn::Set(d, 1.0f), Exp2(d, e)));
}

template <Activation kActivation, class D, class V = hn::Vec<D>>
HWY_INLINE V Activate(D d, V x) {
  constexpr float kLog2E = 1.44269504f;
  if constexpr (kActivation == Activation::kGelu) {
    return Gelu(d, x);
  } else if constexpr (kActivation == Activation::kGeluTanh) {
    // (1 + tanh u)/2 = σ(2u), u = √(2/π)(x + 0.044715x³)
    const V s = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 2 * 0.797884561f * kLog2E * 0.044715f),
                           hn::Set(d, 2 * 0.797884561f * kLog2E));
    return MulSigmoid(d, x, hn::Mul(x, s));
  } else if constexpr (kActivation == Activation::kQuickGelu) {
    return MulSigmoid(d, x, hn::Mul(x, hn::Set(d, 1.702f * kLog2E)));
  } else if constexpr (kActivation == Activation::kSilu) {
    return MulSigmoid(d, x, hn::Mul(x, hn::Set(d, kLog2E)));
  } else if constexpr (kActivation == Activation::kRelu) {
    return hn::Max(hn::Zero(d), x);  // in this order x86 lets a NaN through
  } else if constexpr (kActivation == Activation::kTanh) {
    return hn::Tanh(d, x);
  } else {
    return x;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif
