#include "pipeline/cuda/head.h"

#include <algorithm>

namespace sns {

CudaHead::CudaHead(const CudaDevicePtr& device, const Head& host, int64_t width, const HeadTensors& tensors)
    : host_(host), width_(width) {
  const HeadConfig& c = host.config();
  for (int32_t k = 0; k < kHeads; ++k) {
    if (c.present[k]) weights_[k].emplace(device, tensors.weight[k], tensors.bias[k], c.dim, width);
  }
}

CudaHead::Buffers CudaHead::lay_out(Carver& carver, int64_t max_sequences) const {
  const int64_t dim = host_.config().dim;
  Buffers b;
  b.pooled = carver.take<float>(checked_mul(max_sequences, width_, "max_sequences"));
  b.projected = carver.take<float>(checked_mul(max_sequences, dim, "max_sequences"));
  b.embedding = carver.take<float>(checked_mul(max_sequences, dim, "max_sequences"));
  return b;
}

int64_t CudaHead::parcel_bytes(int64_t max_sequences) {
  return max_sequences * static_cast<int64_t>(sizeof(Segment) + sizeof(PackSegment)) +
         2 * static_cast<int64_t>(kAlign);
}

void CudaHead::put(DeviceBlock& parcel, const CudaOffsets& cu, const Head::Buffers& host, Buffers& b) const {
  const int64_t dim = host_.config().dim;
  b.sequences = cu.count;
  b.order = host_.order(cu.host, cu.count, host);
  Segment* segments = parcel.take(cu.count, &b.segments);
  std::copy(host.segments, host.segments + cu.count, segments);
  PackSegment* rows = parcel.take(cu.count, &b.rows);
  for (int64_t s = 0; s < cu.count; ++s) {
    rows[s] = {b.projected + host.slots[s] * dim, dim, 1, nullptr, nullptr};
  }
}

void CudaHead::run(const CudaStream& stream, const float* rows, const Buffers& b) const {
  if (b.sequences == 0) return;
  const int64_t dim = host_.config().dim;
  const SegmentMeanArgs pool{rows, width_, width_, b.segments, b.sequences, b.pooled, width_};
  stream.check(stream.ops().segment_mean(pool, stream.get()), "segment_mean");
  for (int32_t k = 0; k < kHeads; ++k) {
    const int64_t first = b.order.first[k], count = b.order.first[k + 1] - first;
    if (count == 0) continue;
    weights_[k]->run(stream, b.pooled + first * width_, width_, count, b.projected + first * dim, dim);
  }
  stream.check(stream.ops().pack({b.rows, b.sequences, dim, b.embedding, dim, 1}, stream.get()), "pack");
  L2NormalizeArgs normalize;
  normalize.x = b.embedding;
  normalize.y = b.embedding;
  normalize.rows = b.sequences;
  normalize.dim = normalize.ldx = normalize.ldy = dim;
  stream.check(stream.ops().l2_normalize(normalize, stream.get()), "l2_normalize");
}

}  // namespace sns
