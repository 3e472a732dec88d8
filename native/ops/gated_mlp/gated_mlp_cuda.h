#pragma once

#include "ops/gated_mlp/gated_mlp.h"
#include "ops/linear/linear_cuda.h"

namespace sns {

/// Holds the hidden layer.
size_t gated_mlp_cuda_workspace(const LinearCudaWeights& gate, int64_t rows);
/// gated_mlp_cpu on the GPU. gate and up are packed in three parts: their errors multiply, and with two
/// kStrict leaves kGatedMlpNmse.
int gated_mlp_cuda(const LinearCudaWeights& gate, const LinearCudaWeights& up, const LinearCudaWeights& down,
                   const GatedMlpArgs& args, Precision precision, void* workspace, void* stream);

}  // namespace sns
