#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/vector_quantize/exact.h"
#include "ops/vector_quantize/nearest.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/vector_quantize/nearest_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef SNS_NEAREST_SHARED
#define SNS_NEAREST_SHARED
namespace sns {

constexpr int64_t kBlockRows = 24;  // rows of one task: codes are read once per block from far caches
constexpr int64_t kChunkBytes = 256 * 1024;  // codes that stay in L2 while a block's rows pass over them

/// One worker's buffers.
struct NearestScratch {
  float* z;         // [kBlockRows, bytes_dim], zero-padded
  int8_t* q;        // [kBlockRows, bytes_dim]
  float* maxima;    // [kBlockRows, cells]
  float* bound;     // [groups]
  float* tops;      // [groups, lanes]
  int32_t* cells;   // [2, cells] candidates of one row, and of the next
  double* exact_x;  // [dim]
};

inline NearestScratch lay_out_nearest(const NearestCodes& codes, Carver& carver) {
  NearestScratch s;
  s.z = carver.take<float>(kBlockRows * codes.bytes_dim);
  s.q = carver.take<int8_t>(kBlockRows * codes.bytes_dim);
  s.maxima = carver.take<float>(kBlockRows * cell_count(codes));
  s.bound = carver.take<float>(codes.groups);
  s.tops = carver.take<float>(codes.groups * codes.lanes);
  s.cells = carver.take<int32_t>(2 * cell_count(codes));
  s.exact_x = carver.take<double>(codes.dim);
  return s;
}

inline void prefetch(const NearestCodes& codes, const int32_t* cells, int64_t count) {
  constexpr int64_t kLine = 16, kMost = 64;  // floats; the hardware follows after some lines
  for (int64_t n = 0; n < count; ++n) {
    const int64_t first = cells[n] / codes.lanes * 2 * codes.lanes + cells[n] % codes.lanes;
    for (int64_t code = first; code < std::min(first + 2 * codes.lanes, codes.size); code += codes.lanes) {
      const float* c = codes.codes + code * codes.ld;
      for (int64_t i = 0; i < std::min(codes.dim, kMost); i += kLine) __builtin_prefetch(c + i);
    }
  }
}

/// n·norm + ρ·error + n²·square + constant, see nearest.h.
struct BoundTerms {
  double norm, error, square, constant;
};

inline void write_bound(const NearestCodes& codes, const BoundTerms& t, float* bound) {
  constexpr double kUp = 1 + 1e-4;  // the roundings of this very computation
  const float a = static_cast<float>(t.norm * kUp), b = static_cast<float>(t.error * kUp);
  const float c = static_cast<float>(t.square * kUp), d = static_cast<float>(t.constant * kUp);
  if (b == 0) {
    for (int64_t g = 0; g < codes.groups; ++g) bound[g] = codes.norm[g] * (a + c * codes.norm[g]) + d;
  } else {
    for (int64_t g = 0; g < codes.groups; ++g) {
      bound[g] = codes.norm[g] * (a + c * codes.norm[g]) + b * codes.byte_error[g] + d;
    }
  }
}

/// The oracle's own rounding, and the half-norm's share of the screen's.
inline BoundTerms base_bound(const NearestCodes& codes, double z_norm, double roundings) {
  const double oracle = static_cast<double>(codes.dim + 4) * 0x1p-52;
  if (codes.nearness == Nearness::kDistance) {
    return {0, 0, oracle + 0.5 * roundings * 0x1p-24, oracle * z_norm * z_norm};
  }
  return {oracle * z_norm, 0, 0, oracle * z_norm * codes.shift_norm};
}

inline void float_bound(const NearestCodes& codes, double z_norm, float* bound) {
  const double roundings = static_cast<double>(codes.dim + 8);
  BoundTerms t = base_bound(codes, z_norm, roundings);
  t.norm += roundings * 0x1p-24 * z_norm;
  write_bound(codes, t, bound);
}

inline void byte_bound(const NearestCodes& codes, double z_norm, const ByteRow& row, float* bound) {
  BoundTerms t = base_bound(codes, z_norm, 8);
  t.norm += row.error + 8 * 0x1p-24 * (row.norm + z_norm);
  t.error += row.norm * (1 + 8 * 0x1p-24);
  write_bound(codes, t, bound);
}

}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3
constexpr int kPanelVectors = 4;  // 6×4 accumulators of 32 registers
#else
constexpr int kPanelVectors = 2;  // 6×2 of 16
#endif

