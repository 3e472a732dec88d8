#include <cmath>

#include "ops/contrastive/contrastive_cuda.h"
#include "ops/gemm/gemm_cuda.h"

namespace sns {

int contrastive_logits_cuda(const float* a, int64_t n, const float* b, int64_t m, int64_t dim,
                            float logit_scale, float logit_bias, float* out, Precision precision,
                            void* stream) {
  GemmArgs args;
  args.m = n, args.n = m, args.k = dim;
  args.a = a, args.lda = dim, args.b = b, args.ldb = dim, args.transpose_b = true;
  args.scale = std::exp(logit_scale), args.c = out, args.ldc = m;
  return gemm_cuda(args, logit_bias, precision, stream);
}

}  // namespace sns
