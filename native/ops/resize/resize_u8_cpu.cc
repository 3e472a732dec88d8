// Bytes are resized through integer dot products of four neighbouring taps with 22-bit weights, exact at any
// size. Per block of kRows source rows (one per 32-bit lane):
//   spread      rows of interleaved bytes -> dwords of 4 neighbouring columns of one channel, lanes are rows
//   horizontal  dwords of columns -> dwords of 4 neighbouring rows of one output byte
//   vertical    dwords of rows -> output bytes, 4 vectors of them at a time
// so both passes read their taps as whole dwords with no shuffling. Windows are widened to multiples of 4
// taps by zero weights. The narrowed rows live in a ring just large enough for one vertical window.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/resize/resize_u8_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "backend/cpu/dispatch.h"
#include "core/memory.h"
#include "ops/resize/resize.h"
#include "ops/resize/resize_window.h"

#ifndef SNS_RESIZE_U8_ONCE
#define SNS_RESIZE_U8_ONCE
namespace sns {
namespace resize_u8 {

/// How 4 weights become 4 dwords.
enum class Form {
  kBytes,   ///< three signed base-256 digits of 4 bytes each, lowest first (VNNI)
  kHalves,  ///< high (w >> 8) of taps 0 and 2, of 1 and 3; then low 8 bits likewise (multiply-add of pairs)
  kWhole,   ///< as they are
};
constexpr int64_t kDwords = 4;     // per group of 4 taps, in every form
constexpr int64_t kMaxLanes = 16;  // 32-bit lanes of the widest vector

/// The windows of one axis in groups of 4 aligned source pixels.
struct Axis {
  int64_t group_capacity;
  int32_t* first;    // group, absolute
  int32_t* count;    // groups
  int32_t* weights;  // [outputs, group_capacity, kDwords]
};

struct Plan {
  ResizeU8Args args;
  Axis across, down;
  double* window;
  int64_t first_group, last_group;  // of 4 columns, both included
  int64_t narrow_stride;            // dwords (output bytes) per ring row, a multiple of 4 vectors
  int64_t ring_groups;
  int64_t bands;
  // per thread
  uint32_t* spread;
  uint32_t* ring;
  const uint32_t** groups;
  int64_t spread_size, ring_size;
};

}  // namespace resize_u8
}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using resize_u8::Form;
using resize_u8::kDwords;
using resize_u8::Plan;

using D32 = hn::ScalableTag<int32_t>;
using DU32 = hn::RebindToUnsigned<D32>;
using D16 = hn::RepartitionToNarrow<D32>;
using D8 = hn::Repartition<uint8_t, D32>;
using V32 = hn::VFromD<D32>;
using V8 = hn::VFromD<D8>;

constexpr int64_t kRows = static_cast<int64_t>(hn::MaxLanes(D32()));  // of a block

/// Sums of products of 4 bytes with 4 weights per lane, modulo 2^32 (the total always fits).
template <Form kForm>
struct Sum {
  V32 a, b, c;  // by significance: a + 256·b + 65536·c

  HWY_INLINE void clear() {
    a = hn::Set(D32(), 1 << (kResizeWeightBits - 1));
    b = c = hn::Zero(D32());
  }

  HWY_INLINE void add(V32 bytes, V32 w0, V32 w1, V32 w2, V32 w3) {
    const D32 d;
    if constexpr (kForm == Form::kBytes) {
      a = dot(a, bytes, w0);
      b = dot(b, bytes, w1);
      c = dot(c, bytes, w2);
      (void)w3;
    } else if constexpr (kForm == Form::kHalves) {
      const D16 d16;
      const auto taps02 = hn::And(hn::BitCast(d16, bytes), hn::Set(d16, 255));
      const auto taps13 =
          hn::BitCast(d16, hn::ShiftRight<8>(hn::BitCast(hn::RebindToUnsigned<D16>(), bytes)));
      b = pairs(taps13, w1, pairs(taps02, w0, b));
      a = pairs(taps13, w3, pairs(taps02, w2, a));
    } else {
      const auto byte = hn::Set(d, 255);
      a = hn::Add(a, hn::Mul(hn::And(bytes, byte), w0));
      a = hn::Add(a, hn::Mul(hn::And(hn::ShiftRight<8>(bytes), byte), w1));
      a = hn::Add(a, hn::Mul(hn::And(hn::ShiftRight<16>(bytes), byte), w2));
      a = hn::Add(a, hn::Mul(hn::And(hn::ShiftRight<24>(bytes), byte), w3));
    }
  }

