#pragma once

#include "ops/linear/linear_cuda.h"
#include "ops/mlp/mlp.h"

namespace sns {

/// Holds the hidden layer.
size_t mlp_cuda_workspace(const LinearCudaWeights& up, int64_t rows);
/// mlp_cpu on the GPU.
int mlp_cuda(const LinearCudaWeights& up, const LinearCudaWeights& down, const MlpArgs& args,
             Precision precision, void* workspace, void* stream);

}  // namespace sns
