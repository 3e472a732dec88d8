#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rotary/rotary_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/rotary/rotary.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Doubles = hn::ScalableTag<double>;
using Wide = hn::Vec<Doubles>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());
constexpr int64_t kWideLanes = hn::MaxLanes(Doubles());

// x = turns·π/2 + rest, |rest| ≤ π/4, then Taylor's series in the rest: x⁹ and x¹⁰ are the last terms that a
// float can see. π/2 is cut so that turns·kHigh is exact for every int32 of turns, with or without FMA.
HWY_INLINE void SinCos(Wide x, Wide* sin, Wide* cos) {
  constexpr double kHigh = 0x1.921fbp+0, kMiddle = 0x1.5110b46p-22, kLow = 0x1.1a62633145c07p-54;
  const Doubles d;
  const Wide turns = hn::Round(hn::Mul(x, hn::Set(d, 2 / M_PI)));
  Wide r = hn::NegMulAdd(turns, hn::Set(d, kHigh), x);
  r = hn::NegMulAdd(turns, hn::Set(d, kMiddle), r);
  r = hn::NegMulAdd(turns, hn::Set(d, kLow), r);
  const Wide s = hn::Mul(r, r);
  Wide even = hn::Set(d, -1.0 / 3628800);
  even = hn::MulAdd(even, s, hn::Set(d, 1.0 / 40320));
  even = hn::MulAdd(even, s, hn::Set(d, -1.0 / 720));
  even = hn::MulAdd(even, s, hn::Set(d, 1.0 / 24));
  even = hn::MulAdd(even, s, hn::Set(d, -1.0 / 2));
  even = hn::MulAdd(even, s, hn::Set(d, 1.0));
  Wide odd = hn::Set(d, 1.0 / 362880);
  odd = hn::MulAdd(odd, s, hn::Set(d, -1.0 / 5040));
  odd = hn::MulAdd(odd, s, hn::Set(d, 1.0 / 120));
  odd = hn::MulAdd(odd, s, hn::Set(d, -1.0 / 6));
  odd = hn::MulAdd(hn::Mul(odd, s), r, r);
  const Wide quadrant = hn::NegMulAdd(hn::Floor(hn::Mul(turns, hn::Set(d, 0.25))), hn::Set(d, 4.0), turns);
  const auto second = hn::Ge(quadrant, hn::Set(d, 2.0));  // 0 1 2 3: the sine is odd even −odd −even
  const Wide half = hn::IfThenElse(second, hn::Sub(quadrant, hn::Set(d, 2.0)), quadrant);
  const auto swap = hn::Eq(half, hn::Set(d, 1.0));
  const Wide y = hn::IfThenElse(swap, even, odd), x2 = hn::IfThenElse(swap, hn::Neg(odd), even);
  *sin = hn::IfThenElse(second, hn::Neg(y), y);
  *cos = hn::IfThenElse(second, hn::Neg(x2), x2);
}

void TableRows(const RotaryTableArgs& a, int64_t begin, int64_t end) {
  const Doubles d;
  const hn::Rebind<float, Doubles> narrow;
  for (int64_t r = begin; r < end; ++r) {
    const int32_t* ids = a.ids + r * a.axes;
    float *cos = a.y + r * 2 * a.pairs, *sin = cos + a.pairs;
    for (int64_t i = 0; i < a.pairs; i += kWideLanes) {
      const int64_t count = HWY_MIN(kWideLanes, a.pairs - i);
      HWY_ALIGN double angle[kWideLanes] = {};
      for (int64_t j = 0; j < count; ++j) {
        angle[j] = static_cast<double>(ids[a.axis[i + j]]) * a.frequency[i + j];
      }
      Wide s, c;
      SinCos(hn::Load(d, angle), &s, &c);
      if (HWY_LIKELY(count == kWideLanes)) {
        hn::StoreU(hn::DemoteTo(narrow, s), narrow, sin + i);
        hn::StoreU(hn::DemoteTo(narrow, c), narrow, cos + i);
      } else {
        HWY_ALIGN double left[2 * kWideLanes];
        hn::Store(s, d, left);
        hn::Store(c, d, left + kWideLanes);
        for (int64_t j = 0; j < count; ++j) {
          sin[i + j] = static_cast<float>(left[j]);
          cos[i + j] = static_cast<float>(left[kWideLanes + j]);
        }
      }
    }
  }
}

