#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/resample/resample_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "ops/resample/resample.h"

#ifndef SNS_OPS_RESAMPLE_CPU_ONCE_
#define SNS_OPS_RESAMPLE_CPU_ONCE_
namespace sns {
namespace {

// Two ways. Tiles: each lane of a vector works on its own run of periods; the input is transposed once into a
// tile of rows, and every output of all lanes is then a vertical dot product with broadcast taps. Long
// filters and long periods, whose tile would leave the cache, run along the taps instead, an output at a
// time.
constexpr int64_t kMaxRows = 640;   // of a tile: 40 KiB at 16 lanes
constexpr int64_t kRunRows = 256;   // periods are joined up to this length
constexpr int64_t kSumBlock = 256;  // products added in float before the sum moves on to double

struct Tiling {
  int64_t periods = 0;  // of one lane; 0 = no tiles
  int64_t lead = 0;     // rows start this far from the lane's first period (≤ 0)
  int64_t rows = 0;     // a multiple of 4
};

inline Tiling tiling(const ResampleFilter& f) {
  Tiling t;
  t.lead = f.first(0);
  const int64_t reach = f.first(f.target() - 1) + f.taps_per_phase() - t.lead;  // rows of one period
  t.periods = f.orig() < kRunRows ? kRunRows / f.orig() : 1;
  t.rows = round_up(reach + (t.periods - 1) * f.orig(), 4);
  if (t.rows > kMaxRows) t.periods = 0;
  return t;
}

}  // namespace
}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

HWY_INLINE void Transpose(VF& a, VF& b, VF& c, VF& e) {
  const DF df;
  const VF ac0 = hn::InterleaveLower(df, a, c), be0 = hn::InterleaveLower(df, b, e);
  const VF ac1 = hn::InterleaveUpper(df, a, c), be1 = hn::InterleaveUpper(df, b, e);
  a = hn::InterleaveLower(df, ac0, be0);
  b = hn::InterleaveUpper(df, ac0, be0);
  c = hn::InterleaveLower(df, ac1, be1);
  e = hn::InterleaveUpper(df, ac1, be1);
}

template <class D>
HWY_INLINE hn::Vec<D> LoadBlocks(D d, const float* p, int64_t stride) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    (void)stride;
    return hn::LoadU(d, p);
  } else {
    const hn::Half<D> dh;
    constexpr int64_t kHalf = static_cast<int64_t>(hn::MaxLanes(D()) / 2);
    return hn::Combine(d, LoadBlocks(dh, p + kHalf * stride, stride), LoadBlocks(dh, p, stride));
  }
}

template <class D>
HWY_INLINE void StoreBlocks(D d, hn::Vec<D> v, float* p, int64_t stride) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    (void)stride;
    hn::StoreU(v, d, p);
  } else {
    const hn::Half<D> dh;
    constexpr int64_t kHalf = static_cast<int64_t>(hn::MaxLanes(D()) / 2);
    StoreBlocks(dh, hn::LowerHalf(dh, v), p, stride);
    StoreBlocks(dh, hn::UpperHalf(dh, v), p + kHalf * stride, stride);
  }
}

/// Rows t of the tile: sample start + l·stride + t of lane l; zeros outside [0, n).
HWY_INLINE void FillTile(const float* x, int64_t n, int64_t start, int64_t stride, int64_t rows,
                         float* tile) {
  const DF df;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(df));
  if (start >= 0 && start + (kLanes - 1) * stride + rows <= n) {
    const float* p = x + start;
    for (int64_t t = 0; t < rows; t += 4, p += 4, tile += 4 * kLanes) {
      VF a = LoadBlocks(df, p, stride), b = LoadBlocks(df, p + stride, stride);
      VF c = LoadBlocks(df, p + 2 * stride, stride), e = LoadBlocks(df, p + 3 * stride, stride);
      Transpose(a, b, c, e);
      hn::Store(a, df, tile);
      hn::Store(b, df, tile + kLanes);
      hn::Store(c, df, tile + 2 * kLanes);
      hn::Store(e, df, tile + 3 * kLanes);
    }
    return;
  }
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t at = start + l * stride + t;
      tile[t * kLanes + l] = at >= 0 && at < n ? x[at] : 0.0f;
    }
  }
}

