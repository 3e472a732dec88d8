#include <cstdio>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/resample/resample.h"

namespace sns {
namespace {

/// x [n] → y; false if something around its scratch was touched.
using Kernel = std::function<bool(const ResampleFilter& filter, const float* x, int64_t n, float* y)>;

Parity random_case(uint64_t seed, const Kernel& kernel) {
  constexpr int64_t kRates[] = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000};
  Random random(seed);
  auto rate = [&]() -> int64_t {
    return random.integer(0, 2) ? kRates[random.integer(0, 10)] : random.integer(1, 3000);
  };
  const int64_t orig = rate(), target = rate();
  const ResampleFilter filter(orig, target);
  // The oracle sums over 2·half_width + orig terms for each output.
  const double cost = static_cast<double>(2 * filter.half_width() + filter.orig()) *
                      static_cast<double>(filter.target()) / static_cast<double>(filter.orig());
  const int64_t most = std::max<int64_t>(3, std::min<int64_t>(40000, static_cast<int64_t>(3e5 / cost)));
  const int64_t n = random.integer(0, 9) ? random.integer(1, most) : random.integer(0, 3);
  Guarded<float> x(n), y(filter.output_length(n));
  if (n < 64 || y.size() < 64) {
    // All of one sign: a few outputs that happen to cancel to nothing would measure the oracle's luck, and of
    // noise through a narrow filter any single output may.
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(0.5 + 0.4 * random.uniform());
  } else if (random.coin()) {
    random.fill_normal(x.data(), x.data() + n, 0.1);
  } else {
    // In the pass band: what the filter stops would leave an output of rounding alone.
    const double turn =
        0.8 * random.uniform() * M_PI *
        std::min(1.0, static_cast<double>(filter.target()) / static_cast<double>(filter.orig()));
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(std::cos(turn * static_cast<double>(i)));
  }
  const bool scratch_ok = kernel(filter, x.data(), n, y.data());
  std::vector<double> want(static_cast<size_t>(y.size()));
  resample_ref(orig, target, x.data(), n, want.data());
  Parity p;
  char text[160];
  std::snprintf(text, sizeof(text), "%lld -> %lld Hz, %lld samples, %lld taps", static_cast<long long>(orig),
                static_cast<long long>(target), static_cast<long long>(n),
                static_cast<long long>(filter.taps_per_phase()));
  p.shape = text;
  p.measure = "NMSE";
  p.error = nmse(y.data(), y.size(), want.data(), 1, y.size());
  p.limit = kResampleNmse;
  p.guards_ok = x.intact() && y.intact() && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  return random_case(seed, [&](const ResampleFilter& filter, const float* x, int64_t n, float* y) {
    resample_cpu(filter, x, n, y, parallel);
    return true;
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return random_case(seed, [&](const ResampleFilter& filter, const float* x, int64_t n, float* y) {
    CudaCase c(device);
    const auto packed = c.packed(resample_cuda_bytes(filter), [&](void* host, void* on_device) {
      return pack_resample_cuda(filter, host, on_device);
    });
    const int64_t length = filter.output_length(n);
    c.check(c.ops().resample(packed, {c.in(x, n), 0, n, c.out(y, length), 0, length}, c.stream()),
            "resample");
    return c.done();
  });
}

struct Bench {
  ResampleFilter filter;
  std::vector<float> x, y;
};

Work work(int64_t orig, int64_t target, int64_t seconds) {
  auto bench = std::make_shared<Bench>();
  bench->filter = ResampleFilter(orig, target);
  bench->x.resize(static_cast<size_t>(orig * seconds));
  Random random(1);
  random.fill_normal(bench->x.begin(), bench->x.end(), 0.1);
  bench->y.resize(static_cast<size_t>(bench->filter.output_length(orig * seconds)));
  Work w;
  char text[64];
  std::snprintf(text, sizeof(text), "%lld -> %lld Hz, %lld s", static_cast<long long>(orig),
                static_cast<long long>(target), static_cast<long long>(seconds));
  w.shape = text;
  w.flops = 2.0 * static_cast<double>(bench->y.size()) * static_cast<double>(bench->filter.taps_per_phase());
  w.bytes = 4.0 * static_cast<double>(bench->x.size() + bench->y.size());
  w.run = [bench](Parallel& parallel) {
    resample_cpu(bench->filter, bench->x.data(), static_cast<int64_t>(bench->x.size()), bench->y.data(),
                 parallel);
  };
  return w;
}

std::vector<Work> works() {
  std::vector<Work> all;
  for (int64_t orig : {44100, 48000, 8000, 22050, 24000, 32000}) all.push_back(work(orig, 16000, 10));
  all.push_back(work(44100, 48000, 10));
  return all;
}

}  // namespace

OpCheck resample_check() { return {"resample", parity, works, cuda_parity}; }

}  // namespace sns
