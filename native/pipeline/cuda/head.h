#pragma once

#include <optional>

#include "pipeline/cuda/compressor.h"
#include "pipeline/head.h"

namespace sns {

/// Head on the GPU.
class CudaHead {
 public:
  struct Buffers {
    float *pooled = nullptr, *projected = nullptr, *embedding = nullptr;  ///< [max_sequences, width or dim]
    // Of the current request.
    Head::Order order;
    const Segment* segments = nullptr;
    const PackSegment* rows = nullptr;  ///< projected rows in the sequences' order
    int64_t sequences = 0;
  };
  CudaHead(const CudaDevicePtr& device, const Head& host, int64_t width, const HeadTensors& tensors);
  Buffers lay_out(Carver& carver, int64_t max_sequences) const;
  static int64_t parcel_bytes(int64_t max_sequences);
  /// `host`: the session's buffers with the kind of every sequence.
  void put(DeviceBlock& parcel, const CudaOffsets& cu, const Head::Buffers& host, Buffers& b) const;
  /// rows [cu total, width] → b.embedding.
  void run(const CudaStream& stream, const float* rows, const Buffers& b) const;

 private:
  const Head& host_;
  int64_t width_;
  std::optional<CudaLinear> weights_[kHeads];
};

}  // namespace sns