/// vnni_screen in float.
void ScreenFloat(const NearestCodes& codes, int64_t begin, int64_t end, const float* const* z,
                 float* const* maxima) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int R = kScreenRows, NV = kPanelVectors;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), width = NV * lanes;
  const float* c = codes.panels + begin * 8 * lanes * codes.dim;
  const float* minus_half = codes.minus_half + begin * 8 * lanes;
  for (int64_t g = begin; g < end; ++g) {
    for (int panel = 0; panel < 8 / NV; ++panel, minus_half += width) {
      V acc[R][NV];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        const V h = hn::Load(d, minus_half + v * lanes);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) acc[r][v] = h;
      }
      for (int64_t k = 0; k < codes.dim; ++k, c += width) {
        V b[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) b[v] = hn::Load(d, c + v * lanes);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
          const V x = hn::Set(d, z[r][k]);
#pragma GCC unroll 4
          for (int v = 0; v < NV; ++v) acc[r][v] = hn::MulAdd(x, b[v], acc[r][v]);
        }
      }
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < NV; v += 2) {
          hn::Store(hn::Max(acc[r][v], acc[r][v + 1]), d, maxima[r] + (g * 8 + panel * NV + v) / 2 * lanes);
        }
      }
    }
  }
}

/// z = x·scale − shift, computed in float64; returns ‖z‖.
double PrepareRow(const float* x, double scale, const float* shift, int64_t dim, int64_t padded, float* z) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(dd));
  const auto s = hn::Set(dd, scale);
  auto sum = hn::Zero(dd);
  int64_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    const auto v = hn::Sub(hn::Mul(hn::PromoteTo(dd, hn::LoadU(df, x + i)), s),
                           hn::PromoteTo(dd, hn::LoadU(df, shift + i)));
    sum = hn::MulAdd(v, v, sum);
    hn::StoreU(hn::DemoteTo(df, v), df, z + i);
  }
  double total = hn::GetLane(hn::SumOfLanes(dd, sum));
  for (; i < dim; ++i) {
    const double v = x[i] * scale - shift[i];
    total += v * v;
    z[i] = static_cast<float>(v);
  }
  for (; i < padded; ++i) z[i] = 0;
  return std::sqrt(total) * (1 + 1e-6);
}

/// Cells whose maximum is within the bound of the best one, or limit + 1 when they are more than `limit`.
/// `tops` [groups·lanes] takes each group's maxima, so that the second pass opens few groups.
int64_t CollectCells(const NearestCodes& codes, const float* maxima, const float* bound, int64_t limit,
                     float* tops, int32_t* cells) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int64_t kUnits = 4;  // vectors of cells in a group
  auto low = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (int64_t g = 0; g < codes.groups; ++g) {
    const float* m = maxima + g * kUnits * lanes;
    auto top = hn::Load(d, m);
    for (int64_t u = 1; u < kUnits; ++u) top = hn::Max(top, hn::Load(d, m + u * lanes));
    hn::Store(top, d, tops + g * lanes);
    low = hn::Max(low, hn::Sub(top, hn::Set(d, bound[g])));
  }
  low = hn::MaxOfLanes(d, low);
  int64_t count = 0;
  for (int64_t g = 0; g < codes.groups; ++g) {
    const auto error = hn::Set(d, bound[g]);
    if (HWY_LIKELY(hn::AllFalse(d, hn::Ge(hn::Add(hn::Load(d, tops + g * lanes), error), low)))) continue;
    for (int64_t u = g * kUnits; u < (g + 1) * kUnits; ++u) {
      uint8_t bytes[8] = {};
      hn::StoreMaskBits(d, hn::Ge(hn::Add(hn::Load(d, maxima + u * lanes), error), low), bytes);
      uint32_t bits = bytes[0] | static_cast<uint32_t>(bytes[1]) << 8;
      bits &= (1u << lanes) - 1;
      for (; bits; bits &= bits - 1) {
        if (count == limit) return limit + 1;
        cells[count++] = static_cast<int32_t>(u * lanes + __builtin_ctz(bits));
      }
    }
  }
  return count;
}

