#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/top_k/top_k.h"
#include "ops/top_k/top_k_screen.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/top_k/top_k_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef SNS_TOP_K_SHARED
#define SNS_TOP_K_SHARED
namespace sns {

constexpr int64_t kQueries = 4;      // of one register tile
constexpr int64_t kQueryBlock = 64;  // that share one pass over the vectors
constexpr int64_t kTaskBytes =
    1 << 19;  // vectors of one task: they stay in L2 while the queries pass over them

/// A neighbour found so far, by its float64 score.
struct Neighbour {
  double score;
  int64_t id;
};

/// Whether a comes behind b.
inline bool worse(const Neighbour& a, const Neighbour& b) {
  return a.score < b.score || (a.score == b.score && a.id > b.id);
}

/// The k best of one query that one worker has seen: a heap with the worst on top.
struct Nearest {
  Neighbour* heap;
  int64_t size;
  float threshold;  // float32 scores below it cannot be among the k
  double error;     // bound on |float32 − float64| of a score
};

inline void insert(Nearest& nearest, int64_t k, const Neighbour& candidate) {
  const auto behind = [](const Neighbour& a, const Neighbour& b) { return worse(b, a); };
  if (nearest.size == k) {
    if (!worse(nearest.heap[0], candidate)) return;
    std::pop_heap(nearest.heap, nearest.heap + k, behind);
    nearest.heap[k - 1] = candidate;
  } else {
    nearest.heap[nearest.size++] = candidate;
  }
  std::push_heap(nearest.heap, nearest.heap + nearest.size, behind);
  if (nearest.size == k) {
    nearest.threshold = score_threshold(nearest.heap[0].score, nearest.error);
  }
}

/// The oracle's own sum.
inline double exact_score(const float* query, const float* group, int64_t lane, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) {
    sum += static_cast<double>(query[i]) * group[i * TopKVectors::kLanes + lane];
  }
  return sum;
}

}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, TopKVectors::kLanes>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kWidth = hn::MaxLanes(Floats());
constexpr int64_t kParts = TopKVectors::kLanes / kWidth;  // registers of one group

/// Scores of `kQueries` queries (stride ldq) with one group: out [kQueries, kLanes].
HWY_INLINE void Tile(const float* HWY_RESTRICT queries, int64_t ldq, const float* HWY_RESTRICT group,
                     int64_t dim, float* HWY_RESTRICT out) {
  const Floats d;
  for (int64_t part = 0; part < kParts; ++part) {
    const float* v = group + part * kWidth;
    Vec s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t i = 0; i < dim; ++i, v += TopKVectors::kLanes) {
      const Vec x = hn::Load(d, v);
      s0 = hn::MulAdd(hn::Set(d, queries[i]), x, s0);
      s1 = hn::MulAdd(hn::Set(d, queries[ldq + i]), x, s1);
      s2 = hn::MulAdd(hn::Set(d, queries[2 * ldq + i]), x, s2);
      s3 = hn::MulAdd(hn::Set(d, queries[3 * ldq + i]), x, s3);
    }
    hn::Store(s0, d, out + part * kWidth);
    hn::Store(s1, d, out + TopKVectors::kLanes + part * kWidth);
    hn::Store(s2, d, out + 2 * TopKVectors::kLanes + part * kWidth);
    hn::Store(s3, d, out + 3 * TopKVectors::kLanes + part * kWidth);
  }
}