  /// The pixel's value before clipping.
  HWY_INLINE V32 value() const {
    V32 sum = a;
    if constexpr (kForm == Form::kBytes) {
      sum = hn::Add(a, hn::ShiftLeft<8>(hn::Add(b, hn::ShiftLeft<8>(c))));
    } else if constexpr (kForm == Form::kHalves) {
      sum = hn::Add(a, hn::ShiftLeft<8>(b));
    }
    return hn::ShiftRight<kResizeWeightBits>(sum);
  }

 private:
  static HWY_INLINE V32 dot(V32 sum, V32 bytes, V32 weights) {
#if HWY_TARGET == HWY_AVX3
    // VNNI is no part of Highway's AVX3 target; as assembly it can stay inside the common kernels. Runs only
    // behind has_avx512_vnni().
    asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(bytes.raw), "v"(weights.raw));
#else
    (void)bytes, (void)weights;
#endif
    return sum;
  }

  template <class V16>
  static HWY_INLINE V32 pairs(V16 taps, V32 weights, V32 sum) {
#if HWY_ARCH_X86
    V32 unused = hn::Zero(D32());  // on x86 lane i gets products 2i and 2i+1, all of them here
    return hn::ReorderWidenMulAccumulate(D32(), taps, hn::BitCast(D16(), weights), sum, unused);
#else
    (void)taps, (void)weights;
    return sum;
#endif
  }
};

/// Groups of 4 fixed-point weights to the dwords of `form`; `out` may be at or before `weights`.
void EncodeGroups(const int32_t* weights, int64_t groups, Form form, int32_t* out) {
  const hn::FixedTag<int32_t, 4> d;
  const hn::Repartition<uint8_t, decltype(d)> d8;
  // Weights fit in 24 bits, so either form is a shuffle of their bytes, once the digits are signed: the bytes
  // of w + 0x808080 are the digits + 128, that is digits with the top bit flipped. 0x80 makes a zero.
  alignas(16) constexpr uint8_t kOrder[3][16] = {
      {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 0x80, 0x80, 0x80, 0x80},
      {1, 2, 9, 10, 5, 6, 13, 14, 0, 0x80, 8, 0x80, 4, 0x80, 12, 0x80},
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
  };
  const auto order = hn::Load(d8, kOrder[static_cast<int>(form)]);
  const auto bias = hn::Set(d, form == Form::kBytes ? 0x808080 : 0);
  for (int64_t k = 0; k < groups; ++k) {
    const auto digits = hn::Xor(hn::Add(hn::LoadU(d, weights + 4 * k), bias), bias);
    hn::StoreU(hn::BitCast(d, hn::TableLookupBytesOr0(hn::BitCast(d8, digits), order)), d, out + 4 * k);
  }
}

template <class D>
HWY_INLINE hn::VFromD<D> load_blocks(D d, const uint8_t* const* rows, int64_t at) {
  if constexpr (hn::MaxLanes(d) == 16) {
    return hn::LoadU(d, rows[0] + at);
  } else {
    const hn::Half<D> half;
    constexpr int64_t kStep = static_cast<int64_t>(hn::MaxLanes(half)) / 4;
    return hn::Combine(d, load_blocks(half, rows + kStep, at), load_blocks(half, rows, at));
  }
}

/// Block l of v to `to` + l·stride bytes.
template <class D>
HWY_INLINE void store_blocks(D d, hn::VFromD<D> v, uint8_t* to, int64_t stride) {
  if constexpr (hn::MaxLanes(d) == 16) {
    hn::StoreU(v, d, to);
  } else {
    const hn::Half<D> half;
    constexpr int64_t kBlocks = static_cast<int64_t>(hn::MaxLanes(half)) / 16;
    store_blocks(half, hn::LowerHalf(half, v), to, stride);
    store_blocks(half, hn::UpperHalf(half, v), to + kBlocks * stride, stride);
  }
}

