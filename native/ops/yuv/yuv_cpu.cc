// Each band of rows walks down the picture with a ring of the kYuvTaps chroma rows under its window, brought
// to full width as the window reaches them:
//   widen   bytes of one chroma row -> 15-bit values, 16 at a time: their taps lie within 16 bytes of the
//   row,
//           so that one shuffle hands each its four
//   colour  one row of luma and kYuvTaps rows of both chroma planes -> RGB
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/yuv/yuv_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/dispatch.h"
#include "core/memory.h"
#include "ops/yuv/yuv.h"
#include "ops/yuv/yuv_tables.h"

#ifndef SNS_YUV_ONCE
#define SNS_YUV_ONCE
namespace sns {
namespace yuv {

constexpr int64_t kBlock = 16;  // outputs of one shuffle
constexpr int64_t kPad = 64;    // a row of the ring is read in whole vectors

struct Plan {
  YuvArgs args;
  YuvColours colours;
  // Across, in blocks of kBlock outputs; beyond the width the last one repeats.
  int64_t blocks;
  int32_t* base;        // where the block's 16 bytes begin
  uint8_t* order;       // [blocks, kBlock, kYuvTaps], of the taps among them
  int16_t *even, *odd;  // [blocks, kBlock, 2]: weights of taps 0 and 2, of 1 and 3
  int32_t *first_across, *first_down;
  int16_t *across, *down;  // [outputs, kYuvTaps]
  int64_t bands;
  int64_t ring_row;  // values
  int16_t* ring;     // [threads, 2 planes, kYuvTaps, ring_row]
};

}  // namespace yuv
}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using yuv::kBlock;
using yuv::Plan;

using D32 = hn::CappedTag<int32_t, kBlock>;
using D16 = hn::Repartition<int16_t, D32>;
using D8 = hn::Repartition<uint8_t, D32>;
using H16 = hn::Half<D16>;
using H8 = hn::Half<D8>;
using V32 = hn::VFromD<D32>;
using V16 = hn::VFromD<D16>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D32()));
constexpr int64_t kStep = 2 * kLanes;  // pixels at a time

/// sum + a₂ᵢ·b₂ᵢ + a₂ᵢ₊₁·b₂ᵢ₊₁ in lane i.
HWY_INLINE V32 add_pairs(V32 sum, V16 a, V16 b) {
  const D32 d;
#if HWY_ARCH_X86
  V32 unused = hn::Zero(d);
  return hn::ReorderWidenMulAccumulate(d, a, b, sum, unused);
#else
  const auto even = [d](V16 v) { return hn::ShiftRight<16>(hn::ShiftLeft<16>(hn::BitCast(d, v))); };
  const auto odd = [d](V16 v) { return hn::ShiftRight<16>(hn::BitCast(d, v)); };
  return hn::Add(sum, hn::Add(hn::Mul(even(a), even(b)), hn::Mul(odd(a), odd(b))));
#endif
}

/// A chroma row to plan.blocks · kBlock values.
void widen(const Plan& plan, const uint8_t* row, int16_t* out) {
  const D32 d;
  const D16 d16;
  const D8 d8;
  const H16 half;
  const int64_t size = ceil_div(plan.args.width, 2);
  alignas(16) uint8_t narrow[16] = {};
  if (size < 16) row = static_cast<const uint8_t*>(std::memcpy(narrow, row, static_cast<size_t>(size)));
  const auto byte = hn::Set(d16, 255);
  for (int64_t b = 0; b < plan.blocks; ++b) {
    const auto sixteen = hn::LoadDup128(d8, row + plan.base[b]);
    for (int64_t i = b * kBlock; i < (b + 1) * kBlock; i += kLanes) {
      const V16 taps =
          hn::BitCast(d16, hn::TableLookupBytes(sixteen, hn::Load(d8, plan.order + i * kYuvTaps)));
      const V16 odd = hn::BitCast(d16, hn::ShiftRight<8>(hn::BitCast(hn::RebindToUnsigned<D16>(), taps)));
      const V32 evens = add_pairs(hn::Zero(d), hn::And(taps, byte), hn::Load(d16, plan.even + 2 * i));
      const V32 sum = add_pairs(evens, odd, hn::Load(d16, plan.odd + 2 * i));
      hn::Store(hn::DemoteTo(half, hn::ShiftRight<7>(sum)), half, out + i);
    }
  }
}