/// Four codes against one row in float64: ‖x − c‖² or −x·c, within (dim + 4)·2⁻⁵² of exact.h.
template <bool kDot>
HWY_INLINE void ScoreFour(const double* x, const float* const* c, const double* scale, int64_t dim,
                          double* out) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(dd));
  const auto s0 = hn::Set(dd, scale[0]), s1 = hn::Set(dd, scale[1]);
  const auto s2 = hn::Set(dd, scale[2]), s3 = hn::Set(dd, scale[3]);
  auto a0 = hn::Zero(dd), a1 = a0, a2 = a0, a3 = a0;
  int64_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    const auto v = hn::LoadU(dd, x + i);
    const auto c0 = hn::Mul(hn::PromoteTo(dd, hn::LoadU(df, c[0] + i)), s0);
    const auto c1 = hn::Mul(hn::PromoteTo(dd, hn::LoadU(df, c[1] + i)), s1);
    const auto c2 = hn::Mul(hn::PromoteTo(dd, hn::LoadU(df, c[2] + i)), s2);
    const auto c3 = hn::Mul(hn::PromoteTo(dd, hn::LoadU(df, c[3] + i)), s3);
    if (kDot) {
      a0 = hn::NegMulAdd(v, c0, a0);
      a1 = hn::NegMulAdd(v, c1, a1);
      a2 = hn::NegMulAdd(v, c2, a2);
      a3 = hn::NegMulAdd(v, c3, a3);
    } else {
      const auto t0 = hn::Sub(v, c0), t1 = hn::Sub(v, c1), t2 = hn::Sub(v, c2), t3 = hn::Sub(v, c3);
      a0 = hn::MulAdd(t0, t0, a0);
      a1 = hn::MulAdd(t1, t1, a1);
      a2 = hn::MulAdd(t2, t2, a2);
      a3 = hn::MulAdd(t3, t3, a3);
    }
  }
  out[0] = hn::GetLane(hn::SumOfLanes(dd, a0));
  out[1] = hn::GetLane(hn::SumOfLanes(dd, a1));
  out[2] = hn::GetLane(hn::SumOfLanes(dd, a2));
  out[3] = hn::GetLane(hn::SumOfLanes(dd, a3));
  for (; i < dim; ++i) {
    for (int j = 0; j < 4; ++j) {
      const double t = c[j][i] * scale[j];
      out[j] += kDot ? -(x[i] * t) : (x[i] - t) * (x[i] - t);
    }
  }
}

void ScaleRow(const float* x, double scale, int64_t dim, double* out) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(dd));
  const auto s = hn::Set(dd, scale);
  int64_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    hn::StoreU(hn::Mul(hn::PromoteTo(dd, hn::LoadU(df, x + i)), s), dd, out + i);
  }
  for (; i < dim; ++i) out[i] = x[i] * scale;
}

