#include "pipeline/cuda/blocks.h"

#include <algorithm>
#include <cmath>

namespace sns {

CudaLinear::CudaLinear(const CudaDevicePtr& device, const float* weight, const float* bias, int64_t out,
                       int64_t in, int parts) {
  block_ = CudaBlock::packed(device, linear_cuda_bytes(out, in, parts), [&](void* host, void* on_device) {
    weights_ = pack_linear_cuda(weight, bias, out, in, host, on_device, parts);
  });
}

CudaLinear CudaLinear::side_by_side(const CudaDevicePtr& device, std::initializer_list<Affine> parts,
                                    std::initializer_list<int64_t> outs, int64_t in) {
  const StackedAffine stacked = stack(parts, outs, in);
  return CudaLinear(device, stacked.weight.data(), stacked.bias.data(), stacked.bias.size(), in);
}

void CudaLinear::run(const CudaStream& stream, const float* x, int64_t ldx, int64_t rows, float* y,
                     int64_t ldy, const float* residual) const {
  if (rows == 0) return;
  LinearArgs a;
  a.x = x;
  a.rows = rows;
  a.ldx = ldx;
  a.y = y;
  a.ldy = a.ld_residual = ldy;
  a.residual = residual;
  stream.check(stream.ops().linear(weights_, a, stream.precision(), stream.get()), "linear");
}

void cuda_mlp(const CudaStream& stream, const CudaLinear& up, const CudaLinear& down, Activation activation,
              const float* x, int64_t rows, float* y, const float* residual, const CudaScratch& scratch) {
  if (rows == 0) return;
  MlpArgs a;
  a.x = x;
  a.rows = rows;
  a.ldx = up.in();
  a.y = y;
  a.ldy = a.ld_residual = down.out();
  a.activation = activation;
  a.residual = residual;
  stream.check(
      stream.ops().mlp(up.weights(), down.weights(), a, stream.precision(), scratch.data, stream.get()),
      "mlp");
}

int64_t cuda_mlp_scratch(const CudaDevice& device, const CudaLinear& up, int64_t max_rows) {
  checked_mul(checked_mul(max_rows, up.out(), "max_tokens"), sizeof(float), "max_tokens");
  return static_cast<int64_t>(device.ops().mlp_workspace(up.weights(), max_rows));
}

CudaNorm::CudaNorm(const CudaDevicePtr& device, const Affine& affine, int64_t dim, float eps, Norm::Kind kind)
    : gamma_(device, affine.weight, dim),
      beta_(device, affine.bias, dim),
      dim_(dim),
      eps_(eps),
      kind_(kind) {}

void CudaNorm::run(const CudaStream& stream, const float* x, int64_t rows, float* y) const {
  if (rows == 0) return;
  if (kind_ == Norm::Kind::kRms) {
    stream.check(stream.ops().rms_norm({x, rows, dim_, dim_, gamma_.data(), eps_, y, dim_}, stream.get()),
                 "rms_norm");
  } else {
    stream.check(stream.ops().layer_norm({x, rows, dim_, dim_, gamma_.data(), beta_.data(), eps_, y, dim_},
                                         stream.get()),
                 "layer_norm");
  }
}

CudaOffsets put_offsets(DeviceBlock& block, const int64_t* offsets, int64_t count, int64_t rows,
                        int64_t longest) {
  CudaOffsets o;
  int64_t* host = block.take(count + 1, &o.device);
  std::copy(offsets, offsets + count + 1, host);
  o.host = host;
  o.count = count;
  o.rows = rows;
  o.longest = longest;
  return o;
}

namespace {

AttentionCudaArgs bounded(const AttentionArgs& args, int64_t total_q, int64_t max_q, int64_t max_k,
                          const CudaDevice& device) {
  AttentionCudaArgs a;
  a.attention = args;
  a.total_q = total_q;
  a.max_q = max_q;
  a.max_k = max_k;
  a.multiprocessors = device.multiprocessors();
  return a;
}

}  // namespace

void cuda_attention(const CudaStream& stream, const AttentionShape& shape, const float* q, int64_t ldq,
                    const float* kv, int64_t ldkv, float* y, const CudaOffsets& cu_q, const CudaOffsets& cu_k,
                    const CudaScratch& scratch, const CudaAttentionKeys& keys) {
  AttentionArgs args = attention_args(shape, q, ldq, kv, ldkv, y, cu_q.count, cu_q.device, cu_k.device);
  args.causal = keys.causal;
  args.key_weight = keys.weight;
  cuda_attention(stream, args, cu_q, cu_k, scratch);
}

void cuda_attention(const CudaStream& stream, const AttentionArgs& given, const CudaOffsets& cu_q,
                    const CudaOffsets& cu_k, const CudaScratch& scratch) {
  if (cu_q.rows == 0) return;
  AttentionArgs args = given;
  args.precision = stream.precision();
  AttentionCudaArgs a = bounded(args, cu_q.rows, cu_q.longest, cu_k.longest, stream.device());
  // A request that would be split into more parts than there is room for is not split.
  if (static_cast<int64_t>(stream.ops().attention_workspace(a)) > scratch.bytes) a.multiprocessors = 1;
  stream.check(stream.ops().attention(a, scratch.data, stream.get()), "attention");
}

int64_t cuda_attention_scratch(const CudaDevice& device, const AttentionShape& shape, int64_t max_q,
                               int64_t max_k, int64_t max_sequences) {
  // Few queries over many keys are split into the most parts.
  size_t most = 0;
  for (int64_t batch = 1; batch <= std::max<int64_t>(1, max_sequences); batch *= 2) {
    const AttentionArgs args =
        attention_args(shape, nullptr, shape.q_width(), nullptr, shape.k_width() + shape.v_width(), nullptr,
                       batch, nullptr, nullptr);
    for (int64_t q = max_q; q > 0; q /= 2) {
      most = std::max(most, device.ops().attention_workspace(bounded(args, q, q, max_k, device)));
    }
  }
  return static_cast<int64_t>(most);
}

void CudaRepeat::put(DeviceBlock& block, const float* table, int64_t width, const CudaOffsets& cu) {
  PackSegment* segments = block.take(cu.count, &segments_);
  for (int64_t s = 0; s < cu.count; ++s) {
    segments[s] = {table, width, cu.host[s + 1] - cu.host[s], nullptr, nullptr};
  }
  count_ = cu.count;
  width_ = width;
  longest_ = cu.longest;
}

void CudaRepeat::run(const CudaStream& stream, float* y) const {
  const PackArgs a{segments_, count_, width_, y, width_, longest_};
  stream.check(stream.ops().pack(a, stream.get()), "pack");
}

}  // namespace sns
