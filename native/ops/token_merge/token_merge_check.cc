#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/token_merge/token_merge_check.h"

namespace sns {

// No pair of similarities is too close for this check: the kernel settles matches by the oracle's own
// float64 sums, so that even exact ties must go the same way. Some cases are made of ties.
Parity token_merge_parity(uint64_t seed, const TokenMergeKernel& kernel) {
  Random random(seed);
  TokenMergeArgs args;
  args.rows = random.integer(0, random.coin() ? 9 : 400);
  args.dim = random.integer(0, 80);
  args.ldx = args.dim + random.integer(0, 9);
  args.metric_dim = random.integer(1, random.coin() ? 20 : 130);
  args.ld_metric = args.metric_dim + random.integer(0, 9);
  args.protect = random.integer(0, std::min<int64_t>(args.rows, random.coin() ? 2 : 20));
  args.merge = random.integer(0, (args.rows - args.protect) / 2);
  args.ldy = args.dim + random.integer(0, 9);
  const int64_t out = args.rows - args.merge;
  Guarded<float> x(args.rows * args.ldx), metric(args.rows * args.ld_metric), size(args.rows);
  Guarded<float> y(out * args.ldy), y_size(out);
  Guarded<int32_t> y_index(args.rows);
  const bool ties = random.coin(), sizes = random.coin(), index = random.coin();
  for (int64_t r = 0; r < args.rows; ++r) {
    random.fill_normal(x.data() + r * args.ldx, x.data() + r * args.ldx + args.dim);
    float* m = metric.data() + r * args.ld_metric;
    random.fill_normal(m, m + args.metric_dim);
    if (ties) {
      const int64_t kind = random.integer(0, 3);
      const float* other = metric.data() + random.integer(0, r) * args.ld_metric;
      if (kind == 0) std::copy(other, other + args.metric_dim, m);
      for (int64_t i = 0; i < args.metric_dim; ++i) {
        if (kind == 1) m[i] = std::round(m[i]);
        if (kind == 2) m[i] = 0;
      }
    }
    size[r] = static_cast<float>(0.5 + 3 * random.uniform());
  }
  args.x = x.data();
  args.metric = metric.data();
  args.size = sizes ? size.data() : nullptr;
  args.y = y.data();
  args.y_size = y_size.data();
  args.y_index = index ? y_index.data() : nullptr;
  const bool scratch_ok = kernel(args);

  std::vector<double> expected(static_cast<size_t>(out * args.dim)), expected_size(static_cast<size_t>(out));
  std::vector<int32_t> expected_index(static_cast<size_t>(args.rows));
  token_merge_ref(args, expected.data(), expected_size.data(), expected_index.data());
  Parity p;
  p.shape = "rows " + std::to_string(args.rows) + ", dim " + std::to_string(args.dim) + ", merge " +
            std::to_string(args.merge) + ", protect " + std::to_string(args.protect) + ", metric " +
            std::to_string(args.metric_dim) + (ties ? ", ties" : "") + (sizes ? ", sizes" : "");
  p.measure = "NMSE";
  p.limit = kTokenMergeNmse;
  p.error = std::max(nmse(y.data(), args.ldy, expected.data(), out, args.dim),
                     nmse(y_size.data(), 1, expected_size.data(), out, 1));
  if (index && !std::equal(expected_index.begin(), expected_index.end(), y_index.data())) {
    p.error = std::numeric_limits<double>::infinity();
  }
  p.guards_ok = y.intact() && y_size.intact() && y_index.intact() && scratch_ok;
  return p;
}

namespace {

Parity parity(uint64_t seed, Parallel& parallel) {
  return token_merge_parity(seed, [&](const TokenMergeArgs& args) {
    Guarded<unsigned char> scratch(static_cast<int64_t>(token_merge_scratch(args, parallel.threads())));
    token_merge_cpu(args, scratch.data(), parallel);
    return scratch.intact();
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return token_merge_parity(seed, [&](TokenMergeArgs a) {
    CudaCase c(device);
    const int64_t out = a.rows - a.merge;
    a.y = c.out(a.y, out, a.dim, a.ldy);
    a.y_size = c.out(a.y_size, out);
    a.y_index = c.out(a.y_index, a.rows);
    a.x = c.in(a.x, a.rows, a.dim, a.ldx);
    a.metric = c.in(a.metric, a.rows, a.metric_dim, a.ld_metric);
    a.size = c.in(a.size, a.rows);
    const TokenMergeCudaRound round = token_merge_cuda_round(a);
    const int64_t more = seed % 2 == 0 ? 0 : 150;  // launches for the most that there may be
    void* workspace = c.workspace(c.ops().token_merge_workspace(a.rows + more, a.metric_dim));
    c.check(
        c.ops().token_merge(c.in(&round, 1), a.rows + more, out + more, a.metric_dim, workspace, c.stream()),
        "token_merge");
    return c.done();
  });
}

struct Problem {
  AlignedArray<float> x, metric, y, y_size;
  AlignedArray<std::byte> scratch;
  TokenMergeArgs args;
  int threads = 0;
};

std::vector<Work> works() {
  constexpr int64_t kRows = 4096, kDim = 768, kMetric = 64, kMerge = 2048;
  auto p = std::make_shared<Problem>();
  Random random(1);
  p->x = AlignedArray<float>(kRows * kDim);
  p->metric = AlignedArray<float>(kRows * kMetric);
  p->y = AlignedArray<float>((kRows - kMerge) * kDim);
  p->y_size = AlignedArray<float>(kRows - kMerge);
  random.fill_normal(p->x.begin(), p->x.end());
  random.fill_normal(p->metric.begin(), p->metric.end());
  TokenMergeArgs& a = p->args;
  a.x = p->x.data();
  a.rows = kRows;
  a.dim = a.ldx = a.ldy = kDim;
  a.metric = p->metric.data();
  a.metric_dim = a.ld_metric = kMetric;
  a.merge = kMerge;
  a.y = p->y.data();
  a.y_size = p->y_size.data();
  Work w;
  w.shape = "4096×768, metric 64, merge 2048";
  w.flops = 2.0 * kRows / 2 * kRows / 2 * kMetric + 2.0 * kRows * kDim;
  w.bytes = 4.0 * (kRows * (kDim + kMetric) + (kRows - kMerge) * kDim);
  w.run = [p](Parallel& parallel) {
    if (p->threads < parallel.threads()) {  // the first run on a wider pool
      p->threads = parallel.threads();
      p->scratch = AlignedArray<std::byte>(static_cast<int64_t>(token_merge_scratch(p->args, p->threads)));
    }
    token_merge_cpu(p->args, p->scratch.data(), parallel);
  };
  return {w};
}

}  // namespace

OpCheck token_merge_check() { return {"token_merge", parity, works, cuda_parity}; }

}  // namespace sns
