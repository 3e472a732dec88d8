#include "ops/gated_mlp/gated_mlp_cuda.h"

#include "ops/linear/linear_product_cuda.h"

namespace sns {

size_t gated_mlp_cuda_workspace(const LinearCudaWeights& gate, int64_t rows) {
  Carver c(nullptr);
  c.take<float>(checked_mul(rows, gate.out, "rows"));
  return c.bytes();
}

int gated_mlp_cuda(const LinearCudaWeights& gate, const LinearCudaWeights& up, const LinearCudaWeights& down,
                   const GatedMlpArgs& args, Precision precision, void* workspace, void* stream) {
  auto* hidden = static_cast<float*>(workspace);
  LinearArgs in;
  in.x = args.x, in.rows = args.rows, in.ldx = args.ldx, in.y = hidden, in.ldy = gate.out;
  in.activation = args.activation;
  if (const int status = linear_cuda(gate, in, precision, stream)) return status;
  in.activation = Activation::kNone;
  if (const int status = linear_product_cuda(up, in, hidden, precision, stream)) return status;
  LinearArgs out;
  out.x = hidden, out.rows = args.rows, out.ldx = gate.out, out.y = args.y, out.ldy = args.ldy;
  out.residual = args.residual, out.ld_residual = args.ld_residual;
  return linear_cuda(down, out, precision, stream);
}

}  // namespace sns