/// 4 vectors of values, clipped, to bytes: dword q of block l holds block l of the q-th vector.
HWY_INLINE V8 pack(V32 a, V32 b, V32 c, V32 d) {
  const D16 d16;
#if HWY_ARCH_X86
  const auto ab = hn::ReorderDemote2To(d16, a, b), cd = hn::ReorderDemote2To(d16, c, d);
#if HWY_TARGET == HWY_AVX3
  return V8{_mm512_packus_epi16(ab.raw, cd.raw)};
#elif HWY_TARGET == HWY_AVX2
  return V8{_mm256_packus_epi16(ab.raw, cd.raw)};
#else
  return V8{_mm_packus_epi16(ab.raw, cd.raw)};
#endif
#else
  const hn::Half<D16> half16;
  const hn::Half<D8> half8;
  const auto ab = hn::Combine(d16, hn::DemoteTo(half16, b), hn::DemoteTo(half16, a));
  const auto cd = hn::Combine(d16, hn::DemoteTo(half16, d), hn::DemoteTo(half16, c));
  return hn::Combine(D8(), hn::DemoteTo(half8, cd), hn::DemoteTo(half8, ab));
#endif
}

/// kRows rows from byte `begin` on (pointers in `rows`, each `size` bytes in all) to spread[group·channels +
/// c] [row], groups counted from the one that starts at `begin`.
HWY_INLINE void spread_rows(const uint8_t* const* rows, int64_t begin, int64_t size, int64_t groups,
                            int64_t channels, uint32_t* out) {
  const D8 d8;
  const DU32 d32;
  const hn::Repartition<uint64_t, D32> d64;
  // 16 bytes hold 4 / channels groups (one for 3 channels, which leaves a quarter unused).
  const int64_t kept = channels == 3 ? 3 : 4, step = 4 * kept;
  alignas(16) uint8_t order[16];
  for (int64_t i = 0; i < 16; ++i) {
    const int64_t dword = i / 4, group = dword / channels, c = dword % channels;
    order[i] = static_cast<uint8_t>(dword < kept ? (group * 4 + i % 4) * channels + c : 0);
  }
  auto table = hn::LoadDup128(d8, order);
  const int64_t chunks = (groups * channels + kept - 1) / kept;
  alignas(64) uint8_t narrow[kRows][16];
  const uint8_t* from[kRows];
  for (int64_t r = 0; r < kRows; ++r) {
    from[r] = rows[r];
    if (size < 16)
      from[r] = static_cast<const uint8_t*>(std::memcpy(narrow[r], rows[r], static_cast<size_t>(size)));
  }
  for (int64_t chunk = 0; chunk < chunks; ++chunk, out += kept * kRows) {
    int64_t offset = begin + chunk * step;
    if (offset + 16 > size) {
      // The row's last 16 bytes instead; what lies beyond the row may be anything, its weights are 0.
      const int64_t back = offset - std::max<int64_t>(size - 16, 0);
      alignas(16) uint8_t later[16];
      for (int64_t i = 0; i < 16; ++i)
        later[i] = static_cast<uint8_t>(std::min<int64_t>(order[i] + back, 15));
      table = hn::LoadDup128(d8, later);
      offset -= back;
    }
    const auto a = hn::BitCast(d32, hn::TableLookupBytes(load_blocks(d8, from, offset), table));
    const auto b = hn::BitCast(d32, hn::TableLookupBytes(load_blocks(d8, from + 1, offset), table));
    const auto c = hn::BitCast(d32, hn::TableLookupBytes(load_blocks(d8, from + 2, offset), table));
    const auto d = hn::BitCast(d32, hn::TableLookupBytes(load_blocks(d8, from + 3, offset), table));
    const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d32, a, b));
    const auto cd0 = hn::BitCast(d64, hn::InterleaveLower(d32, c, d));
    const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d32, a, b));
    const auto cd1 = hn::BitCast(d64, hn::InterleaveUpper(d32, c, d));
    hn::Store(hn::BitCast(d32, hn::InterleaveLower(d64, ab0, cd0)), d32, out);
    hn::Store(hn::BitCast(d32, hn::InterleaveUpper(d64, ab0, cd0)), d32, out + kRows);
    hn::Store(hn::BitCast(d32, hn::InterleaveLower(d64, ab1, cd1)), d32, out + 2 * kRows);
    if (kept == 4) hn::Store(hn::BitCast(d32, hn::InterleaveUpper(d64, ab1, cd1)), d32, out + 3 * kRows);
  }
}