/// The oracle's choice among the codes of the cells. Running best: a code is skipped or taken on the vector
/// sum where that is clear of its rounding, and by exact.h's sum where it is not, so that each comparison,
/// and with it the minimum, is the oracle's.
template <bool kDot>
void SettleRow(const NearestCodes& codes, const float* x, double x_scale, const int32_t* cells, int64_t count,
               double* exact_x, int64_t* id, double* value) {
  const int64_t dim = codes.dim, lanes = codes.lanes;
  ScaleRow(x, x_scale, dim, exact_x);
  const auto key = [&](int64_t c) {
    const double s = codes.scale ? codes.scale[c] : 1.0;
    const float* code = codes.codes + c * codes.ld;
    return kDot ? -exact_dot(x, x_scale, code, s, dim) : exact_distance(x, x_scale, code, s, dim);
  };
  // A distance sums non-negative terms, so its rounding is relative to itself; that of a dot product is
  // relative to the norms.
  const double rounding = 4 * static_cast<double>(dim + 4) * 0x1p-52;
  double dot_margin = 0;
  if (kDot) {
    double sum = 0;
    for (int64_t i = 0; i < dim; ++i) sum += exact_x[i] * exact_x[i];
    dot_margin = rounding * std::sqrt(sum) * (codes.max_norm + codes.shift_norm);
  }
  int64_t best = -1;
  double best_fast = 0;
  int64_t ids[4];
  int pending = 0;
  const auto evaluate = [&] {
    const float* c[4];
    double scale[4], fast[4];
    for (int j = 0; j < 4; ++j) {
      const int64_t code = ids[j < pending ? j : 0];
      c[j] = codes.codes + code * codes.ld;
      scale[j] = codes.scale ? codes.scale[code] : 1.0;
    }
    ScoreFour<kDot>(exact_x, c, scale, dim, fast);
    for (int j = 0; j < pending; ++j) {
      if (best < 0) {
        if (fast[j] < std::numeric_limits<double>::infinity()) best = ids[j], best_fast = fast[j];
        continue;
      }
      const double margin = kDot ? dot_margin : rounding * best_fast;
      if (fast[j] > best_fast + margin) continue;
      if (!(fast[j] < best_fast - margin)) {
        const double mine = key(ids[j]), theirs = key(best);
        if (!(mine < theirs || (mine == theirs && ids[j] < best))) continue;
      }
      best = ids[j];
      best_fast = fast[j];
    }
    pending = 0;
  };
  for (int64_t n = 0; n < count; ++n) {
    const int64_t first = cells[n] / lanes * 2 * lanes + cells[n] % lanes;
    for (int64_t code = first; code < std::min(first + 2 * lanes, codes.size); code += lanes) {
      ids[pending++] = code;
      if (pending == 4) evaluate();
    }
  }
  if (pending) evaluate();
  *id = std::max<int64_t>(best, 0);
  if (value) *value = kDot ? -key(*id) : key(*id);
}

