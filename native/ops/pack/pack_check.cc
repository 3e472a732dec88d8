#include <cmath>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/pack/pack.h"

namespace sns {
namespace {

/// Runs one case; false if something around its scratch was touched.
using Kernel = std::function<bool(const PackArgs& args)>;

Parity random_case(uint64_t seed, const Kernel& kernel) {
  Random r(seed);
  PackArgs a;
  a.dim = r.coin() ? r.integer(1, 40) : r.integer(1, 900);
  a.ldy = a.dim + (r.coin() ? 0 : r.integer(1, 20));
  a.segment_count = r.integer(0, 12);
  std::vector<PackSegment> segments(static_cast<size_t>(a.segment_count));
  int64_t total = 0;
  for (PackSegment& s : segments) {
    s.count = r.coin() ? r.integer(0, 2) : r.integer(0, 60);
    total += s.count;
  }
  const int64_t size = total == 0 ? 0 : (total - 1) * a.ldy + a.dim;
  Guarded<float> y(size);
  std::vector<std::vector<float>> kept;  // moving a vector leaves its elements where they are
  const auto make = [&](int64_t count) {
    kept.emplace_back(static_cast<size_t>(count));
    r.fill_normal(kept.back().begin(), kept.back().end());
    return kept.back().data();
  };
  std::vector<double> ref;
  int64_t first = 0, in_place = 0;
  for (PackSegment& s : segments) {
    if (s.count > 0 && r.integer(0, 2) == 0) {
      ++in_place;
      s.rows = y.data() + first * a.ldy;
      s.ld = a.ldy;
      for (int64_t i = 0; i < s.count; ++i) {
        r.fill_normal(y.data() + (first + i) * a.ldy, y.data() + (first + i) * a.ldy + a.dim);
      }
    } else {
      s.ld = a.dim + r.integer(0, 5);
      s.rows = make(s.count == 0 ? 0 : (s.count - 1) * s.ld + a.dim);
    }
    s.modality = r.coin() ? make(a.dim) : nullptr;
    s.position = r.coin() ? make(s.count * a.dim) : nullptr;
    first += s.count;
  }
  a.segments = segments.data();
  a.y = y.data();
  const bool scattered = r.integer(0, 3) == 0;  // segment s lies where it would lie anyway
  if (scattered) {
    first = 0;
    for (PackSegment& s : segments) {
      s.y = y.data() + first * a.ldy;
      first += s.count;
    }
    a.y = nullptr;
  }
  ref.resize(static_cast<size_t>(total * a.dim));
  pack_ref(a, ref.data());  // before the rows in place are overwritten
  const bool scratch_ok = kernel(a);

  Parity p;
  p.shape = "segments " + std::to_string(a.segment_count) + " (" + std::to_string(in_place) + " in place" +
            (scattered ? ", scattered" : "") + "), rows " + std::to_string(total) + ", dim " +
            std::to_string(a.dim);
  p.measure = "NMSE";
  p.error = nmse(y.data(), a.ldy, ref.data(), total, a.dim);
  p.limit = 1e-14;  // two roundings to 24 bits: (2^-24)²·2/3 each at worst
  p.guards_ok = y.rows_intact(total, a.dim, a.ldy) && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  return random_case(seed, [&](const PackArgs& args) {
    pack_cpu(args, parallel);
    return true;
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  const bool bounded = Random(~seed).integer(0, 9) > 0;  // mostly: the others start many idle blocks
  return random_case(seed, [&](PackArgs a) {
    CudaCase c(device);
    std::vector<PackSegment> segments(a.segments, a.segments + a.segment_count);
    int64_t total = 0;
    for (const PackSegment& s : segments) {
      total += s.count;
      if (bounded) a.max_count = std::max(a.max_count, s.count);
    }
    const bool scattered = !a.y && a.segment_count > 0;
    float* const host = scattered ? segments[0].y : a.y;
    float* const y = c.out(host, total, a.dim, a.ldy);
    a.y = scattered ? nullptr : y;
    for (PackSegment& s : segments) {
      if (s.y) s.y = y + (s.y - host);
      s.rows = c.in(s.rows, s.count, a.dim, s.ld);
      s.modality = c.in(s.modality, a.dim);
      s.position = c.in(s.position, s.count * a.dim);
    }
    a.segments = c.in(segments.data(), a.segment_count);
    c.check(c.ops().pack(a, c.stream()), "pack");
    return c.done();
  });
}

struct Bench {
  PackArgs args;
  std::vector<PackSegment> segments;
  AlignedArray<float> rows, position, modality, y;
};

// `segments` runs of `count` rows, each between a begin and an end token.
Work work(const char* name, int64_t segments, int64_t count, int64_t dim) {
  auto b = std::make_shared<Bench>();
  const int64_t total = segments * (count + 2);
  b->rows = AlignedArray<float>(total * dim);
  b->position = AlignedArray<float>(count * dim);
  b->modality = AlignedArray<float>(dim);
  b->y = AlignedArray<float>(total * dim);
  for (auto* m : {&b->rows, &b->position, &b->modality, &b->y}) {
    for (int64_t i = 0; i < m->size(); ++i) (*m)[i] = static_cast<float>(i & 255);
  }
  for (int64_t s = 0; s < segments; ++s) {
    const float* rows = b->rows.data() + s * (count + 2) * dim;
    b->segments.push_back({rows, dim, 1, nullptr, nullptr});
    b->segments.push_back({rows + dim, dim, count, b->modality.data(), b->position.data()});
    b->segments.push_back({rows + (count + 1) * dim, dim, 1, nullptr, nullptr});
  }
  b->args = {b->segments.data(), static_cast<int64_t>(b->segments.size()), dim, b->y.data(), dim};
  Work w;
  w.shape = std::string(name) + ": " + std::to_string(segments) + " × " + std::to_string(count) +
            " rows, dim " + std::to_string(dim);
  w.bytes = 4.0 * static_cast<double>((2 * total + count + 1) * dim);
  w.run = [b](Parallel& parallel) { pack_cpu(b->args, parallel); };
  return w;
}

std::vector<Work> works() {
  return {work("one picture", 1, 196, 768), work("many short items", 256, 14, 768),
          work("long", 4, 4096, 768)};
}

}  // namespace

OpCheck pack_check() { return {"pack", parity, works, cuda_parity}; }

}  // namespace sns
