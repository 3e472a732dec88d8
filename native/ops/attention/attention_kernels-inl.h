// Micro-kernels of attention; included once per target by attention_cpu.cc.
#if defined(SNS_OPS_ATTENTION_KERNELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_OPS_ATTENTION_KERNELS_INL_H_
#undef SNS_OPS_ATTENTION_KERNELS_INL_H_
#else
#define SNS_OPS_ATTENTION_KERNELS_INL_H_
#endif

#include <hwy/highway.h>

#include "backend/cpu/bf16-inl.h"
#include "ops/attention/attention_plan.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());
constexpr int64_t kPanel = 2 * kLanes;

// Accumulators, two operands and a broadcast must fit the register file (32, or 16 before AVX-512).
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileKeys = 12;  // × 2 vectors of queries
constexpr int kTileRows = 8;   // × up to 3 vectors of columns
#else
constexpr int kTileKeys = 6;
constexpr int kTileRows = 4;
#endif
constexpr int kTileVecs = 3;
constexpr int64_t kFewRows = 4;  // up to here scores are dot products
static_assert(kPanel % kTileRows == 0, "row tiles must not straddle panels");

// 2^x, relative error below 1.7e-7; exactly 1 at 0 and exactly 0 from −127 down. x ≤ 127. NaN stays NaN.
// The polynomial is the minimax one of degree 5 on [−1/2, 1/2] with the constant term held at 1.
HWY_INLINE Vec Exp2(Vec x) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  x = hn::Max(hn::Set(d, -127.0f), x);        // x last: x86 returns the second operand for a NaN
  const Vec magic = hn::Set(d, 12582912.0f);  // 1.5·2^23: adding it rounds to an integer
  const Vec shifted = hn::Add(x, magic);
  const Vec f = hn::Sub(x, hn::Sub(shifted, magic));
  Vec p = hn::Set(d, 0.001326472731307149f);
  p = hn::MulAdd(p, f, hn::Set(d, 0.009671512991189957f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.05550733581185341f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.24022242426872253f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.6931470036506653f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  // The low bits of `shifted` are the integer part: add them to the exponent.
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

// Brings rows of Q, K and V into the L2 cache ahead of the block that needs them. Rows of one head lie far
// apart, so the hardware does not see them coming.
struct Ahead {
  struct Rows {
    const float* row = nullptr;
    int64_t ld = 0, width = 0, left = 0;

    HWY_INLINE void Fetch(int64_t count) {
      for (count = HWY_MIN(count, left), left -= count; count > 0; --count, row += ld) {
        const uintptr_t at = reinterpret_cast<uintptr_t>(row), end = at + static_cast<uintptr_t>(width) * 4;
        for (uintptr_t line = at & ~uintptr_t{63}; line < end; line += 64) {
          __builtin_prefetch(reinterpret_cast<const void*>(line), 0, 2);
        }
      }
    }
  };
  Rows q, k, v;

  HWY_INLINE void Fetch(int64_t count) {
    q.Fetch(count);
    k.Fetch(count);
    v.Fetch(count);
  }
  // Aims at keys [key, key+count) of a task.
  void Keys(const AttentionArgs& a, const AttentionTask& t, int64_t key, int64_t count) {
    k = {a.k + key * a.ldk + t.kv_head * a.qk_dim, a.ldk, a.qk_dim, count};
    v = {a.v + key * a.ldv + t.kv_head * a.v_dim, a.ldv, a.v_dim, count};
  }
  // Aims at what a task reads first.
  void Start(const AttentionArgs& a, const AttentionTask& t) {
    const int64_t group = a.heads / a.kv_heads, first = t.row / group, last = (t.row + t.rows - 1) / group;
    q = {a.q + (t.query + first) * a.ldq + t.kv_head * group * a.qk_dim, a.ldq, group * a.qk_dim,
         last - first + 1};
    Keys(a, t, t.key, HWY_MIN(kKeyBlock, t.keys));
  }
  int64_t Left() const { return HWY_MAX(q.left, k.left); }
};

// s[i][·] = k[i, :]·q for kKeys keys and kVecs vectors of queries; top[·] = max(top, s). In bfloat16 a number
// of k, q and `dim` is a pair.
template <class Kind, int kKeys, int kVecs>
HWY_NOINLINE void ScoreTile(const float* HWY_RESTRICT k, int64_t ldk, const float* HWY_RESTRICT q,
                            int64_t dim, float* HWY_RESTRICT s, float* HWY_RESTRICT top) {
  const Floats d;
  Vec acc[kKeys][kVecs];
#pragma GCC unroll 16
  for (int i = 0; i < kKeys; ++i) {
#pragma GCC unroll 4
    for (int c = 0; c < kVecs; ++c) acc[i][c] = hn::Zero(d);
  }
  for (int64_t t = 0; t < dim; ++t, q += kPanel) {
    Vec b[kVecs];
#pragma GCC unroll 4
    for (int c = 0; c < kVecs; ++c) b[c] = hn::Load(d, q + c * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kKeys; ++i) {
      const Vec a = hn::Set(d, k[i * ldk + t]);
#pragma GCC unroll 4
      for (int c = 0; c < kVecs; ++c) acc[i][c] = Kind::MulAdd(a, b[c], acc[i][c]);
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < kVecs; ++c) {
    Vec m = hn::Load(d, top + c * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kKeys; ++i) {
      hn::Store(acc[i][c], d, s + i * kPanel + c * kLanes);
      m = hn::Max(m, acc[i][c]);
    }
    hn::Store(m, d, top + c * kLanes);
  }
}

template <class Kind, int kKeys, int kVecs>
HWY_INLINE void ScoreTail(int64_t keys, const float* k, int64_t ldk, const float* q, int64_t dim, float* s,
                          float* top) {
  if (keys == kKeys) return ScoreTile<Kind, kKeys, kVecs>(k, ldk, q, dim, s, top);
  if constexpr (kKeys > 1) ScoreTail<Kind, kKeys - 1, kVecs>(keys, k, ldk, q, dim, s, top);
}

// The same for one to four queries, where a panel would be mostly padding: dot products along the dimensions.
// q is [kRows][dim]; the lanes of s past kRows are 0.
template <int kRows>
HWY_NOINLINE void ScoreDots(const float* HWY_RESTRICT k, int64_t ldk, int64_t keys,
                            const float* HWY_RESTRICT q, int64_t dim, float* HWY_RESTRICT s,
                            float* HWY_RESTRICT top, Ahead& ahead) {
  const Floats d;
  const int64_t whole = dim / kLanes * kLanes;
  for (int64_t j = 0; j < keys; ++j, k += ldk, s += kPanel) {
    ahead.Fetch(1);
    Vec acc[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) acc[r] = hn::Zero(d);
    for (int64_t t = 0; t < whole; t += kLanes) {
      const Vec b = hn::LoadU(d, k + t);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) acc[r] = hn::MulAdd(hn::LoadU(d, q + r * dim + t), b, acc[r]);
    }
    float dot[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) dot[r] = hn::GetLane(hn::SumOfLanes(d, acc[r]));
    for (int64_t t = whole; t < dim; ++t) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) dot[r] += q[r * dim + t] * k[t];
    }
    hn::Store(hn::Zero(d), d, s);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      s[r] = dot[r];
      top[r] = HWY_MAX(top[r], dot[r]);
    }
  }
}