/// Groups [begin, end) against queries [n, dim]; a last tile of fewer queries repeats the last one.
void Search(const TopKVectors& vectors, const float* queries, int64_t n, int64_t k, int64_t begin,
            int64_t end, Nearest* nearest) {
  const int64_t dim = vectors.dim();
  HWY_ALIGN float scores[kQueries * TopKVectors::kLanes];
  for (int64_t g = begin; g < end; ++g) {
    const float* group = vectors.group(g);
    const int64_t lanes = HWY_MIN(TopKVectors::kLanes, vectors.count() - g * TopKVectors::kLanes);
    for (int64_t q = 0; q < n; q += kQueries) {
      const int64_t rows = HWY_MIN(kQueries, n - q);
      if (rows == kQueries) {
        Tile(queries + q * dim, dim, group, dim, scores);
      } else {
        for (int64_t r = 0; r < rows; ++r) {
          Tile(queries + (q + r) * dim, 0, group, dim, scores);
          for (int64_t lane = 0; lane < lanes; ++lane) {
            if (!(scores[lane] < nearest[q + r].threshold)) {
              const int64_t id = g * TopKVectors::kLanes + lane;
              insert(nearest[q + r], k, {exact_score(queries + (q + r) * dim, group, lane, dim), id});
            }
          }
        }
        continue;
      }
      for (int64_t r = 0; r < rows; ++r) {
        Nearest& best = nearest[q + r];
        const float* row = scores + r * TopKVectors::kLanes;
        for (int64_t lane = 0; lane < lanes; ++lane) {
          // Not '>=': what overflowed to NaN is not lost.
          if (HWY_UNLIKELY(!(row[lane] < best.threshold))) {
            const int64_t id = g * TopKVectors::kLanes + lane;
            insert(best, k, {exact_score(queries + (q + r) * dim, group, lane, dim), id});
          }
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/dispatch.h"
#include "core/checked.h"

namespace sns {
namespace {

/// Of each worker and query of a block: a heap.
struct Scratch {
  Nearest* nearest;  // [threads, kQueryBlock]
  Neighbour* heaps;  // [threads, kQueryBlock, k]
};

Scratch lay_out(Carver& carver, int64_t k, int threads) {
  const int64_t rows = checked_mul(threads, kQueryBlock, "threads");
  Scratch s;
  s.nearest = carver.take<Nearest>(rows);
  s.heaps = carver.take<Neighbour>(checked_mul(rows, k, "k"));
  return s;
}

double length(const float* x, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum);
}

}  // namespace

TopKVectors::TopKVectors(const float* vectors, int64_t count, int64_t dim)
    : count_(count),
      dim_(dim),
      groups_(ceil_div(count, kLanes)),
      packed_(checked_mul(checked_mul(groups_, kLanes, "count"), dim, "dim")) {
  for (int64_t g = 0; g < groups_; ++g) {
    float* out = packed_.data() + g * dim * kLanes;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t v = g * kLanes + lane;
      for (int64_t i = 0; i < dim; ++i) out[i * kLanes + lane] = v < count ? vectors[v * dim + i] : 0.0f;
    }
  }
  for (int64_t v = 0; v < count; ++v) longest_ = std::max(longest_, length(vectors + v * dim, dim));
}

size_t top_k_scratch(const TopKVectors&, const TopKArgs& args, int threads) {
  Carver carver(nullptr);
  lay_out(carver, args.k, threads);
  return carver.bytes();
}

void top_k_cpu(const TopKVectors& vectors, const TopKArgs& a, void* scratch, Parallel& parallel) {
  const auto kernel = SNS_DISPATCH(Search);
  const int threads = parallel.threads();
  Carver carver(scratch);
  const Scratch s = lay_out(carver, a.k, threads);
  const int64_t dim = vectors.dim();
  const int64_t group_bytes =
      std::max<int64_t>(1, dim) * TopKVectors::kLanes * static_cast<int64_t>(sizeof(float));
  const int64_t chunk = std::max<int64_t>(1, kTaskBytes / group_bytes);
  for (int64_t first = 0; first < a.n; first += kQueryBlock) {
    const int64_t n = std::min(kQueryBlock, a.n - first);
    const float* queries = a.queries + first * dim;
    for (int64_t w = 0; w < threads; ++w) {
      for (int64_t q = 0; q < n; ++q) {
        Nearest& nearest = s.nearest[w * kQueryBlock + q];
        nearest.heap = s.heaps + (w * kQueryBlock + q) * a.k;
        nearest.size = 0;
        nearest.threshold = -std::numeric_limits<float>::infinity();
        nearest.error = score_error(length(queries + q * dim, dim), vectors.longest(), dim);
      }
    }
    // The k best are the same however the vectors are dealt out to workers.
    parallel_for(parallel, ceil_div(vectors.groups(), chunk), [&](int64_t t, int worker) {
      kernel(vectors, queries, n, a.k, t * chunk, std::min(vectors.groups(), (t + 1) * chunk),
             s.nearest + worker * kQueryBlock);
    });
    for (int64_t q = 0; q < n; ++q) {
      Nearest& best = s.nearest[q];
      for (int64_t w = 1; w < threads; ++w) {
        const Nearest& other = s.nearest[w * kQueryBlock + q];
        for (int64_t i = 0; i < other.size; ++i) insert(best, a.k, other.heap[i]);
      }
      std::sort(best.heap, best.heap + best.size,
                [](const Neighbour& x, const Neighbour& y) { return worse(y, x); });
      for (int64_t r = 0; r < a.k; ++r) {
        const bool there = r < best.size;
        a.ids[(first + q) * a.k + r] = there ? best.heap[r].id : -1;
        a.scores[(first + q) * a.k + r] =
            there ? static_cast<float>(best.heap[r].score) : -std::numeric_limits<float>::infinity();
      }
    }
  }
}

}  // namespace sns
#endif
