#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/vector_quantize/exact.h"
#include "ops/vector_quantize/vector_quantize.h"

namespace sns {
namespace {

constexpr int64_t kChunk = kKMeansChunk;

/// The first row at which the running sum of weights passes `share` of their total; the last row of non-zero
/// weight where rounding lets none pass; -1 where all weights are 0.
int64_t draw(const std::vector<double>& weight, const std::vector<double>& chunk_sum, double share) {
  double total = 0;
  for (double s : chunk_sum) total += s;
  const double target = share * total;
  double sum = 0;
  int64_t last = -1;
  for (size_t t = 0; t < chunk_sum.size(); ++t) {
    const bool here = sum + chunk_sum[t] > target || t + 1 == chunk_sum.size();
    if (!here) {
      sum += chunk_sum[t];
      continue;
    }
    const size_t end = std::min(weight.size(), (t + 1) * static_cast<size_t>(kChunk));
    double inner = sum;
    for (size_t r = t * static_cast<size_t>(kChunk); r < end; ++r) {
      if (weight[r] > 0) last = static_cast<int64_t>(r);
      inner += weight[r];
      if (weight[r] > 0 && inner > target) return last;
    }
    sum += chunk_sum[t];
  }
  if (last >= 0) return last;
  for (size_t r = weight.size(); r-- > 0;) {
    if (weight[r] > 0) return static_cast<int64_t>(r);
  }
  return -1;
}

AlignedArray<float> normalised(const float* x, int64_t rows, int64_t dim, Parallel& parallel) {
  AlignedArray<float> y(checked_mul(rows, dim, "rows"));
  parallel_for(parallel, ceil_div(rows, kChunk), [&](int64_t t, int) {
    for (int64_t r = t * kChunk; r < std::min(rows, (t + 1) * kChunk); ++r) {
      const double scale = inverse_norm(x + r * dim, dim);
      for (int64_t i = 0; i < dim; ++i) y[r * dim + i] = static_cast<float>(x[r * dim + i] * scale);
    }
  });
  return y;
}

/// k-means++ (Arthur & Vassilvitskii 2007): each new code is a row drawn with probability proportional to its
/// squared distance from the codes so far. Where every row already is a code, row j becomes code j.
void seed_codes(const float* x, int64_t rows, int64_t dim, int64_t k, const double* share, float* codes,
                Parallel& parallel) {
  const int64_t chunks = ceil_div(rows, kChunk);
  std::vector<double> nearest(static_cast<size_t>(rows), std::numeric_limits<double>::infinity());
  std::vector<double> sums(static_cast<size_t>(chunks));
  int64_t chosen = std::min(rows - 1, static_cast<int64_t>(share[0] * static_cast<double>(rows)));
  for (int64_t j = 0; j < k; ++j) {
    if (j > 0) {
      chosen = draw(nearest, sums, share[j]);
      if (chosen < 0) chosen = j;
    }
    float* code = codes + j * dim;
    std::copy(x + chosen * dim, x + (chosen + 1) * dim, code);
    parallel_for(parallel, chunks, [&](int64_t t, int) {
      double sum = 0;
      for (int64_t r = t * kChunk; r < std::min(rows, (t + 1) * kChunk); ++r) {
        double& d = nearest[static_cast<size_t>(r)];
        d = std::min(d, exact_distance(x + r * dim, 1.0, code, 1.0, dim));
        sum += d;
      }
      sums[static_cast<size_t>(t)] = sum;
    });
  }
}

/// Codes to the means of their rows; codes without rows keep their place and are returned.
std::vector<int64_t> move_codes(const float* x, int64_t rows, int64_t dim, int64_t k, const int64_t* ids,
                                float* codes, Parallel& parallel) {
  std::vector<int64_t> members(static_cast<size_t>(k));
  for (int64_t r = 0; r < rows; ++r) ++members[static_cast<size_t>(ids[r])];
  constexpr int64_t kSlice = 8;  // a task owns some dimensions of all codes: no two add to one sum
  std::vector<double> sums(static_cast<size_t>(k * dim));
  parallel_for(parallel, ceil_div(dim, kSlice), [&](int64_t t, int) {
    const int64_t first = t * kSlice, end = std::min(dim, first + kSlice);
    for (int64_t r = 0; r < rows; ++r) {
      double* sum = sums.data() + ids[r] * dim;
      for (int64_t i = first; i < end; ++i) sum[i] += x[r * dim + i];
    }
    for (int64_t j = 0; j < k; ++j) {
      const int64_t n = members[static_cast<size_t>(j)];
      if (n == 0) continue;
      for (int64_t i = first; i < end; ++i) {
        codes[j * dim + i] =
            static_cast<float>(sums[static_cast<size_t>(j * dim + i)] / static_cast<double>(n));
      }
    }
  });
  std::vector<int64_t> dead;
  for (int64_t j = 0; j < k; ++j) {
    if (members[static_cast<size_t>(j)] == 0) dead.push_back(j);
  }
  return dead;
}

}  // namespace

std::vector<double> kmeans_shares(uint64_t seed, int64_t k) {
  std::vector<double> shares(static_cast<size_t>(k));
  for (double& share : shares) {  // SplitMix64: the same seeds give the same codes on every platform
    uint64_t z = (seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    share = static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  return shares;
}

KMeansResult kmeans(const float* x, int64_t rows, int64_t dim, int64_t k, int64_t max_iterations,
                    uint64_t seed, Parallel& parallel, CodeMetric metric) {
  if (dim < 1) throw Error(Code::kInvalidArgument, "dim", "rows need at least one dimension", 1);
  if (k < 1 || k > rows) throw Error(Code::kInvalidArgument, "k", "k must be 1 to the number of rows", rows);
  if (max_iterations < 1) throw Error(Code::kInvalidArgument, "max_iterations", "at least one iteration", 1);
  AlignedArray<float> directions;
  if (metric == CodeMetric::kCosine) {
    directions = normalised(x, rows, dim, parallel);
    x = directions.data();
  }
  KMeansResult result;
  result.codes = AlignedArray<float>(checked_mul(k, dim, "codes"));
  const std::vector<double> shares = kmeans_shares(seed, k);
  seed_codes(x, rows, dim, k, shares.data(), result.codes.data(), parallel);

  std::vector<int64_t> ids(static_cast<size_t>(rows)), previous, farthest(static_cast<size_t>(rows));
  std::vector<double> distance(static_cast<size_t>(rows));
  AlignedArray<std::byte> scratch;
  for (;;) {
    const Codebook codebook(result.codes.data(), k, dim, metric, parallel);
    const size_t bytes = nearest_scratch(codebook.packed(), parallel.threads());
    if (scratch.size() == 0) scratch = AlignedArray<std::byte>(static_cast<int64_t>(bytes));
    NearestArgs assign;
    assign.x = x;
    assign.rows = rows;
    assign.ldx = dim;
    assign.ids = ids.data();
    assign.value = distance.data();
    find_nearest(codebook.packed(), assign, scratch.data(), parallel);
    result.inertia = 0;
    for (double d : distance) result.inertia += d;
    ++result.iterations;
    if (ids == previous || result.iterations == max_iterations) return result;
    previous = ids;

    const std::vector<int64_t> dead = move_codes(x, rows, dim, k, ids.data(), result.codes.data(), parallel);
    if (dead.empty()) continue;
    for (size_t r = 0; r < farthest.size(); ++r) farthest[r] = static_cast<int64_t>(r);
    const auto far_first = [&](int64_t a, int64_t b) {
      const double da = distance[static_cast<size_t>(a)], db = distance[static_cast<size_t>(b)];
      return da != db ? da > db : a < b;
    };
    std::partial_sort(farthest.begin(), farthest.begin() + static_cast<int64_t>(dead.size()), farthest.end(),
                      far_first);
    for (size_t i = 0; i < dead.size(); ++i) {
      const int64_t row = farthest[i];
      if (distance[static_cast<size_t>(row)] == 0) break;  // every further row sits on a code already
      std::copy(x + row * dim, x + (row + 1) * dim, result.codes.data() + dead[i] * dim);
      ++result.revived;
    }
  }
}

}  // namespace sns
