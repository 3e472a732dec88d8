#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory.h"
#include "core/parallel.h"

namespace sns {

/// Most neighbours of one search.
constexpr int64_t kMaxTopK = 1024;

/// Vectors to be searched, packed once: groups of kTopKLanes vectors, their values interleaved, so that a
/// register holds one value of as many vectors. Values are finite; ids are positions in the order given.
class TopKVectors {
 public:
  static constexpr int64_t kLanes = 16;

  /// vectors [count, dim], dense; copied.
  TopKVectors(const float* vectors, int64_t count, int64_t dim);

  int64_t count() const { return count_; }
  int64_t dim() const { return dim_; }
  int64_t groups() const { return groups_; }
  /// [dim, kLanes] of one group; lanes behind the last vector are 0.
  const float* group(int64_t g) const { return packed_.data() + g * dim_ * kLanes; }
  /// The longest vector's length.
  double longest() const { return longest_; }

 private:
  int64_t count_, dim_, groups_;
  AlignedArray<float> packed_;
  double longest_ = 0;
};

/// The k vectors with the largest dot products with each query, falling; of equal ones the lowest id comes
/// first. Fewer than k vectors: the rest of a row is id -1, score -infinity.
struct TopKArgs {
  const float* queries = nullptr;  ///< [n, dim], dense, finite
  int64_t n = 0;
  int64_t k = 0;            ///< in [1, kMaxTopK]
  int64_t* ids = nullptr;   ///< [n, k]
  float* scores = nullptr;  ///< [n, k]: the float64 sum, rounded once
};

/// Ids and scores equal the oracle's to the bit: a float32 pass only throws out what cannot be among the k;
/// what is left is summed in float64 as the oracle does it.
constexpr double kTopKMismatches = 0;

size_t top_k_scratch(const TopKVectors& vectors, const TopKArgs& args, int threads);
void top_k_cpu(const TopKVectors& vectors, const TopKArgs& args, void* scratch, Parallel& parallel);
/// vectors [count, dim] as given to TopKVectors.
void top_k_ref(const float* vectors, int64_t count, int64_t dim, const TopKArgs& args);

}  // namespace sns