/// One block through the horizontal pass: row groups of 4 rows to `narrow`, `stride` dwords apart.
template <Form kForm, int kChannels>
void narrow_rows(const Plan& plan, const uint32_t* spread, uint32_t* narrow) {
  const D32 d;
  const resize_u8::Axis& axis = plan.across;
  const int64_t width = plan.args.geometry.crop_w, stride = plan.narrow_stride;
  for (int64_t x0 = 0; x0 < width; x0 += 4) {
    V32 values[4 * kChannels];
    for (int64_t p = 0; p < 4; ++p) {
      const int64_t x = std::min(x0 + p, width - 1);
      const int32_t* w = axis.weights + x * axis.group_capacity * kDwords;
      const auto* from =
          reinterpret_cast<const int32_t*>(spread) + (axis.first[x] - plan.first_group) * kChannels * kRows;
      Sum<kForm> s0, s1, s2, s3;
      s0.clear(), s1.clear(), s2.clear(), s3.clear();
      for (int64_t k = 0; k < axis.count[x]; ++k, w += kDwords, from += kChannels * kRows) {
        const V32 w0 = hn::Set(d, w[0]), w1 = hn::Set(d, w[1]), w2 = hn::Set(d, w[2]), w3 = hn::Set(d, w[3]);
        s0.add(hn::Load(d, from), w0, w1, w2, w3);
        if constexpr (kChannels > 1) s1.add(hn::Load(d, from + kRows), w0, w1, w2, w3);
        if constexpr (kChannels > 2) s2.add(hn::Load(d, from + 2 * kRows), w0, w1, w2, w3);
        if constexpr (kChannels > 3) s3.add(hn::Load(d, from + 3 * kRows), w0, w1, w2, w3);
      }
      V32* const v = values + p * kChannels;
      v[0] = s0.value();
      if constexpr (kChannels > 1) v[1] = s1.value();
      if constexpr (kChannels > 2) v[2] = s2.value();
      if constexpr (kChannels > 3) v[3] = s3.value();
    }
    for (int64_t q = 0; q < kChannels; ++q) {
      const V32* const v = values + 4 * q;
      store_blocks(D8(), pack(v[0], v[1], v[2], v[3]),
                   reinterpret_cast<uint8_t*>(narrow + x0 * kChannels + 4 * q), stride * 4);
    }
  }
}

/// One output row of `size` bytes from `count` row groups.
template <Form kForm>
void lower_row(const uint32_t* const* groups, int64_t count, const int32_t* weights, int64_t size,
               uint8_t* y) {
  const D32 d;
  const D8 d8;
  alignas(64) int32_t order[kRows];  // of dwords, from pack's blocks to the memory's order
  for (int64_t i = 0; i < kRows; ++i) order[i] = static_cast<int32_t>(i % (kRows / 4) * 4 + i / (kRows / 4));
  const auto table = hn::SetTableIndices(d, order);
  constexpr int64_t kStep = 4 * kRows;
  for (int64_t o = 0; o < size; o += kStep) {
    if (o + kStep > size && size >= kStep) o = size - kStep;  // the last one overlaps its predecessor
    Sum<kForm> s0, s1, s2, s3;
    s0.clear(), s1.clear(), s2.clear(), s3.clear();
    const int32_t* w = weights;
    for (int64_t k = 0; k < count; ++k, w += kDwords) {
      const V32 w0 = hn::Set(d, w[0]), w1 = hn::Set(d, w[1]), w2 = hn::Set(d, w[2]), w3 = hn::Set(d, w[3]);
      const auto* from = reinterpret_cast<const int32_t*>(groups[k]) + o;
      s0.add(hn::LoadU(d, from), w0, w1, w2, w3);
      s1.add(hn::LoadU(d, from + kRows), w0, w1, w2, w3);
      s2.add(hn::LoadU(d, from + 2 * kRows), w0, w1, w2, w3);
      s3.add(hn::LoadU(d, from + 3 * kRows), w0, w1, w2, w3);
    }
    const V8 packed = pack(s0.value(), s1.value(), s2.value(), s3.value());
    const V8 bytes = hn::BitCast(d8, hn::TableLookupLanes(hn::BitCast(d, packed), table));
    if (o + kStep <= size) {
      hn::StoreU(bytes, d8, y + o);
    } else {
      alignas(64) uint8_t last[kStep];
      hn::Store(bytes, d8, last);
      std::memcpy(y + o, last, static_cast<size_t>(size - o));
    }
  }
}