HWY_INLINE void TurnHalves(const float* x, const float* cos, const float* sin, int64_t pairs, float* y) {
  const Floats d;
  int64_t i = 0;
  for (; i + kLanes <= pairs; i += kLanes) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + pairs + i);
    const auto c = hn::LoadU(d, cos + i), s = hn::LoadU(d, sin + i);
    hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, y + i);
    hn::StoreU(hn::MulAdd(a, s, hn::Mul(b, c)), d, y + pairs + i);
  }
  for (; i < pairs; ++i) {
    const float a = x[i], b = x[pairs + i];
    y[i] = a * cos[i] - b * sin[i];
    y[pairs + i] = b * cos[i] + a * sin[i];
  }
}

HWY_INLINE void TurnInterleaved(const float* x, const float* cos, const float* sin, int64_t pairs, float* y) {
  const Floats d;
  int64_t i = 0;
  for (; i + kLanes <= pairs; i += kLanes) {
    hn::Vec<Floats> a, b;
    hn::LoadInterleaved2(d, x + 2 * i, a, b);
    const auto c = hn::LoadU(d, cos + i), s = hn::LoadU(d, sin + i);
    hn::StoreInterleaved2(hn::NegMulAdd(b, s, hn::Mul(a, c)), hn::MulAdd(a, s, hn::Mul(b, c)), d, y + 2 * i);
  }
  for (; i < pairs; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    y[2 * i] = a * cos[i] - b * sin[i];
    y[2 * i + 1] = b * cos[i] + a * sin[i];
  }
}

void TurnRows(const RotaryArgs& a, int64_t begin, int64_t end) {
  const int64_t turned = 2 * a.pairs;
  for (int64_t r = begin; r < end; ++r) {
    const float *cos = a.table + r * turned, *sin = cos + a.pairs;
    for (int64_t h = 0; h < a.heads; ++h) {
      const float* x = a.x + r * a.ldx + h * a.head_dim;
      float* y = a.y + r * a.ldy + h * a.head_dim;
      if (a.layout == RotaryPairs::kHalves) {
        TurnHalves(x, cos, sin, a.pairs, y);
      } else {
        TurnInterleaved(x, cos, sin, a.pairs, y);
      }
      if (y == x) continue;
      for (int64_t c = turned; c < a.head_dim; ++c) y[c] = x[c];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "backend/cpu/dispatch.h"
#include "core/checked.h"

namespace sns {
namespace {

/// Rows of one task: 16 Ki sines or products, worth waking a thread.
int64_t chunk_rows(int64_t width) { return std::max<int64_t>(1, (int64_t{1} << 14) / width); }

}  // namespace

void rotary_table_cpu(const RotaryTableArgs& a, Parallel& parallel) {
  if (a.pairs == 0) return;
  const auto kernel = SNS_DISPATCH(TableRows);
  const int64_t chunk = chunk_rows(2 * a.pairs);
  parallel_for(parallel, ceil_div(a.rows, chunk),
               [&](int64_t t, int) { kernel(a, t * chunk, std::min(a.rows, (t + 1) * chunk)); });
}

void rotary_cpu(const RotaryArgs& a, Parallel& parallel) {
  if (a.heads == 0 || a.head_dim == 0) return;
  const auto kernel = SNS_DISPATCH(TurnRows);
  const int64_t chunk = chunk_rows(a.heads * a.head_dim);
  parallel_for(parallel, ceil_div(a.rows, chunk),
               [&](int64_t t, int) { kernel(a, t * chunk, std::min(a.rows, (t + 1) * chunk)); });
}

}  // namespace sns
#endif
