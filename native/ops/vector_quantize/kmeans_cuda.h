#pragma once

#include "ops/vector_quantize/vector_quantize.h"

namespace sns {

/// kmeans() on the GPU, step by step, with its very codes: whoever trains calls kmeans_start_cuda, then
/// kmeans_assign_cuda and kmeans_move_cuda in turns until nothing changed or the iterations are spent; the
/// last call is an assignment.
struct KMeansCudaState {
  double inertia = 0;   ///< Σ squared distance of the last assignment
  int64_t changed = 0;  ///< rows that the last assignment gave another code
  int64_t revived = 0;  ///< dead codes so far that a far row took over
};
struct KMeansCudaArgs {
  const float* x = nullptr;  ///< [rows, dim] dense
  int64_t rows = 0, dim = 0;
  int64_t k = 0;  ///< at most rows
  CodeMetric metric = CodeMetric::kL2;
  const double* shares = nullptr;    ///< [k] kmeans_shares(), on the device
  float* codes = nullptr;            ///< [k, dim]; kCosine: of any length
  int64_t* ids = nullptr;            ///< [rows] of the last assignment
  KMeansCudaState* state = nullptr;  ///< on the device
};

/// One for all calls, kept in between.
size_t kmeans_cuda_workspace(const KMeansCudaArgs& args);
/// k-means++: k codes, two kernels each.
int kmeans_start_cuda(const KMeansCudaArgs& args, void* workspace, void* stream);
int kmeans_assign_cuda(const KMeansCudaArgs& args, void* workspace, void* stream);
int kmeans_move_cuda(const KMeansCudaArgs& args, void* workspace, void* stream);

}  // namespace sns
