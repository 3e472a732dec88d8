#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/memory.h"
#include "core/parallel.h"
#include "ops/vector_quantize/nearest.h"

namespace sns {

enum class CodeMetric : int32_t { kL2 = 0, kCosine = 1 /* rows and codes are L2-normalised first */ };

/// A codebook packed for the running CPU; immutable.
class Codebook {
 public:
  Codebook() = default;
  /// `codes` is [size, dim] row-major, copied. Throws kInvalidArgument on size or dim < 1.
  Codebook(const float* codes, int64_t size, int64_t dim, CodeMetric metric);
  /// The same, packed by all threads.
  Codebook(const float* codes, int64_t size, int64_t dim, CodeMetric metric, Parallel& parallel);
  int64_t size() const { return size_; }
  int64_t dim() const { return dim_; }
  CodeMetric metric() const { return metric_; }
  /// [size, dim] row-major, as given (cosine: normalised).
  const float* codes() const { return codes_.data(); }
  const NearestCodes& packed() const { return packed_; }  ///< layout is the kernel's own

 private:
  int64_t size_ = 0, dim_ = 0;
  CodeMetric metric_ = CodeMetric::kL2;
  AlignedArray<float> codes_, given_;  // given_: cosine only, what float64 ranks by
  AlignedArray<std::byte> block_;      // what packed_ points into
  NearestCodes packed_;
};

/// Nearest code of each row. The id is the one that float64 arithmetic on the same float inputs gives, the
/// lowest on exact ties: near-ties of the fast pass are ranked again exactly. The distance matrix is never
/// held.
struct VectorQuantizeArgs {
  const float* x = nullptr;  ///< [rows, dim], stride ldx
  int64_t rows = 0, ldx = 0;
  int64_t* ids = nullptr;      ///< [rows]
  float* quantized = nullptr;  ///< [rows, dim] dense, the chosen codes; or null
  float* distance = nullptr;   ///< [rows] squared L2 distance to the chosen code; or null
};

size_t vector_quantize_scratch(const Codebook& codebook, int64_t rows, int threads);
void vector_quantize_cpu(const Codebook& codebook, const VectorQuantizeArgs& args, void* scratch,
                         Parallel& parallel);
/// Oracle: float64 distances on the float inputs.
void vector_quantize_ref(const float* codes, int64_t size, int64_t dim, CodeMetric metric, const float* x,
                         int64_t rows, int64_t ldx, int64_t* ids);

/// Residual VQ: stage s quantises what stages 0…s−1 left over (float32 subtraction). ids is [rows, stages].
size_t residual_quantize_scratch(const Codebook* stages, int64_t count, int64_t rows, int threads);
void residual_quantize_cpu(const Codebook* stages, int64_t count, const float* x, int64_t rows, int64_t ldx,
                           int64_t* ids, void* scratch, Parallel& parallel);
/// y[r, :] = Σ_s stages[s].codes[ids[r, s], :]; ids must be in range.
void residual_decode_cpu(const Codebook* stages, int64_t count, const int64_t* ids, int64_t rows, float* y,
                         int64_t ldy, Parallel& parallel);

/// Finite scalar quantisation (Mentzer et al. 2023): each of `dim` ≤ 16 values is bounded by tanh to
/// levels[i] steps and rounded half to even; id = Σ index_i·∏_{j<i} levels_j. z [rows, dim] dense.
void fsq_encode_cpu(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                    Parallel& parallel);
/// The rounded values scaled to [−1, 1], as the paper's codes.
void fsq_decode_cpu(const int32_t* levels, int64_t dim, const int64_t* ids, int64_t rows, float* y,
                    Parallel& parallel);

/// Rows of one task of k-means: sums are taken per chunk, so that they depend on no number of threads.
constexpr int kKMeansChunk = 256;

/// Lloyd's k-means with k-means++ seeding and revival of dead codes (the farthest rows become new codes).
/// kCosine is spherical k-means: rows are L2-normalised first, and codes are compared by their direction.
/// Deterministic for a seed, whatever the threads. Allocates; not for the hot path.
struct KMeansResult {
  AlignedArray<float> codes;  ///< [k, dim]; kCosine: of any length
  double inertia = 0;         ///< Σ squared distance of the last assignment
  int64_t iterations = 0, revived = 0;
};
/// What the seeding of kmeans() draws by, [k] in [0, 1).
std::vector<double> kmeans_shares(uint64_t seed, int64_t k);
KMeansResult kmeans(const float* x, int64_t rows, int64_t dim, int64_t k, int64_t max_iterations,
                    uint64_t seed, Parallel& parallel, CodeMetric metric = CodeMetric::kL2);

}  // namespace sns