template <Form kForm>
void resize_band(const Plan& plan, int64_t begin, int64_t end, int worker) {
  const ResizeU8Args& args = plan.args;
  const ResizeGeometry& g = args.geometry;
  const int64_t channels = args.channels;
  uint32_t* const spread = plan.spread + worker * plan.spread_size;
  uint32_t* const ring = plan.ring + worker * plan.ring_size;
  const uint32_t** const groups = plan.groups + worker * plan.down.group_capacity;
  constexpr int64_t kGroups = kRows / 4;  // of a block
  const int64_t ring_groups = plan.ring_groups / kGroups * kGroups;
  int64_t base = plan.down.first[begin];
  for (int64_t y = begin; y < end; ++y) base = std::min<int64_t>(base, plan.down.first[y]);
  int64_t done = base;  // row groups narrowed so far
  const uint8_t* rows[kRows];
  for (int64_t y = begin; y < end; ++y) {
    const int64_t first = plan.down.first[y], count = plan.down.count[y];
    while (done < first + count) {
      for (int64_t r = 0; r < kRows; ++r) {
        rows[r] = args.x + std::min(done * 4 + r, g.in_height - 1) * args.ldx;
      }
      spread_rows(rows, plan.first_group * 4 * channels, g.in_width * channels,
                  plan.last_group - plan.first_group + 1, channels, spread);
      uint32_t* const narrow = ring + (done - base) % ring_groups * plan.narrow_stride;
      switch (channels) {
        case 1:
          narrow_rows<kForm, 1>(plan, spread, narrow);
          break;
        case 2:
          narrow_rows<kForm, 2>(plan, spread, narrow);
          break;
        case 3:
          narrow_rows<kForm, 3>(plan, spread, narrow);
          break;
        default:
          narrow_rows<kForm, 4>(plan, spread, narrow);
      }
      done += kGroups;
    }
    for (int64_t k = 0; k < count; ++k) {
      groups[k] = ring + (first + k - base) % ring_groups * plan.narrow_stride;
    }
    lower_row<kForm>(groups, count, plan.down.weights + y * plan.down.group_capacity * kDwords,
                     g.crop_w * channels, args.y + y * args.ldy);
  }
}

void ResizeBandVnni(const Plan& plan, int64_t begin, int64_t end, int worker) {
#if HWY_TARGET == HWY_AVX3
  resize_band<Form::kBytes>(plan, begin, end, worker);
#else
  (void)plan, (void)begin, (void)end, (void)worker;
#endif
}