/// kYuvTaps rows of one chroma plane.
struct Taps {
  V16 a, b, c, d;
  HWY_INLINE Taps(const int16_t* const* rows, int64_t x) {
    const D16 d16;
    a = hn::Load(d16, rows[0] + x);
    b = hn::Load(d16, rows[1] + x);
    c = hn::Load(d16, rows[2] + x);
    d = hn::Load(d16, rows[3] + x);
  }
};

/// The window's sum over the lower or upper half of each block of 8.
template <bool kUpper>
HWY_INLINE V32 lower(const Taps& t, V16 weights01, V16 weights23) {
  const D32 d;
  const D16 d16;
  const V16 ab = kUpper ? hn::InterleaveUpper(d16, t.a, t.b) : hn::InterleaveLower(d16, t.a, t.b);
  const V16 cd = kUpper ? hn::InterleaveUpper(d16, t.c, t.d) : hn::InterleaveLower(d16, t.c, t.d);
  const V32 half = hn::Set(d, (1 << 9) - (128 << 19));
  return hn::ShiftRight<10>(add_pairs(add_pairs(half, ab, weights01), cd, weights23));
}

struct Rgb {
  V32 r, g, b;
};

struct Mixer {
  V32 y_scale, y_shift, v_to_r, v_to_g, u_to_g, u_to_b;

  explicit Mixer(const YuvColours& c) {
    const D32 d;
    y_scale = hn::Set(d, c.y_scale * 512);
    y_shift = hn::Set(d, (1 << 21) - c.y_scale * c.y_offset);
    v_to_r = hn::Set(d, c.v_to_r);
    v_to_g = hn::Set(d, c.v_to_g);
    u_to_g = hn::Set(d, c.u_to_g);
    u_to_b = hn::Set(d, c.u_to_b);
  }

  HWY_INLINE Rgb mix(V32 y, V32 u, V32 v) const {
    const V32 luma = hn::Add(hn::Mul(y, y_scale), y_shift);
    return {hn::ShiftRight<22>(hn::Add(luma, hn::Mul(v, v_to_r))),
            hn::ShiftRight<22>(hn::Add(hn::Add(luma, hn::Mul(v, v_to_g)), hn::Mul(u, u_to_g))),
            hn::ShiftRight<22>(hn::Add(luma, hn::Mul(u, u_to_b)))};
  }
};

/// kStep pixels from values that are halves of each block of 8.
HWY_INLINE hn::VFromD<H8> pack(V32 lower_half, V32 upper_half) {
  return hn::DemoteTo(H8(), hn::ReorderDemote2To(D16(), lower_half, upper_half));
}

void colour(const Mixer& mixer, const uint8_t* y, const int16_t* const* u, const int16_t* const* v,
            const int16_t* weights, int64_t width, uint8_t* rgb) {
  const D32 d;
  const D16 d16;
  const H8 d8;
  int32_t pairs[2];
  std::memcpy(pairs, weights, sizeof(pairs));
  const V16 w01 = hn::BitCast(d16, hn::Set(d, pairs[0])), w23 = hn::BitCast(d16, hn::Set(d, pairs[1]));
  const V16 zero = hn::Zero(d16);
  alignas(64) uint8_t last_y[kStep] = {}, last_rgb[3 * kStep];
  for (int64_t x = 0; x < width; x += kStep) {
    const bool whole = x + kStep <= width;
    if (!whole) std::memcpy(last_y, y + x, static_cast<size_t>(width - x));
    const V16 luma = hn::PromoteTo(d16, hn::LoadU(d8, whole ? y + x : last_y));
    const Taps us(u, x), vs(v, x);
    const Rgb low = mixer.mix(hn::BitCast(d, hn::InterleaveLower(d16, luma, zero)),
                              lower<false>(us, w01, w23), lower<false>(vs, w01, w23));
    const Rgb high = mixer.mix(hn::BitCast(d, hn::InterleaveUpper(d16, luma, zero)),
                               lower<true>(us, w01, w23), lower<true>(vs, w01, w23));
    uint8_t* const to = whole ? rgb + 3 * x : last_rgb;
    hn::StoreInterleaved3(pack(low.r, high.r), pack(low.g, high.g), pack(low.b, high.b), d8, to);
    if (!whole) std::memcpy(rgb + 3 * x, last_rgb, static_cast<size_t>(3 * (width - x)));
  }
}

