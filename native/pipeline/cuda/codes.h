#pragma once

#include <vector>

#include "pipeline/codes.h"
#include "pipeline/cuda/device.h"

namespace sns {

/// Codes on the GPU: rows travel there and their ids come back. Any number of threads at once.
class CudaCodes {
 public:
  /// `codes` [stages, size, dim]; null for FSQ.
  CudaCodes(CudaDevicePtr device, const CodesConfig& config, const float* codes);
  /// Of finite tokens and of ids that are in range.
  void encode(const float* tokens, int64_t rows, int64_t* ids) const;
  void decode(const int64_t* ids, int64_t rows, float* tokens) const;

 private:
  CudaDevicePtr device_;
  CodesConfig config_;
  std::vector<CudaBlock> blocks_;
  std::vector<CodebookCuda> stages_;  ///< empty for FSQ
};

/// Codes::learn on the GPU, with its very codes [stages, size, dim]: k-means over tokens [rows, dim], stage
/// by stage.
AlignedArray<float> learn_codes_cuda(const CudaDevicePtr& device, const CodesConfig& config,
                                     const float* tokens, int64_t rows, int64_t max_iterations, uint64_t seed,
                                     CodesLearning& learning);

}  // namespace sns