HWY_INLINE void ScoreFew(int64_t rows, const float* k, int64_t ldk, int64_t keys, const float* q, int64_t dim,
                         float* s, float* top, Ahead& ahead) {
  switch (rows) {
    case 1:
      return ScoreDots<1>(k, ldk, keys, q, dim, s, top, ahead);
    case 2:
      return ScoreDots<2>(k, ldk, keys, q, dim, s, top, ahead);
    case 3:
      return ScoreDots<3>(k, ldk, keys, q, dim, s, top, ahead);
    default:
      return ScoreDots<4>(k, ldk, keys, q, dim, s, top, ahead);
  }
}

// o[r][·] = o[r][·]·rescale[r] + Σ_j p[j][r]·v[j][·]; without the first term when `first`. In bfloat16 a
// number of p and v is the pair of two keys, and `keys` counts those.
template <class Kind, int kRows, int kVecs>
HWY_NOINLINE void ValueTile(const float* HWY_RESTRICT p, const float* HWY_RESTRICT v, int64_t ldv,
                            int64_t keys, const float* HWY_RESTRICT rescale, bool first,
                            float* HWY_RESTRICT o, int64_t ldo) {
  const Floats d;
  Vec acc[kRows][kVecs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < kVecs; ++c) acc[r][c] = hn::Zero(d);
  }
  for (int64_t j = 0; j < keys; ++j, p += kPanel, v += ldv) {
    Vec b[kVecs];
#pragma GCC unroll 4
    for (int c = 0; c < kVecs; ++c) b[c] = hn::LoadU(d, v + c * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec a = hn::Set(d, p[r]);
#pragma GCC unroll 4
      for (int c = 0; c < kVecs; ++c) acc[r][c] = Kind::MulAdd(a, b[c], acc[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const Vec a = hn::Set(d, rescale[r]);
#pragma GCC unroll 4
    for (int c = 0; c < kVecs; ++c) {
      float* at = o + r * ldo + c * kLanes;
      // Each block is summed on its own before it joins: the error grows with the block and the number of
      // blocks, not with all keys.
      hn::Store(first ? acc[r][c] : hn::MulAdd(a, hn::Load(d, at), acc[r][c]), d, at);
    }
  }
}

template <class Kind, int kRows, int kVecs>
HWY_INLINE void ValueRows(int64_t rows, const float* p, const float* v, int64_t ldv, int64_t keys,
                          const float* rescale, bool first, float* o, int64_t ldo) {
  if (rows == kRows) return ValueTile<Kind, kRows, kVecs>(p, v, ldv, keys, rescale, first, o, ldo);
  if constexpr (kRows > 1) ValueRows<Kind, kRows - 1, kVecs>(rows, p, v, ldv, keys, rescale, first, o, ldo);
}

// The whole P·V of one panel. `vecs` vectors of columns are cut evenly, for a narrow last slice would starve
// the multipliers; one slice of V and the panel's P stay in the first-level cache.
template <class Kind>
HWY_INLINE void Values(int64_t rows, int64_t vecs, const float* p, const float* v, int64_t ldv, int64_t keys,
                       const float* rescale, bool first, float* o, int64_t ldo) {
  const int64_t slices = (vecs + kTileVecs - 1) / kTileVecs;
  for (int64_t i = 0; i < slices; ++i) {
    const int64_t c0 = vecs * i / slices, c1 = vecs * (i + 1) / slices;
    const float* vc = v + c0 * kLanes;
    float* oc = o + c0 * kLanes;
    for (int64_t r = 0; r < rows; r += kTileRows) {
      const int64_t n = HWY_MIN(static_cast<int64_t>(kTileRows), rows - r);
      const float* pr = p + r;
      float* at = oc + r * ldo;
      if (c1 - c0 == 3) {
        ValueRows<Kind, kTileRows, 3>(n, pr, vc, ldv, keys, rescale + r, first, at, ldo);
      } else if (c1 - c0 == 2) {
        ValueRows<Kind, kTileRows, 2>(n, pr, vc, ldv, keys, rescale + r, first, at, ldo);
      } else {
        ValueRows<Kind, kTileRows, 1>(n, pr, vc, ldv, keys, rescale + r, first, at, ldo);
      }
    }
  }
}

// Rows 2i and 2i + 1 of a panel become row i of pairs; an odd last one stands beside zeros.
HWY_INLINE void PairRows(float* rows, int64_t count, int vecs) {
#if SNS_HAVE_BF16
  const Floats d;
  float* to = rows;
  for (int64_t i = 0; i < count; i += 2, rows += 2 * kPanel, to += kPanel) {
    for (int c = 0; c < vecs; ++c) {
      const Vec first = hn::Load(d, rows + c * kLanes);
      const Vec second = i + 1 < count ? hn::Load(d, rows + kPanel + c * kLanes) : hn::Zero(d);
      hn::Store(Bf16Pairs(first, second), d, to + c * kLanes);
    }
  }
#else
  (void)rows;
  (void)count;
  (void)vecs;
#endif
}

// Of causal attention: the keys of a block that come after the query of a row of the panel. Every row has
// seen key 0 before a block of which it sees nothing, so its peak is a score.
struct Later {
  bool any = false;
  int64_t row = 0;     // of the sequence, that is the panel's first
  int64_t group = 1;   // rows of one query
  int64_t before = 0;  // keys of the sequence before the block

  // Whether the whole block lies after the panel.
  HWY_INLINE bool Nothing(int64_t rows) const { return any && (row + rows - 1) / group < before; }
  // Their scores become too low to count, and the peaks those of what is left.
  HWY_INLINE void Hide(int64_t rows, int64_t keys, float* s, const float* top, float* peak) const {
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t seen = HWY_MAX((row + r) / group + 1 - before, int64_t{0});
      if (seen >= keys) continue;
      peak[r] = top[r];
      for (int64_t j = 0; j < seen; ++j) peak[r] = HWY_MAX(peak[r], s[j * kPanel + r]);
      for (int64_t j = seen; j < keys; ++j) s[j * kPanel + r] = -hwy::HighestValue<float>();
    }
  }
};

// Scores of `keys` keys for one panel, the online softmax step, and P·V. The keys' weights, or null, multiply
// the probabilities: the running maximum stays that of the scores, whatever the weights. `dim` as in
// ScoreTile; `keys` counts keys.
template <class Kind, int kVecs>
HWY_INLINE void PanelStep(const AttentionWorker& w, const float* q, int64_t dim, int64_t rows, const float* k,
                          int64_t ldk, const float* v, int64_t ldv, int64_t vecs, int64_t keys, bool first,
                          const float* weight, float* top, float* sum, float* o, int64_t ldo, Ahead& ahead,
                          int64_t fetch, bool few, const Later& later) {
  const Floats d;
  HWY_ALIGN float peak[kPanel];
  for (int c = 0; c < kVecs; ++c) hn::Store(hn::Load(d, top + c * kLanes), d, peak + c * kLanes);
  int64_t j = 0;
  if (few) {
    ScoreFew(rows, k, ldk, keys, q, dim, w.s, peak, ahead);
  } else {
    for (; j + kTileKeys <= keys; j += kTileKeys) {
      ahead.Fetch(fetch);
      ScoreTile<Kind, kTileKeys, kVecs>(k + j * ldk, ldk, q, dim, w.s + j * kPanel, peak);
    }
    if (j < keys) {
      ScoreTail<Kind, kTileKeys - 1, kVecs>(keys - j, k + j * ldk, ldk, q, dim, w.s + j * kPanel, peak);
    }
  }
  if (later.any) later.Hide(rows, keys, w.s, top, peak);
  Vec m[kVecs], total[kVecs];
#pragma GCC unroll 2
  for (int c = 0; c < kVecs; ++c) {
    m[c] = hn::Load(d, peak + c * kLanes);
    const Vec rescale = Exp2(hn::Sub(hn::Load(d, top + c * kLanes), m[c]));
    hn::Store(rescale, d, w.rescale + c * kLanes);
    hn::Store(hn::Mul(hn::Load(d, sum + c * kLanes), rescale), d, sum + c * kLanes);
    hn::Store(m[c], d, top + c * kLanes);
    total[c] = hn::Zero(d);
  }
  float* s = w.s;
  for (j = 0; j < keys; ++j, s += kPanel) {
#pragma GCC unroll 2
    for (int c = 0; c < kVecs; ++c) {
      Vec p = Exp2(hn::Sub(hn::Load(d, s + c * kLanes), m[c]));
      if (weight) p = hn::Mul(p, hn::Set(d, weight[j]));
      hn::Store(p, d, s + c * kLanes);
      total[c] = hn::Add(total[c], p);
    }
  }
#pragma GCC unroll 2
  for (int c = 0; c < kVecs; ++c) {
    hn::Store(hn::Add(hn::Load(d, sum + c * kLanes), total[c]), d, sum + c * kLanes);
  }
  if constexpr (Kind::kPairs) PairRows(w.s, keys, kVecs);
  Values<Kind>(rows, vecs, w.s, v, ldv, Kind::kPairs ? (keys + 1) / 2 : keys, w.rescale, first, o, ldo);
}

// Copies `count` floats; HWY_RESTRICT-free of library calls, rows are short.
HWY_INLINE void CopyRow(const float* from, int64_t count, float* to) {
  const Floats d;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  for (; i < count; ++i) to[i] = from[i];
}

#if SNS_HAVE_BF16
// The first `count` of a vector's numbers, zeros behind them.
HWY_INLINE Vec LoadFirst(const float* from, int64_t count) {
  const Floats d;
  if (count >= kLanes) return hn::LoadU(d, from);
  return count > 0 ? hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, from) : hn::Zero(d);
}