void YuvBand(const Plan& plan, int64_t begin, int64_t end, int worker) {
  const YuvArgs& args = plan.args;
  const Mixer mixer(plan.colours);
  int16_t* const ring = plan.ring + worker * 2 * kYuvTaps * plan.ring_row;
  const auto row_of = [&](int plane, int64_t row) {
    return ring + (plane * kYuvTaps + row % kYuvTaps) * plan.ring_row;
  };
  int64_t done = plan.first_down[begin];
  for (int64_t row = begin; row < end; ++row) {
    const int64_t first = plan.first_down[row];
    for (; done < first + kYuvTaps; ++done) {
      widen(plan, args.u + done * args.ldu, row_of(0, done));
      widen(plan, args.v + done * args.ldv, row_of(1, done));
    }
    const int16_t* u[kYuvTaps];
    const int16_t* v[kYuvTaps];
    for (int64_t k = 0; k < kYuvTaps; ++k) {
      u[k] = row_of(0, first + k);
      v[k] = row_of(1, first + k);
    }
    colour(mixer, args.y + row * args.ldy, u, v, plan.down + row * kYuvTaps, args.width,
           args.rgb + row * args.ldrgb);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sns {
namespace yuv {
namespace {

void lay_out(Plan& plan, Carver& carver, int threads) {
  const YuvArgs& args = plan.args;
  plan.blocks = ceil_div(args.width, kBlock);
  plan.base = carver.take<int32_t>(plan.blocks);
  plan.order = carver.take<uint8_t>(plan.blocks * kBlock * kYuvTaps);
  plan.even = carver.take<int16_t>(plan.blocks * kBlock * 2);
  plan.odd = carver.take<int16_t>(plan.blocks * kBlock * 2);
  plan.first_across = carver.take<int32_t>(args.width);
  plan.first_down = carver.take<int32_t>(args.height);
  plan.across = carver.take<int16_t>(args.width * kYuvTaps);
  plan.down = carver.take<int16_t>(args.height * kYuvTaps);
  plan.ring_row = round_up(args.width, kPad);
  plan.ring = carver.take<int16_t>(checked_mul(threads, 2 * kYuvTaps * plan.ring_row, "scratch"));
}

void fill(Plan& plan) {
  const int64_t width = plan.args.width, in = ceil_div(width, 2);
  yuv_windows(width, 1 << 14, plan.first_across, plan.across);
  yuv_windows(plan.args.height, 1 << 12, plan.first_down, plan.down);
  for (int64_t b = 0; b < plan.blocks; ++b) {
    // The row's last 16 bytes, if they would pass its end.
    const int32_t base =
        std::min(plan.first_across[b * kBlock], static_cast<int32_t>(std::max<int64_t>(in - 16, 0)));
    plan.base[b] = base;
    for (int64_t i = b * kBlock; i < (b + 1) * kBlock; ++i) {
      const int64_t x = std::min(i, width - 1);
      const int16_t* const w = plan.across + x * kYuvTaps;
      for (int64_t k = 0; k < kYuvTaps; ++k) {
        plan.order[i * kYuvTaps + k] = static_cast<uint8_t>(plan.first_across[x] + k - base);
      }
      plan.even[2 * i] = w[0];
      plan.odd[2 * i] = w[1];
      plan.even[2 * i + 1] = w[2];
      plan.odd[2 * i + 1] = w[3];
    }
  }
}

}  // namespace
}  // namespace yuv

size_t yuv_scratch(const YuvArgs& args, int threads) {
  yuv::Plan plan;
  plan.args = args;
  Carver carver(nullptr);
  yuv::lay_out(plan, carver, threads);
  return carver.bytes();
}

void yuv_cpu(const YuvArgs& args, void* scratch, Parallel& parallel) {
  const auto band = SNS_DISPATCH(YuvBand);
  yuv::Plan plan;
  plan.args = args;
  plan.colours = yuv_colours(args.matrix, args.full_range);
  Carver carver(scratch);
  yuv::lay_out(plan, carver, parallel.threads());
  yuv::fill(plan);
  // One band a thread: chroma rows under the windows of two bands are widened twice.
  plan.bands = std::min<int64_t>(parallel.threads(), args.height);
  parallel_for(parallel, plan.bands, [&](int64_t i, int worker) {
    band(plan, args.height * i / plan.bands, args.height * (i + 1) / plan.bands, worker);
  });
}

}  // namespace sns
#endif
