#pragma once

#include "core/precision.h"
#include "ops/gemm/gemm.h"

namespace sns {

/// gemm_cpu on the GPU; no workspace. kStrict is fp32: what is trained goes through exponentials. `shift` is
/// added to every element of C.
int gemm_cuda(const GemmArgs& args, float shift, Precision precision, void* stream);

}  // namespace sns