// A row of keys as pairs of neighbours.
HWY_INLINE void PairKey(const float* from, int64_t count, float* to) {
  const Floats d;
  for (int64_t i = 0; i < count; i += 2 * kLanes) {
    const Vec pairs =
        Bf16Neighbours(LoadFirst(from + i, count - i), LoadFirst(from + i + kLanes, count - i - kLanes));
    const auto left = static_cast<size_t>((count - i + 1) / 2);
    if (left >= static_cast<size_t>(kLanes)) {
      hn::StoreU(pairs, d, to + i / 2);
    } else {
      hn::BlendedStore(pairs, hn::FirstN(d, left), d, to + i / 2);
    }
  }
}

// Two rows of values (the second may be null, which is zeros) as one row of pairs, padded to whole vectors.
HWY_INLINE void PairValues(const float* first, const float* second, int64_t count, int64_t pad, float* to) {
  const Floats d;
  for (int64_t c = 0; c < pad; c += kLanes) {
    hn::Store(
        Bf16Pairs(LoadFirst(first + c, count - c), second ? LoadFirst(second + c, count - c) : hn::Zero(d)),
        d, to + c);
  }
}
#endif

// to[t·kPanel + i] = factor·from[i][t] for four rows.
HWY_INLINE void TransposeFour(const float* const from[4], int64_t dim, float factor, float* to) {
  const hn::CappedTag<float, 4> d4;
  const hn::RepartitionToWide<decltype(d4)> d2;
  const auto scale = hn::Set(d4, factor);
  int64_t t = 0;
  for (; t + 4 <= dim; t += 4, to += 4 * kPanel) {
    const auto a = hn::LoadU(d4, from[0] + t), b = hn::LoadU(d4, from[1] + t);
    const auto c = hn::LoadU(d4, from[2] + t), e = hn::LoadU(d4, from[3] + t);
    const auto ab0 = hn::BitCast(d2, hn::InterleaveLower(d4, a, b));
    const auto ab1 = hn::BitCast(d2, hn::InterleaveUpper(d4, a, b));
    const auto ce0 = hn::BitCast(d2, hn::InterleaveLower(d4, c, e));
    const auto ce1 = hn::BitCast(d2, hn::InterleaveUpper(d4, c, e));
    hn::Store(hn::Mul(scale, hn::BitCast(d4, hn::InterleaveLower(d2, ab0, ce0))), d4, to);
    hn::Store(hn::Mul(scale, hn::BitCast(d4, hn::InterleaveUpper(d2, ab0, ce0))), d4, to + kPanel);
    hn::Store(hn::Mul(scale, hn::BitCast(d4, hn::InterleaveLower(d2, ab1, ce1))), d4, to + 2 * kPanel);
    hn::Store(hn::Mul(scale, hn::BitCast(d4, hn::InterleaveUpper(d2, ab1, ce1))), d4, to + 3 * kPanel);
  }
  for (; t < dim; ++t, to += kPanel) {
    for (int i = 0; i < 4; ++i) to[i] = factor * from[i][t];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif
