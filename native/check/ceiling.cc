#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "check/ceiling.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/bf16-inl.h"
#include "check/check.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());

// Enough chains to hide the latency of two multipliers; with the two constants they fit 16 registers, and on
// SSE4, where MulAdd is a multiplication and an addition, so do its temporaries.
#if HWY_TARGET == HWY_SSE4
constexpr int kChains = 8;
#else
constexpr int kChains = 12;
#endif

// Returns the floating-point operations done. Registers only.
double Multiply(int64_t rounds, float* sink) {
  const Floats d;
  const Vec a = hn::Set(d, 0.999f), b = hn::Set(d, 0.001f);  // converges to 1: no denormals, no overflow
  Vec x[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) x[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) x[i] = hn::MulAdd(x[i], a, b);
  }
  Vec sum = x[0];
#pragma GCC unroll 12
  for (int i = 1; i < kChains; ++i) sum = hn::Add(sum, x[i]);
  hn::StoreU(sum, d, sink);
  return 2.0 * static_cast<double>(rounds) * kChains * static_cast<double>(kLanes);
}

// The same with products of bfloat16; 0 where there is no such instruction.
double MultiplyBf16(int64_t rounds, float* sink) {
#if SNS_HAVE_BF16
  const Floats d;
  const Vec a = hn::BitCast(d, hn::Set(hn::RebindToUnsigned<Floats>(), 0x3F803F80u));  // pairs of 1
  const Vec b = hn::BitCast(d, hn::Set(hn::RebindToUnsigned<Floats>(), 0xBF803F80u));  // 1 and −1
  Vec x[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) x[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) x[i] = Bf16Products::MulAdd(a, b, x[i]);
  }
  Vec sum = x[0];
#pragma GCC unroll 12
  for (int i = 1; i < kChains; ++i) sum = hn::Add(sum, x[i]);
  hn::StoreU(sum, d, sink);
  return 4.0 * static_cast<double>(rounds) * kChains * static_cast<double>(kLanes);
#else
  (void)rounds;
  (void)sink;
  return 0;
#endif
}

void Read(const float* from, int64_t count, float* sink) {
  const Floats d;
  Vec s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (int64_t i = 0; i < count; i += 4 * kLanes) {
    s0 = hn::Add(s0, hn::Load(d, from + i));
    s1 = hn::Add(s1, hn::Load(d, from + i + kLanes));
    s2 = hn::Add(s2, hn::Load(d, from + i + 2 * kLanes));
    s3 = hn::Add(s3, hn::Load(d, from + i + 3 * kLanes));
  }
  hn::StoreU(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, sink);
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <atomic>
#include <chrono>

#include "backend/cpu/dispatch.h"
#include "core/memory.h"

namespace sns {
namespace {

template <class F>
double seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Ceiling measure_ceiling(Parallel& parallel) {
  const auto read = SNS_DISPATCH(Read);
  constexpr int64_t kPieces = 64;  // per worker: small enough that all finish together
  constexpr int kRuns = 25;        // the best one counts; on a shared machine most are disturbed
  constexpr int64_t kWidest = 16;  // floats in the widest vector
  const int64_t pieces = kPieces * parallel.threads();
  std::atomic<float> kept{0};  // so that no result is unused
  Ceiling best;

  // 16 ms at one round in 12/2 cycles and some 4 GHz; slower machines take longer, which does no harm.
  constexpr int64_t kRounds = 10'000'000 / kPieces;
  const auto rate = [&](double (*kernel)(int64_t, float*)) {
    double most = 0;
    for (int run = 0; run < kRuns; ++run) {
      std::atomic<double> flops{0};
      const double time = seconds([&] {
        parallel_for(parallel, pieces, [&](int64_t, int) {
          float sink[kWidest];
          const double done = kernel(kRounds, sink);
          double seen = flops.load();
          while (!flops.compare_exchange_weak(seen, seen + done)) {
          }
          kept.store(sink[0], std::memory_order_relaxed);
        });
      });
      most = std::max(most, flops.load() / time / 1e9);
    }
    return most;
  };
  best.gflops = rate(SNS_DISPATCH(Multiply));
  if (has_avx512_bf16()) best.bf16_gflops = rate(SNS_DISPATCH(MultiplyBf16));

  constexpr int64_t kBytes = int64_t{256} << 20;  // well past any cache that one socket shares
  const int64_t count = round_up(kBytes / 4 / pieces, 1024);
  AlignedArray<float> buffer(count * pieces);
  parallel_for(parallel, pieces,
               [&](int64_t i, int) { std::fill_n(buffer.data() + i * count, count, 1.0f); });
  for (int run = 0; run < kRuns; ++run) {
    const double time = seconds([&] {
      parallel_for(parallel, pieces, [&](int64_t i, int) {
        float sink[kWidest];
        read(buffer.data() + i * count, count, sink);
        kept.store(sink[0], std::memory_order_relaxed);
      });
    });
    best.gbytes_per_s = std::max(best.gbytes_per_s, static_cast<double>(buffer.size()) * 4 / time / 1e9);
  }
  return best;
}

}  // namespace sns
#endif