/// Four outputs of all lanes. With one phase they share their taps. Taps alternate between two sums, so that
/// rounding and latency halve; a tile has too few of them to need float64.
template <bool kShared>
HWY_INLINE void FourOutputs(const float* const* taps, const float* const* in, int64_t count, VF* out) {
  const DF df;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(df));
  const float *h0 = taps[0], *h1 = taps[1], *h2 = taps[2], *h3 = taps[3];
  const float *x0 = in[0], *x1 = in[1], *x2 = in[2], *x3 = in[3];
  VF a0 = hn::Zero(df), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  int64_t t = 0;
  auto step = [&](int64_t at, VF& s0, VF& s1, VF& s2, VF& s3) HWY_ATTR {
    const VF w = hn::Set(df, h0[at]);
    s0 = hn::MulAdd(w, hn::Load(df, x0 + at * kLanes), s0);
    s1 = hn::MulAdd(kShared ? w : hn::Set(df, h1[at]), hn::Load(df, x1 + at * kLanes), s1);
    s2 = hn::MulAdd(kShared ? w : hn::Set(df, h2[at]), hn::Load(df, x2 + at * kLanes), s2);
    s3 = hn::MulAdd(kShared ? w : hn::Set(df, h3[at]), hn::Load(df, x3 + at * kLanes), s3);
  };
  for (; t + 2 <= count; t += 2) {
    step(t, a0, a1, a2, a3);
    step(t + 1, b0, b1, b2, b3);
  }
  if (t < count) step(t, a0, a1, a2, a3);
  out[0] = hn::Add(a0, b0);
  out[1] = hn::Add(a1, b1);
  out[2] = hn::Add(a2, b2);
  out[3] = hn::Add(a3, b3);
}

/// Lanes' worth of runs from period `period` on.
void ResampleTile(const ResampleFilter& f, const Tiling& tiling, const float* x, int64_t n, float* y,
                  int64_t length, int64_t tile_index) {
  const DF df;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(df));
  alignas(64) float tile[kMaxRows * kLanes];
  const int64_t orig = f.orig(), target = f.target(), count = f.taps_per_phase();
  const int64_t period = tile_index * kLanes * tiling.periods;
  const int64_t run = tiling.periods * target;  // outputs of one lane
  FillTile(x, n, period * orig + tiling.lead, tiling.periods * orig, tiling.rows, tile);
  const int64_t first = period * target;
  int64_t phase = 0, base = -tiling.lead;  // of the next output; base: row of its period's first sample
  for (int64_t o = 0; o < run; o += 4) {
    const float *taps[4], *in[4];
    for (int64_t k = 0; k < 4; ++k) {
      // Past the run's end the last output is made again and dropped.
      taps[k] = f.taps() + phase * count;
      in[k] = tile + (base + f.first(phase)) * kLanes;
      if (o + k + 1 < run && ++phase == target) {
        phase = 0;
        base += orig;
      }
    }
    VF v[4];
    if (target == 1) {
      FourOutputs<true>(taps, in, count, v);
    } else {
      FourOutputs<false>(taps, in, count, v);
    }
    const int64_t at = first + o;
    if (o + 4 <= run && at + (kLanes - 1) * run + 4 <= length) {
      Transpose(v[0], v[1], v[2], v[3]);
      for (int64_t k = 0; k < 4; ++k) StoreBlocks(df, v[k], y + at + k * run, run);
    } else {
      alignas(64) float lanes[kLanes];
      for (int64_t k = 0; k < 4 && o + k < run; ++k) {
        hn::Store(v[k], df, lanes);
        for (int64_t l = 0; l < kLanes; ++l) {
          if (at + k + l * run < length) y[at + k + l * run] = lanes[l];
        }
      }
    }
  }
}

/// Outputs [begin, end) one by one with the operations of a tile, in its order: few outputs cost little.
/// Sample x_begin stands at x[0]; zeros outside [x_begin, n).
void ResampleFew(const ResampleFilter& f, const float* x, int64_t x_begin, int64_t n, float* y, int64_t begin,
                 int64_t end) {
  const hn::CappedTag<float, 1> d1;
  using V1 = hn::Vec<decltype(d1)>;
  const int64_t count = f.taps_per_phase();
  int64_t period = begin / f.target(), phase = begin % f.target();
  for (int64_t o = begin; o < end; ++o) {
    const int64_t start = period * f.orig() + f.first(phase);
    const float* h = f.taps() + phase * count;
    if (++phase == f.target()) {
      phase = 0;
      ++period;
    }
    V1 even = hn::Zero(d1), odd = even;
    if (start >= x_begin && start + count <= n) {
      const float* in = x + (start - x_begin);
      int64_t t = 0;
      for (; t + 2 <= count; t += 2) {
        even = hn::MulAdd(hn::LoadU(d1, h + t), hn::LoadU(d1, in + t), even);
        odd = hn::MulAdd(hn::LoadU(d1, h + t + 1), hn::LoadU(d1, in + t + 1), odd);
      }
      if (t < count) even = hn::MulAdd(hn::LoadU(d1, h + t), hn::LoadU(d1, in + t), even);
    } else {
      for (int64_t t = 0; t < count; ++t) {
        const int64_t at = start + t;
        const V1 v = hn::Set(d1, at >= x_begin && at < n ? x[at - x_begin] : 0.0f);
        V1& sum = t % 2 == 0 ? even : odd;
        sum = hn::MulAdd(hn::LoadU(d1, h + t), v, sum);
      }
    }
    *y++ = hn::GetLane(hn::Add(even, odd));
  }
}

