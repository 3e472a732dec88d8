#include "pipeline/cuda/cross_attention.h"

#include <algorithm>
#include <cmath>

namespace sns {
namespace {

/// Multiplications an input of the two ways. Attention works on tiles of 64 rows (queries × the heads that
/// share keys); scores, which take two times the passes of other products, are made again for every 128
/// columns of the values.
bool absorbing_pays(int64_t queries, int64_t in, int64_t heads, int64_t qk, int64_t v, Precision precision) {
  constexpr int64_t kRows = 64, kColumns = 128;
  const double scores = precision == Precision::kStrict ? 2 : 1;
  const auto attention = [&](int64_t rows, int64_t qk_dim, int64_t v_dim) {
    return static_cast<double>(round_up(rows, kRows)) *
           (scores * static_cast<double>(qk_dim * ceil_div(v_dim, kColumns)) + static_cast<double>(v_dim));
  };
  const double projected = static_cast<double>(in) * static_cast<double>(qk + v) +
                           static_cast<double>(heads) * attention(queries, qk / heads, v / heads);
  return attention(queries * heads, in, in) < projected;
}

}  // namespace

CudaLearnedCross::CudaLearnedCross(const CudaDevicePtr& device, const float* q, int64_t queries, int64_t in,
                                   int64_t heads, int64_t qk, int64_t v,
                                   const LearnedCrossAttention::Tensors& t)
    : queries_(queries),
      in_(in),
      heads_(heads),
      qk_(qk),
      v_(v),
      absorbed_(absorbing_pays(queries, in, heads, qk, v, device->precision())) {
  if (!absorbed_) {
    q_ = CudaArray<float>(device, q, queries * qk);
    kv_ = CudaLinear::side_by_side(device, {t.k, t.v}, {qk, v}, in);
    return;
  }
  const AlignedArray<float> wide = absorbed_queries(q, queries, in, heads, qk, t.k.weight);
  q_ = CudaArray<float>(device, wide.data(), wide.size());
  const std::vector<float> zeros(static_cast<size_t>(v));
  zeros_ = CudaArray<float>(device, zeros.data(), v);
  const int64_t v_dim = v / heads;
  v_heads_.reserve(static_cast<size_t>(heads));
  for (int64_t h = 0; h < heads; ++h) {
    v_heads_.emplace_back(device, t.v.weight + h * v_dim * in, t.v.bias ? t.v.bias + h * v_dim : nullptr,
                          v_dim, in);
  }
}

void CudaLearnedCross::lay_out(Carver& carver, int64_t max_inputs, int64_t max_sequences, Buffers& b) const {
  const int64_t rows = checked_mul(max_sequences, queries_, "max_sequences");
  b.q = carver.take<float>(checked_mul(rows, q_width(), "max_sequences"));
  if (absorbed_) {
    b.wide = carver.take<float>(checked_mul(rows, q_width(), "max_sequences"));
  } else {
    b.kv = carver.take<float>(checked_mul(max_inputs, qk_ + v_, "max_tokens"));
  }
}

int64_t CudaLearnedCross::parcel_bytes(int64_t max_sequences) {
  return 2 * (max_sequences * static_cast<int64_t>(sizeof(PackSegment)) + static_cast<int64_t>(kAlign));
}

void CudaLearnedCross::put(const CudaOffsets& cu_inputs, const CudaOffsets& cu_rows, float* y,
                           DeviceBlock& parcel, Buffers& b) const {
  b.repeat.put(parcel, q_.data(), q_width(), cu_rows);
  b.empty_count = 0;
  for (int64_t s = 0; absorbed_ && s < cu_rows.count; ++s) {
    b.empty_count += cu_inputs.host[s] == cu_inputs.host[s + 1];
  }
  PackSegment* segment = parcel.take(b.empty_count, &b.empty);
  for (int64_t s = 0; b.empty_count > 0 && s < cu_rows.count; ++s) {
    if (cu_inputs.host[s] != cu_inputs.host[s + 1]) continue;
    const int64_t first = cu_rows.host[s], rows = cu_rows.host[s + 1] - first;
    *segment++ = {zeros_.data(), 0, rows, nullptr, nullptr, y + first * v_};
  }
}

int64_t CudaLearnedCross::scratch(const CudaDevice& device, int64_t max_inputs, int64_t max_sequences) const {
  const int64_t rows = checked_mul(max_sequences, queries_, "max_sequences");
  return cuda_attention_scratch(device, shape(), rows, max_inputs, max_sequences);
}

void CudaLearnedCross::run(const CudaStream& stream, const float* inputs, const float* sizes,
                           const CudaOffsets& cu_inputs, const CudaOffsets& cu_rows, const Buffers& b,
                           float* y, const CudaScratch& scratch) const {
  b.repeat.run(stream, b.q);
  if (!absorbed_) {
    const int64_t ldkv = qk_ + v_;
    kv_.run(stream, inputs, in_, cu_inputs.rows, b.kv, ldkv);
    cuda_attention(stream, shape(), b.q, qk_, b.kv, ldkv, y, cu_rows, cu_inputs, scratch, {false, sizes});
    return;
  }
  AttentionArgs a = attention_args(shape(), b.q, q_width(), inputs, in_, b.wide, cu_rows.count,
                                   cu_rows.device, cu_inputs.device);
  a.v = inputs;
  a.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(qk_ / heads_)));
  a.key_weight = sizes;
  cuda_attention(stream, a, cu_rows, cu_inputs, scratch);
  const int64_t v_dim = v_ / heads_;
  for (int64_t h = 0; h < heads_; ++h) {
    v_heads_[static_cast<size_t>(h)].run(stream, b.wide + h * in_, q_width(), cu_rows.rows, y + h * v_dim,
                                         v_);
  }
  if (b.empty_count > 0) {  // the values' bias belongs to no one there
    stream.check(stream.ops().pack({b.empty, b.empty_count, v_, nullptr, v_, cu_rows.longest}, stream.get()),
                 "pack");
  }
}

}  // namespace sns
