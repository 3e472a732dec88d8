// The register tile of the GEMM, in fp32 or in pairs of bfloat16 (backend/cpu/bf16-inl.h), for which "float"
// below is 32 bits and k counts pairs.

#if defined(SNS_OPS_LINEAR_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SNS_OPS_LINEAR_GEMM_TILE_INL_H_
#undef SNS_OPS_LINEAR_GEMM_TILE_INL_H_
#else
#define SNS_OPS_LINEAR_GEMM_TILE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <utility>

#include "backend/cpu/bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using GemmF = hn::ScalableTag<float>;
using GemmV = hn::Vec<GemmF>;
constexpr size_t kGemmLanes = HWY_MAX_BYTES / sizeof(float);
/// A panel is two vectors wide.
constexpr size_t kGemmPanel = 2 * kGemmLanes;
/// Rows of the largest tile: as many as leave registers for two vectors of B, one of A and, where there is no
/// fused multiply-add, one product.
#if HWY_TARGET == HWY_AVX3
constexpr int kGemmRows = 14;
#elif HWY_TARGET == HWY_NEON
constexpr int kGemmRows = 12;
#elif HWY_TARGET == HWY_AVX2
constexpr int kGemmRows = 6;
#else
constexpr int kGemmRows = 5;
#endif

/// Bytes that a tile fetches into L2 for a later one in each step of k.
constexpr size_t kGemmAhead = 64;

/// A step of wide vectors has load slots to spare. Of narrow ones it loads 8 for 12 multiply-adds, and two
/// fetches more cost 5 to 7 % of the whole.
constexpr bool kGemmFetches = kGemmLanes == 16;

/// Accumulators of M rows of P panels. Every index below is a template argument, never a loop variable: only
/// then does the compiler keep all of them in registers.
template <int M, int P>
struct GemmAcc {
  GemmV v[M][P][2];
};

template <size_t I, int M, int P, size_t... Q>
HWY_INLINE void GemmInit(std::index_sequence<Q...>, GemmAcc<M, P>& acc, const float* c, size_t c_stride) {
  const GemmF d;
  const float* row = c + I * kGemmPanel;
  ((acc.v[I][Q][0] = c ? hn::Load(d, row + Q * c_stride) : hn::Zero(d),
    acc.v[I][Q][1] = c ? hn::Load(d, row + Q * c_stride + kGemmLanes) : hn::Zero(d)),
   ...);
}

template <size_t I, int M, int P, size_t... Q>
HWY_INLINE void GemmStore(std::index_sequence<Q...>, const GemmAcc<M, P>& acc, float* c, size_t c_stride) {
  const GemmF d;
  float* row = c + I * kGemmPanel;
  ((hn::Store(acc.v[I][Q][0], d, row + Q * c_stride),
    hn::Store(acc.v[I][Q][1], d, row + Q * c_stride + kGemmLanes)),
   ...);
}

template <size_t Q, int P>
HWY_INLINE void GemmLoadB(const float* HWY_RESTRICT b, GemmV (&out)[P][2]) {
  const GemmF d;
  // B comes from L2 or farther, in one stream a panel; fetched this far ahead it is there in time.
  constexpr size_t kAhead = 16 * kGemmPanel;
  out[Q][0] = hn::Load(d, b);
  out[Q][1] = hn::Load(d, b + kGemmLanes);
  if (kGemmFetches) {
    __builtin_prefetch(b + kAhead);
    __builtin_prefetch(b + kAhead + kGemmLanes);
  }
}

template <class Kind, size_t I, int M, int P, size_t... Q>
HWY_INLINE void GemmRow(std::index_sequence<Q...>, GemmAcc<M, P>& acc, GemmV a, const GemmV (&b)[P][2]) {
  ((acc.v[I][Q][0] = Kind::MulAdd(a, b[Q][0], acc.v[I][Q][0]),
    acc.v[I][Q][1] = Kind::MulAdd(a, b[Q][1], acc.v[I][Q][1])),
   ...);
}

