#pragma once

#include "core/precision.h"
#include "ops/contrastive/contrastive.h"

namespace sns {

/// contrastive_logits_cpu on the GPU.
int contrastive_logits_cuda(const float* a, int64_t n, const float* b, int64_t m, int64_t dim,
                            float logit_scale, float logit_bias, float* out, Precision precision,
                            void* stream);

/// contrastive_cpu on the GPU, the gradients in fp32 accuracy; `result` is on the device. CLIP and SigLIP
/// alike keep the n×n logits in the workspace.
size_t contrastive_cuda_workspace(int64_t n);
int contrastive_cuda(const ContrastiveArgs& args, ContrastiveResult* result, void* workspace, void* stream);

}  // namespace sns
