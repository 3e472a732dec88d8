#include "pipeline/cuda/encoder.h"

#include <algorithm>

namespace sns {

CudaEncoder::CudaEncoder(const CudaDevicePtr& device, const EncoderConfig& c, int64_t d,
                         const EncoderTensors& t)
    : config_(c), d_model_(d) {
  if (c.pre_norm) pre_norm_ = CudaNorm(device, t.pre_norm, d, c.norm_eps);
  if (c.final_norm) final_norm_ = CudaNorm(device, t.final_norm, d, c.norm_eps);
  if (c.rotary) {
    const RotaryAxes rotary = rotary_axes(head_dim());
    axis_ = CudaArray<int32_t>(device, rotary.axis.data(), rotary.pairs());
    frequency_ = CudaArray<double>(device, rotary.frequency.data(), rotary.pairs());
  }
  layers_.reserve(t.layers.size());
  for (const EncoderTensors::Layer& from : t.layers) {
    Layer layer;
    layer.norm1 = CudaNorm(device, from.norm1, d, c.norm_eps);
    layer.norm2 = CudaNorm(device, from.norm2, d, c.norm_eps);
    layer.qkv = CudaLinear::side_by_side(device, {from.q, from.k, from.v}, {d, d, d}, d);
    layer.out = CudaLinear(device, from.o, d, d);
    layer.up = CudaLinear(device, from.up, c.hidden, d);
    layer.down = CudaLinear(device, from.down, d, c.hidden);
    layers_.push_back(std::move(layer));
  }
}

int64_t CudaEncoder::scratch(const CudaDevice& device, const CudaLimits& limits) const {
  if (layers_.empty()) return 0;
  const AttentionShape shape = AttentionShape::of_channels(config_.heads, d_model_, d_model_);
  return std::max(
      cuda_attention_scratch(device, shape, limits.max_tokens, limits.max_tokens, limits.max_items),
      cuda_mlp_scratch(device, layers_[0].up, limits.max_tokens));
}

void CudaEncoder::run(const CudaStream& stream, const CudaOffsets& cu_items, const Buffers& b,
                      const CudaScratch& scratch) const {
  const int64_t rows = cu_items.rows, d = d_model_;
  if (rows == 0) return;
  if (config_.pre_norm) pre_norm_.run(stream, b.x, rows, b.x);
  const AttentionShape shape = AttentionShape::of_channels(config_.heads, d, d);
  RotaryArgs turn;  // queries and keys stand side by side
  if (config_.rotary) {
    turn.x = turn.y = b.qkv;
    turn.rows = rows;
    turn.heads = 2 * config_.heads;
    turn.head_dim = head_dim();
    turn.ldx = turn.ldy = 3 * d;
    turn.table = b.turns;
    turn.pairs = head_dim() / 2;
    const RotaryTableArgs table{b.grid, rows, 2, axis_.data(), frequency_.data(), turn.pairs, b.turns};
    stream.check(stream.ops().rotary_table(table, stream.get()), "rotary");
  }
  for (const Layer& layer : layers_) {
    layer.norm1.run(stream, b.x, rows, b.normed);
    layer.qkv.run(stream, b.normed, d, rows, b.qkv, 3 * d);
    if (config_.rotary) stream.check(stream.ops().rotary(turn, stream.get()), "rotary");
    cuda_attention(stream, shape, b.qkv, 3 * d, b.qkv + d, 3 * d, b.normed, cu_items, cu_items, scratch,
                   {config_.causal, nullptr});
    layer.out.run(stream, b.normed, d, rows, b.x, d, b.x);
    layer.norm2.run(stream, b.x, rows, b.normed);
    cuda_mlp(stream, layer.up, layer.down, config_.activation, b.normed, rows, b.x, b.x, scratch);
  }
  if (config_.final_norm) final_norm_.run(stream, b.x, rows, b.x);
}

}  // namespace sns
