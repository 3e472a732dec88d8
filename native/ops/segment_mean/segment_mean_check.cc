#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/segment_mean/segment_mean.h"

namespace sns {
namespace {

/// Runs one case over so many rows; false if something around its scratch was touched.
using Kernel = std::function<bool(const SegmentMeanArgs& args, int64_t rows)>;

Parity random_case(uint64_t seed, const Kernel& kernel) {
  Random r(seed);
  SegmentMeanArgs a;
  const int64_t dims[] = {1, 15, 16, 17, 64, 128, 129, 768};
  a.dim = r.coin() ? dims[r.integer(0, 7)] : r.integer(1, 500);
  const int64_t rows = r.integer(0, 3) == 0 ? r.integer(0, 3000) : r.integer(0, 200);
  a.ldx = a.dim + (r.coin() ? 0 : r.integer(1, 20));
  a.ldy = a.dim + (r.coin() ? 0 : r.integer(1, 20));
  a.segment_count = r.integer(0, 9);
  std::vector<Segment> segments(static_cast<size_t>(a.segment_count));
  for (Segment& s : segments) {  // they may overlap, be empty, or leave rows out
    s.first = r.integer(0, rows);
    s.count = r.integer(0, rows - s.first);
  }
  a.segments = segments.data();
  // An offset, so that the means are not what cancellation leaves of them.
  const double offset = 1 + r.normal();
  Guarded<float> x(rows == 0 ? 0 : (rows - 1) * a.ldx + a.dim);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < a.dim; ++c) x[i * a.ldx + c] = static_cast<float>(offset + r.normal());
  }
  a.x = x.data();
  Guarded<float> y(a.segment_count == 0 ? 0 : (a.segment_count - 1) * a.ldy + a.dim);
  a.y = y.data();
  const bool scratch_ok = kernel(a, rows);
  std::vector<double> ref(static_cast<size_t>(a.segment_count * a.dim));
  segment_mean_ref(a, ref.data());

  Parity p;
  p.shape = "rows " + std::to_string(rows) + ", dim " + std::to_string(a.dim) + ", segments " +
            std::to_string(a.segment_count);
  p.measure = "NMSE";
  p.error = nmse(y.data(), a.ldy, ref.data(), a.segment_count, a.dim);
  p.limit = kSegmentMeanNmse;
  p.guards_ok = y.rows_intact(a.segment_count, a.dim, a.ldy) && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  return random_case(seed, [&](const SegmentMeanArgs& args, int64_t) {
    segment_mean_cpu(args, parallel);
    return true;
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return random_case(seed, [&](SegmentMeanArgs a, int64_t rows) {
    CudaCase c(device);
    a.y = c.out(a.y, a.segment_count, a.dim, a.ldy);
    a.x = c.in(a.x, rows, a.dim, a.ldx);
    a.segments = c.in(a.segments, a.segment_count);
    c.check(c.ops().segment_mean(a, c.stream()), "segment_mean");
    return c.done();
  });
}

struct Bench {
  SegmentMeanArgs args;
  std::vector<Segment> segments;
  AlignedArray<float> x, y;
};

Work work(int64_t rows, int64_t dim, int64_t segments) {
  auto b = std::make_shared<Bench>();
  b->x = AlignedArray<float>(rows * dim);
  b->y = AlignedArray<float>(segments * dim);
  Random r(1);
  for (float& v : b->x) v = static_cast<float>(2 * r.uniform() - 1);
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t first = s * rows / segments;
    b->segments.push_back({first, (s + 1) * rows / segments - first});
  }
  SegmentMeanArgs& a = b->args;
  a.x = b->x.data();
  a.dim = a.ldx = a.ldy = dim;
  a.segments = b->segments.data();
  a.segment_count = segments;
  a.y = b->y.data();
  Work w;
  w.shape = "rows " + std::to_string(rows) + ", dim " + std::to_string(dim) + ", segments " +
            std::to_string(segments);
  w.flops = static_cast<double>(rows * dim);
  w.bytes = 4.0 * static_cast<double>((rows + segments) * dim);
  w.run = [b](Parallel& parallel) { segment_mean_cpu(b->args, parallel); };
  return w;
}

std::vector<Work> works() { return {work(197, 768, 1), work(4096, 768, 64), work(16384, 768, 1)}; }

}  // namespace

OpCheck segment_mean_check() { return {"segment_mean", parity, works, cuda_parity}; }

}  // namespace sns
