#include "ops/mlp/mlp_cuda.h"

namespace sns {

size_t mlp_cuda_workspace(const LinearCudaWeights& up, int64_t rows) {
  Carver c(nullptr);
  c.take<float>(checked_mul(rows, up.out, "rows"));
  return c.bytes();
}

int mlp_cuda(const LinearCudaWeights& up, const LinearCudaWeights& down, const MlpArgs& args,
             Precision precision, void* workspace, void* stream) {
  auto* hidden = static_cast<float*>(workspace);
  LinearArgs first;
  first.x = args.x, first.rows = args.rows, first.ldx = args.ldx, first.activation = args.activation;
  first.y = hidden, first.ldy = up.out;
  if (const int status = linear_cuda(up, first, precision, stream)) return status;
  LinearArgs second;
  second.x = hidden, second.rows = args.rows, second.ldx = up.out, second.y = args.y, second.ldy = args.ldy;
  second.residual = args.residual, second.ld_residual = args.ld_residual;
  return linear_cuda(down, second, precision, stream);
}

}  // namespace sns
