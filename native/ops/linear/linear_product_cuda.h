#pragma once

#include "ops/linear/linear_cuda.h"

namespace sns {

/// linear_cuda with y = activation(x·Wᵀ + b) ⊙ factor + residual; factor [rows, out] has y's stride and may
/// be y. Null = ones.
int linear_product_cuda(const LinearCudaWeights& w, const LinearArgs& args, const float* factor,
                        Precision precision, void* stream);

}  // namespace sns
