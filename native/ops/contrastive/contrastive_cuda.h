#pragma once

#include "core/precision.h"
#include "ops/contrastive/contrastive.h"

namespace sns {

/// contrastive_logits_cpu on the GPU.
int contrastive_logits_cuda(const float* a, int64_t n, const float* b, int64_t m, int64_t dim,
                            float logit_scale, float logit_bias, float* out, Precision precision,
                            void* stream);

}  // namespace sns