void ResizeBand(const Plan& plan, int64_t begin, int64_t end, int worker) {
  resize_band<HWY_ARCH_X86 ? Form::kHalves : Form::kWhole>(plan, begin, end, worker);
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sns {
namespace resize_u8 {
namespace {

void lay_out(Axis& axis, Carver& carver, const ResizeAxis& source, int64_t outputs) {
  // A window that starts in the middle of a group reaches into one more.
  axis.group_capacity = (resize_window_capacity(source) + 2) / 4 + 1;
  axis.first = carver.take<int32_t>(outputs);
  axis.count = carver.take<int32_t>(outputs);
  axis.weights = carver.take<int32_t>(checked_mul(outputs, axis.group_capacity * kDwords, "scratch"));
}

void lay_out(Plan& plan, Carver& carver, int threads) {
  const ResizeGeometry& g = plan.args.geometry;
  const ResizeAxis across = resize_axis(g.in_width, g.out_width, plan.args.filter, true);
  const ResizeAxis down = resize_axis(g.in_height, g.out_height, plan.args.filter, true);
  lay_out(plan.across, carver, across, g.crop_w);
  lay_out(plan.down, carver, down, g.crop_h);
  plan.window = carver.take<double>(std::max(resize_window_capacity(across), resize_window_capacity(down)));
  plan.narrow_stride = round_up(round_up(g.crop_w, 4) * plan.args.channels, 4 * kMaxLanes);
  // Whole blocks: those of the longest window, and one more since it may start anywhere in a block.
  constexpr int64_t kBlock = kMaxLanes / 4;
  plan.ring_groups = round_up(plan.down.group_capacity, kBlock) + kBlock;
  plan.ring_size = plan.ring_groups * plan.narrow_stride;
  // +4: the last 16 bytes spread may hold groups beyond the row.
  plan.spread_size = (ceil_div(g.in_width, 4) * plan.args.channels + 4) * kMaxLanes;
  plan.spread = carver.take<uint32_t>(checked_mul(plan.spread_size, threads, "scratch"));
  plan.ring = carver.take<uint32_t>(checked_mul(plan.ring_size, threads, "scratch"));
  plan.groups = carver.take<const uint32_t*>(checked_mul(plan.down.group_capacity, threads, "scratch"));
}

/// Puts the fixed-point weights in place, dropping groups of zeros at both ends.
void fill(Axis& axis, const ResizeAxis& source, int64_t crop, int64_t outputs, Form form, double* window) {
  for (int64_t i = 0; i < outputs; ++i) {
    const ResizeWindow taps = resize_window(source, crop + i, window);
    int32_t* const weights = axis.weights + i * axis.group_capacity * kDwords;
    const int64_t lead = taps.first % 4;
    const int64_t groups = std::max<int64_t>(ceil_div(lead + taps.count, 4), 1);
    std::fill(weights, weights + 4, 0);
    std::fill(weights + (groups - 1) * 4, weights + groups * 4, 0);
    for (int64_t k = 0; k < taps.count; ++k) weights[lead + k] = resize_fixed_weight(window[k]);
    const auto is_zero = [&](int64_t k) {
      const int32_t* w = weights + k * 4;
      return (w[0] | w[1] | w[2] | w[3]) == 0;
    };
    int64_t begin = 0, end = groups;
    while (end > 1 && is_zero(end - 1)) --end;
    while (begin < end - 1 && is_zero(begin)) ++begin;
    axis.first[i] = static_cast<int32_t>(taps.first / 4 + begin);
    axis.count[i] = static_cast<int32_t>(end - begin);
    HWY_STATIC_DISPATCH(EncodeGroups)(weights + begin * 4, end - begin, form, weights);
  }
}

template <int kChannels>
void pick(const uint8_t* x, const int32_t* columns, int64_t count, uint8_t* y) {
  for (int64_t i = 0; i < count; ++i, y += kChannels) std::memcpy(y, x + columns[i] * kChannels, kChannels);
}

void nearest(const ResizeU8Args& args, void* scratch, Parallel& parallel) {
  const ResizeGeometry& g = args.geometry;
  Carver carver(scratch);
  auto* const columns = carver.take<int32_t>(g.crop_w);
  auto* const rows = carver.take<int32_t>(g.crop_h);
  resize_nearest(g.in_width, g.out_width, g.crop_x, g.crop_w, columns);
  resize_nearest(g.in_height, g.out_height, g.crop_y, g.crop_h, rows);
  const auto row_of = args.channels == 1   ? pick<1>
                      : args.channels == 2 ? pick<2>
                      : args.channels == 3 ? pick<3>
                                           : pick<4>;
  parallel_for(parallel, g.crop_h, [&](int64_t row, int) {
    row_of(args.x + rows[row] * args.ldx, columns, g.crop_w, args.y + row * args.ldy);
  });
}

void copy(const ResizeU8Args& args) {
  const ResizeGeometry& g = args.geometry;
  for (int64_t row = 0; row < g.crop_h; ++row) {
    std::memcpy(args.y + row * args.ldy, args.x + (g.crop_y + row) * args.ldx + g.crop_x * args.channels,
                static_cast<size_t>(g.crop_w * args.channels));
  }
}

}  // namespace
}  // namespace resize_u8

size_t resize_u8_scratch(const ResizeU8Args& args, int threads) {
  const ResizeGeometry& g = args.geometry;
  if (g.crop_h == 0 || g.crop_w == 0) return 0;
  Carver carver(nullptr);
  ResizeU8Args vertical, horizontal;
  if (args.filter == ResizeFilter::kNearest) {
    carver.take<int32_t>(g.crop_w);
    carver.take<int32_t>(g.crop_h);
  } else if (resize_u8_split(args, nullptr, &vertical, &horizontal)) {
    carver.take<uint8_t>(g.crop_h * vertical.ldy);
    carver.take<std::byte>(static_cast<int64_t>(
        std::max(resize_u8_scratch(vertical, threads), resize_u8_scratch(horizontal, threads))));
  } else {
    resize_u8::Plan plan;
    plan.args = args;
    resize_u8::lay_out(plan, carver, threads);
  }
  return carver.bytes();
}

void resize_u8_cpu(const ResizeU8Args& args, void* scratch, Parallel& parallel) {
  const ResizeGeometry& g = args.geometry;
  if (g.crop_h == 0 || g.crop_w == 0) return;
  if (g.in_height == g.out_height && g.in_width == g.out_width) return resize_u8::copy(args);
  if (args.filter == ResizeFilter::kNearest) return resize_u8::nearest(args, scratch, parallel);
  ResizeU8Args vertical, horizontal;
  if (resize_u8_split(args, static_cast<uint8_t*>(scratch), &vertical, &horizontal)) {
    Carver carver(scratch);
    carver.take<uint8_t>(g.crop_h * vertical.ldy);
    std::byte* const rest = static_cast<std::byte*>(scratch) + carver.bytes();
    resize_u8_cpu(vertical, rest, parallel);
    resize_u8_cpu(horizontal, rest, parallel);
    return;
  }

  using resize_u8::Form;
  const Form form = has_avx512_vnni() ? Form::kBytes : HWY_ARCH_X86 ? Form::kHalves : Form::kWhole;
  const auto band = form == Form::kBytes ? SNS_DISPATCH(ResizeBandVnni) : SNS_DISPATCH(ResizeBand);
  const int threads = parallel.threads();
  resize_u8::Plan plan;
  plan.args = args;
  Carver carver(scratch);
  resize_u8::lay_out(plan, carver, threads);
  resize_u8::fill(plan.across, resize_axis(g.in_width, g.out_width, args.filter, true), g.crop_x, g.crop_w,
                  form, plan.window);
  resize_u8::fill(plan.down, resize_axis(g.in_height, g.out_height, args.filter, true), g.crop_y, g.crop_h,
                  form, plan.window);
  plan.first_group = plan.across.first[0];
  plan.last_group = plan.first_group;
  for (int64_t i = 0; i < g.crop_w; ++i) {
    plan.first_group = std::min<int64_t>(plan.first_group, plan.across.first[i]);
    plan.last_group = std::max<int64_t>(plan.last_group, plan.across.first[i] + plan.across.count[i] - 1);
  }
  // One band per thread: rows shared by the windows of two bands are narrowed twice.
  plan.bands = std::min<int64_t>(threads, g.crop_h);
  parallel_for(parallel, plan.bands, [&](int64_t i, int worker) {
    band(plan, g.crop_h * i / plan.bands, g.crop_h * (i + 1) / plan.bands, worker);
  });
}

}  // namespace sns
#endif