void FindBlock(const NearestCodes& codes, const NearestArgs& args, int64_t block, int worker,
               const NearestScratch& s) {
  const int64_t first = block * kBlockRows, rows = std::min(kBlockRows, args.rows - first);
  const int64_t lanes = codes.lanes, all = cell_count(codes), pd = codes.bytes_dim;
  double scale[kBlockRows], norm[kBlockRows];
  ByteRow byte_rows[kBlockRows];
  int64_t easy[kBlockRows], hard[kBlockRows], easy_count = 0, hard_count = 0;

  const auto settle = [&](int64_t r, const int32_t* cells, int64_t count) {
    const int64_t at = (first + r) * args.id_stride;
    const float* x = args.x + (first + r) * args.ldx;
    double* value = args.value ? args.value + at : nullptr;
    const auto f = codes.nearness == Nearness::kDot ? SettleRow<true> : SettleRow<false>;
    f(codes, x, scale[r], cells, count, s.exact_x, args.ids + at, value);
    if (args.evaluated) args.evaluated[worker] += count * 2;
  };

  for (int64_t r = 0; r < rows; ++r) {
    const float* x = args.x + (first + r) * args.ldx;
    float* z = s.z + r * pd;
    scale[r] = codes.normalise ? inverse_norm(x, codes.dim) : 1.0;
    norm[r] = PrepareRow(x, scale[r], codes.row_shift, codes.dim, pd, z);
    if (!codes.screenable || !(norm[r] < 1e15) || (norm[r] < 1e-15 && norm[r] > 0)) {
      for (int64_t i = 0; i < all; ++i) s.cells[i] = static_cast<int32_t>(i);
      settle(r, s.cells, all);
      continue;
    }
    if (codes.bytes) {
      byte_rows[r] = vnni_quantize(z, pd, s.q + r * pd);
      easy[easy_count++] = r;
    } else {
      hard[hard_count++] = r;
    }
  }

  const auto chunk = [&](int64_t code_bytes) {
    return std::max<int64_t>(1, kChunkBytes / (8 * lanes * code_bytes));
  };
  // Tiles take kScreenRows rows; a short one repeats its last row, which costs time but no second kernel.
  if (easy_count) {
    const int64_t step = chunk(pd);
    for (int64_t g = 0; g < codes.groups; g += step) {
      for (int64_t i = 0; i < easy_count; i += kScreenRows) {
        const int8_t* q[kScreenRows];
        float* maxima[kScreenRows];
        ByteRow tile[kScreenRows];
        for (int64_t j = 0; j < kScreenRows; ++j) {
          const int64_t r = easy[std::min(i + j, easy_count - 1)];
          q[j] = s.q + r * pd;
          maxima[j] = s.maxima + r * all;
          tile[j] = byte_rows[r];
        }
        vnni_screen(codes, g, std::min(g + step, codes.groups), q, tile, maxima);
      }
    }
    // Beyond an eighth of all cells float64 evaluation costs more than a sharper screen.
    const int64_t limit = std::max<int64_t>(8, all / 8);
    int64_t count = 0;  // candidates of the row before
    for (int64_t i = 0; i <= easy_count; ++i) {
      int32_t* cells = s.cells + i % 2 * all;
      int64_t next = 0;
      if (i < easy_count) {
        const int64_t r = easy[i];
        byte_bound(codes, norm[r], byte_rows[r], s.bound);
        next = CollectCells(codes, s.maxima + r * all, s.bound, std::min(limit, all), s.tops, cells);
        if (next > limit) {
          hard[hard_count++] = r;
          next = 0;
        } else {
          prefetch(codes, cells, next);  // arrives while the row before is settled
        }
      }
      if (count) settle(easy[i - 1], s.cells + (i + 1) % 2 * all, count);
      count = next;
    }
  }
  if (hard_count) {
    const int64_t step = chunk(codes.dim * 4);
    for (int64_t g = 0; g < codes.groups; g += step) {
      for (int64_t i = 0; i < hard_count; i += kScreenRows) {
        const float* z[kScreenRows];
        float* maxima[kScreenRows];
        for (int64_t j = 0; j < kScreenRows; ++j) {
          const int64_t r = hard[std::min(i + j, hard_count - 1)];
          z[j] = s.z + r * pd;
          maxima[j] = s.maxima + r * all;
        }
        ScreenFloat(codes, g, std::min(g + step, codes.groups), z, maxima);
      }
    }
    for (int64_t i = 0; i < hard_count; ++i) {
      const int64_t r = hard[i];
      float_bound(codes, norm[r], s.bound);
      const int64_t count = CollectCells(codes, s.maxima + r * all, s.bound, all, s.tops, s.cells);
      settle(r, s.cells, count);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/dispatch.h"

namespace sns {

size_t nearest_scratch(const NearestCodes& codes, int threads) {
  Carver one(nullptr);
  lay_out_nearest(codes, one);
  return static_cast<size_t>(checked_mul(static_cast<int64_t>(one.bytes()), threads, "scratch"));
}

void find_nearest(const NearestCodes& codes, const NearestArgs& args, void* scratch, Parallel& parallel) {
  Carver one(nullptr);
  lay_out_nearest(codes, one);
  const size_t stride = one.bytes();
  const auto block = SNS_DISPATCH(FindBlock);
  parallel_for(parallel, ceil_div(args.rows, kBlockRows), [&](int64_t b, int worker) {
    Carver mine(static_cast<std::byte*>(scratch) + static_cast<size_t>(worker) * stride);
    block(codes, args, b, worker, lay_out_nearest(codes, mine));
  });
}

}  // namespace sns
#endif
