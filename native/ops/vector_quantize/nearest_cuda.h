#pragma once

// Nearest-code search on the GPU, shared by vector quantisation and token merging; nearest.h has the idea.
// The screen scores every (row, code) pair on tensor cores, z = x − μ and c' = c − μ in bfloat16 high and low
// parts, and keeps the maximum of each cell of 32 codes; a warp a row then evaluates the cells that the bound
// does not rule out in float64, by the oracle's own arithmetic (exact.h).
//
// Bound of the screen's error, n = max‖c'‖: |ŝ − s| ≤ (3(d + 16)·2⁻²² + 2⁻¹³)·(‖z‖n + ½n²) + (d +
// 4)·2⁻⁵²·‖z‖²: 3d products summed by tensor cores that may truncate, what the two parts and the missing
// lo·lo leave out (3·2⁻¹⁶), the rounding of z, c' and h, all at least doubled, and the oracle's own rounding.

#include "ops/linear/linear_cuda.h"
#include "ops/vector_quantize/nearest.h"

namespace sns {

/// Rows whose place and number lie in the device's memory, so that one captured launch serves many of them.
struct NearestCudaRows {
  const float* x = nullptr;  ///< [count, dim], stride ld
  int64_t count = 0, ld = 0;
};

struct NearestCuda {
  Nearness nearness = Nearness::kDistance;
  const float* codes = nullptr;  ///< [size, dim], stride ld: what float64 ranks by
  int64_t ld = 0, size = 0, dim = 0;
  const double* scale = nullptr;  ///< [size] 1/‖c‖: rows and codes are normalised first; or null
  LinearCudaWeights screen;       ///< of c', bias = −h or null = 0
  const float* mean = nullptr;    ///< [dim] taken from rows, or null
  const float* max_norm = nullptr;
  const NearestCudaRows* on_device = nullptr;  ///< instead of codes and ld; size is at least theirs. Or null
};

struct NearestCudaArgs {
  const float* x = nullptr;  ///< [rows, dim], stride ldx
  int64_t rows = 0, ldx = 0;
  int64_t* ids = nullptr;  ///< [rows], stride id_stride
  int64_t id_stride = 1;
  double* value = nullptr;  ///< [rows] squared distance (kDistance) or dot product (kDot); or null
  const NearestCudaRows* on_device = nullptr;  ///< instead of x and ldx; rows is at least theirs. Or null
};

size_t nearest_cuda_workspace(int64_t size, int64_t dim, int64_t rows);
int nearest_cuda(const NearestCuda& codes, const NearestCudaArgs& args, void* workspace, void* stream);

/// Codes that change on the device: writes what a NearestCuda of them points to.
struct NearestCudaPack {
  const float* codes = nullptr;  ///< [size, dim], stride ld
  int64_t ld = 0, size = 0, dim = 0;
  double* scale = nullptr;  ///< [size] 1/‖c‖; null: not normalised
  float* mean = nullptr;    ///< [dim], taken from the codes; or null
  uint16_t *hi = nullptr,
           *lo = nullptr;  ///< [size, padded] in LinearTiles; rows past the last are not written
  int64_t padded = 0;
  float* bias = nullptr;  ///< [size] −½‖c'‖²; or null
  float* max_norm = nullptr;
  const NearestCudaRows* on_device = nullptr;  ///< as NearestCuda has it
};
int pack_nearest_cuda(const NearestCudaPack& pack, void* stream);

}  // namespace sns
