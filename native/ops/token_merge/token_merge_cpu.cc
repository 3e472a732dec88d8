#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/token_merge/token_merge.h"
#include "ops/vector_quantize/nearest.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/token_merge/token_merge_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// y = weight·x, or y += weight·x.
void AddWeighted(const float* x, float weight, int64_t dim, bool first, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto w = hn::Set(d, weight);
  int64_t i = 0;
  if (first) {
    for (; i + lanes <= dim; i += lanes) hn::StoreU(hn::Mul(w, hn::LoadU(d, x + i)), d, y + i);
    for (; i < dim; ++i) y[i] = weight * x[i];
  } else {
    for (; i + lanes <= dim; i += lanes) {
      hn::StoreU(hn::MulAdd(w, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i);
    }
    for (; i < dim; ++i) y[i] += weight * x[i];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/dispatch.h"

namespace sns {
namespace {

struct Scratch {
  NearestCodes codes;  // the B rows
  int64_t* target;     // [a] index among the B rows that may be merged into
  double* similarity;  // [a]
  int32_t* order;      // [a]
  int32_t* next;       // [a] chain of the A rows merged into one B row, ascending; -1 ends
  int32_t* head;       // [b]
  int32_t* source;     // [rows − merge] the input row that gives an output row its place
  std::byte* search;   // of nearest_scratch bytes
  size_t bytes;
};

// Rows 2·first_a, 2·first_a + 2, … may be merged; rows 2·first_b + 1, … may be merged into.
int64_t first_a(const TokenMergeArgs& args) { return (args.protect + 1) / 2; }
int64_t first_b(const TokenMergeArgs& args) { return args.protect / 2; }

Scratch lay_out(const TokenMergeArgs& args, int threads, void* base) {
  const int64_t a_rows = (args.rows + 1) / 2, b_rows = args.rows / 2;
  Carver c(base);
  Scratch s{};
  s.target = c.take<int64_t>(a_rows);
  s.similarity = c.take<double>(a_rows);
  s.order = c.take<int32_t>(a_rows);
  s.next = c.take<int32_t>(a_rows);
  s.head = c.take<int32_t>(b_rows);
  s.source = c.take<int32_t>(args.rows - args.merge);
  if (args.merge > 0) {
    s.codes.size = b_rows - first_b(args);
    s.codes.dim = args.metric_dim;
    s.codes.nearness = Nearness::kDot;
    s.codes.normalise = true;
    s.codes.codes = args.metric + (2 * first_b(args) + 1) * args.ld_metric;
    s.codes.ld = 2 * args.ld_metric;
    lay_out_codes(s.codes, c);
    s.search = c.take<std::byte>(static_cast<int64_t>(nearest_scratch(s.codes, threads)));
  }
  s.bytes = c.bytes();
  return s;
}

void match(const TokenMergeArgs& args, Scratch& s, Parallel& parallel) {
  const int64_t a0 = first_a(args), a_rows = (args.rows + 1) / 2;
  pack_codes(s.codes, parallel);
  NearestArgs nearest;
  nearest.x = args.metric + 2 * a0 * args.ld_metric;
  nearest.rows = a_rows - a0;
  nearest.ldx = 2 * args.ld_metric;
  nearest.ids = s.target + a0;
  nearest.value = s.similarity + a0;
  find_nearest(s.codes, nearest, s.search, parallel);
  for (int64_t a = a0; a < a_rows; ++a) {
    s.order[a] = static_cast<int32_t>(a);
    // A similarity that is not a number would leave the order undefined.
    if (std::isnan(s.similarity[a])) s.similarity[a] = -std::numeric_limits<double>::infinity();
  }
  const auto before = [&](int32_t p, int32_t q) {
    return s.similarity[p] != s.similarity[q] ? s.similarity[p] > s.similarity[q] : p < q;
  };
  std::nth_element(s.order + a0, s.order + a0 + args.merge - 1, s.order + a_rows, before);
  // Descending, so that pushing to the front of a chain leaves it ascending.
  std::sort(s.order + a0, s.order + a0 + args.merge, [](int32_t p, int32_t q) { return p > q; });
}

}  // namespace

size_t token_merge_scratch(const TokenMergeArgs& args, int threads) {
  return lay_out(args, threads, nullptr).bytes;
}

void token_merge_cpu(const TokenMergeArgs& args, void* scratch, Parallel& parallel) {
  const int64_t a_rows = (args.rows + 1) / 2, b_rows = args.rows / 2, kept = a_rows - args.merge;
  Scratch s = lay_out(args, parallel.threads(), scratch);
  constexpr int32_t kKept = -2;
  std::fill(s.next, s.next + a_rows, kKept);
  std::fill(s.head, s.head + b_rows, -1);
  if (args.merge > 0) {
    match(args, s, parallel);
    for (int64_t i = 0; i < args.merge; ++i) {
      const int32_t a = s.order[first_a(args) + i];
      int32_t& head = s.head[first_b(args) + s.target[a]];
      s.next[a] = head;
      head = a;
    }
  }
  int64_t out = 0;
  for (int64_t a = 0; a < a_rows; ++a) {
    const bool stays = s.next[a] == kKept;
    if (args.y_index) {
      args.y_index[2 * a] = static_cast<int32_t>(stays ? out : kept + first_b(args) + s.target[a]);
    }
    if (stays) s.source[out++] = static_cast<int32_t>(2 * a);
  }
  for (int64_t b = 0; b < b_rows; ++b) {
    if (args.y_index) args.y_index[2 * b + 1] = static_cast<int32_t>(out);
    s.source[out++] = static_cast<int32_t>(2 * b + 1);
  }

  const auto add = SNS_DISPATCH(AddWeighted);
  const auto size = [&](int64_t row) { return args.size ? static_cast<double>(args.size[row]) : 1.0; };
  constexpr int64_t kChunk = 16;
  parallel_for(parallel, ceil_div(out, kChunk), [&](int64_t t, int) {
    for (int64_t r = t * kChunk; r < std::min(out, (t + 1) * kChunk); ++r) {
      const int64_t row = s.source[r];
      const int32_t first = row % 2 ? s.head[row / 2] : -1;
      double total = size(row);
      for (int32_t a = first; a >= 0; a = s.next[a]) total += size(2 * static_cast<int64_t>(a));
      args.y_size[r] = static_cast<float>(total);
      float* y = args.y + r * args.ldy;
      if (first < 0) {
        std::memcpy(y, args.x + row * args.ldx, static_cast<size_t>(args.dim) * sizeof(float));
        continue;
      }
      add(args.x + row * args.ldx, static_cast<float>(size(row) / total), args.dim, true, y);
      for (int32_t a = first; a >= 0; a = s.next[a]) {
        const int64_t from = 2 * static_cast<int64_t>(a);
        add(args.x + from * args.ldx, static_cast<float>(size(from) / total), args.dim, false, y);
      }
    }
  });
}

}  // namespace sns
#endif