/// Outputs [begin, end) one by one, along the taps. Sample x_begin stands at x[0]; zeros outside [0, n).
void ResampleOutputs(const ResampleFilter& f, const float* x, int64_t x_begin, int64_t n, float* y,
                     int64_t begin, int64_t end) {
  const DF df;
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(df));
  for (int64_t o = begin; o < end; ++o) {
    const int64_t period = o / f.target(), phase = o % f.target();
    const int64_t start = period * f.orig() + f.first(phase);
    const float* h = f.taps() + phase * f.taps_per_phase();
    const float* in = x + (start < 0 ? 0 : start - x_begin);
    const int64_t skipped = start < 0 ? -start : 0;
    int64_t t = skipped;
    const int64_t stop = n - start < f.taps_per_phase() ? n - start : f.taps_per_phase();
    double total = 0;
    while (t < stop) {
      const int64_t limit = stop - t < kSumBlock ? stop : t + kSumBlock;
      VF a = hn::Zero(df), b = a;
      for (; t + 2 * lanes <= limit; t += 2 * lanes) {
        a = hn::MulAdd(hn::LoadU(df, h + t), hn::LoadU(df, in + (t - skipped)), a);
        b = hn::MulAdd(hn::LoadU(df, h + t + lanes), hn::LoadU(df, in + (t - skipped) + lanes), b);
      }
      total += static_cast<double>(hn::GetLane(hn::SumOfLanes(df, hn::Add(a, b))));
      for (; t < limit; ++t) total += static_cast<double>(h[t]) * static_cast<double>(in[t - skipped]);
    }
    *y++ = static_cast<float>(total);
  }
}

int64_t VectorLanes() { return static_cast<int64_t>(hn::MaxLanes(DF())); }

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "backend/cpu/dispatch.h"

namespace sns {

void resample_cpu(const ResampleFilter& filter, const float* x, int64_t n, float* y, Parallel& parallel) {
  if (n <= 0) return;
  if (filter.orig() == filter.target()) {
    std::memcpy(y, x, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  const int64_t length = filter.output_length(n);
  const Tiling t = tiling(filter);
  if (t.periods > 0) {
    const int64_t outputs = SNS_DISPATCH(VectorLanes)() * t.periods * filter.target();
    const auto run = SNS_DISPATCH(ResampleTile);
    parallel_for(parallel, ceil_div(length, outputs),
                 [&](int64_t i, int) { run(filter, t, x, n, y, length, i); });
  } else {
    constexpr int64_t kOutputs = 256;
    const auto run = SNS_DISPATCH(ResampleOutputs);
    parallel_for(parallel, ceil_div(length, kOutputs), [&](int64_t i, int) {
      run(filter, x, 0, n, y + i * kOutputs, i * kOutputs, std::min(length, (i + 1) * kOutputs));
    });
  }
}

int64_t resample_final_outputs(const ResampleFilter& filter, int64_t received) {
  const int64_t orig = filter.orig(), target = filter.target();
  if (orig == target) return received;
  // The last tap of an output must be known: its first one stands at `most` or before.
  const int64_t most = received - filter.taps_per_phase();
  if (most < filter.first(0)) return 0;
  const int64_t period = (most - filter.first(0)) / orig;
  int64_t low = 1, high = target;  // phases of that period, the first of which is final
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (period * orig + filter.first(middle) <= most) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return std::min(period * target + low, filter.output_length(received));
}

int64_t resample_first_needed(const ResampleFilter& filter, int64_t output) {
  if (filter.orig() == filter.target()) return output;
  const int64_t period = output / filter.target(), phase = output % filter.target();
  return std::max<int64_t>(0, period * filter.orig() + filter.first(phase));
}

void resample_range_cpu(const ResampleFilter& filter, const float* x, int64_t x_begin, int64_t x_end,
                        int64_t total, int64_t first, int64_t count, float* y) {
  if (count <= 0) return;
  if (filter.orig() == filter.target()) {
    std::memcpy(y, x + (first - x_begin), static_cast<size_t>(count) * sizeof(float));
    return;
  }
  const int64_t n = std::min(total, x_end);
  const auto run = tiling(filter).periods > 0 ? SNS_DISPATCH(ResampleFew) : SNS_DISPATCH(ResampleOutputs);
  run(filter, x, x_begin, n, y, first, first + count);
}

}  // namespace sns
#endif