/// One step of k. Rows are addressed from every third one (base, base + lda, base + 2·lda): a pointer for
/// each would not fit the general registers.
template <class Kind, int M, int P, size_t... I, size_t... Q>
HWY_INLINE void GemmStep(std::index_sequence<I...>, std::index_sequence<Q...> panels, GemmAcc<M, P>& acc,
                         const float* const (&base)[(M + 2) / 3], size_t lda, const float* HWY_RESTRICT b,
                         size_t b_stride, size_t k) {
  const GemmF d;
  GemmV bv[P][2];
  (GemmLoadB<Q, P>(b + Q * b_stride + k * kGemmPanel, bv), ...);
  (GemmRow<Kind, I, M, P>(panels, acc, hn::Set(d, base[I / 3][(I % 3) * lda + k]), bv), ...);
}

HWY_INLINE void GemmAdvance(const float*& pointer, size_t steps) {
  pointer += steps;
  // Keeps the compiler from turning the bases back into one pointer a row.
  asm volatile("" : "+r"(pointer));
}

template <class Kind, int M, int P, size_t... I, size_t... G>
HWY_INLINE void GemmLoop(std::index_sequence<I...> rows, std::index_sequence<G...>, const float* a,
                         size_t lda, const float* HWY_RESTRICT b, size_t b_stride, size_t k,
                         const char* ahead, const float* from, float* c, size_t c_stride) {
  const std::make_index_sequence<P> panels{};
  GemmAcc<M, P> acc;
  (GemmInit<I, M, P>(panels, acc, from, c_stride), ...);
  const float* base[sizeof...(G)] = {a + 3 * G * lda...};
  for (; k >= 4; k -= 4) {
    GemmStep<Kind, M, P>(rows, panels, acc, base, lda, b, b_stride, 0);
    GemmStep<Kind, M, P>(rows, panels, acc, base, lda, b, b_stride, 1);
    GemmStep<Kind, M, P>(rows, panels, acc, base, lda, b, b_stride, 2);
    GemmStep<Kind, M, P>(rows, panels, acc, base, lda, b, b_stride, 3);
    if (kGemmFetches) {
      __builtin_prefetch(ahead, 0, 2);
      __builtin_prefetch(ahead + 64, 0, 2);
      __builtin_prefetch(ahead + 128, 0, 2);
      __builtin_prefetch(ahead + 192, 0, 2);
      ahead += 4 * kGemmAhead;
    }
    b += 4 * kGemmPanel;
    (GemmAdvance(base[G], 4), ...);
  }
  for (; k > 0; --k) {
    GemmStep<Kind, M, P>(rows, panels, acc, base, lda, b, b_stride, 0);
    b += kGemmPanel;
    (GemmAdvance(base[G], 1), ...);
  }
  (GemmStore<I, M, P>(panels, acc, c, c_stride), ...);
}

/// c[p][i][:] = (first ? 0 : c[p][i][:]) + a[i, 0..k)·b[p] for M rows and P panels. Every element is one
/// chain of multiply-adds in the order of k, whatever M, P and the blocking of k are. a: row stride lda. b:
/// panels of [k][kGemmPanel], b_stride apart. c: blocks of [M][kGemmPanel], c_stride apart.
/// ahead: k·kGemmAhead bytes that a later tile will need, fetched on the way if kGemmFetches.
template <class Kind, int M, int P>
HWY_NOINLINE void GemmTile(const float* a, size_t lda, const float* b, size_t b_stride, size_t k,
                           const void* ahead, bool first, float* c, size_t c_stride) {
  using Rows = std::make_index_sequence<M>;
  using Bases = std::make_index_sequence<(M + 2) / 3>;
  if (first) {
    GemmLoop<Kind, M, P>(Rows{}, Bases{}, a, lda, b, b_stride, k, static_cast<const char*>(ahead), nullptr, c,
                         c_stride);
  } else {
    GemmLoop<Kind, M, P>(Rows{}, Bases{}, a, lda, b, b_stride, k, static_cast<const char*>(ahead), c, c,
                         c_stride);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#endif
