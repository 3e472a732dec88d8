#pragma once

#include <vector>

#include "pipeline/cross_attention.h"
#include "pipeline/cuda/compressor.h"

namespace sns {

/// LearnedCrossAttention on the GPU, projected or absorbed: whichever takes fewer multiplications an input as
/// the kernels do them.
class CudaLearnedCross {
 public:
  struct Buffers {
    float* q = nullptr;     ///< [rows, qk] or, absorbed, [rows, heads·in]
    float* kv = nullptr;    ///< projected: [max_inputs, qk + v]
    float* wide = nullptr;  ///< absorbed: [rows, heads·in]
    CudaRepeat repeat;
    const PackSegment* empty = nullptr;  ///< absorbed: zeros for the rows of sequences without inputs
    int64_t empty_count = 0;
  };

  CudaLearnedCross() = default;
  /// As LearnedCrossAttention.
  CudaLearnedCross(const CudaDevicePtr& device, const float* q, int64_t queries, int64_t in, int64_t heads,
                   int64_t qk, int64_t v, const LearnedCrossAttention::Tensors& tensors);
  bool absorbed() const { return absorbed_; }
  void lay_out(Carver& carver, int64_t max_inputs, int64_t max_sequences, Buffers& b) const;
  static int64_t parcel_bytes(int64_t max_sequences);
  /// y: run()'s.
  void put(const CudaOffsets& cu_inputs, const CudaOffsets& cu_rows, float* y, DeviceBlock& parcel,
           Buffers& b) const;
  int64_t scratch(const CudaDevice& device, int64_t max_inputs, int64_t max_sequences) const;
  /// y [cu_rows total, v]; `sizes`: how often each input counts, or null.
  void run(const CudaStream& stream, const float* inputs, const float* sizes, const CudaOffsets& cu_inputs,
           const CudaOffsets& cu_rows, const Buffers& b, float* y, const CudaScratch& scratch) const;

 private:
  AttentionShape shape() const {
    return absorbed_ ? AttentionShape{heads_, 1, in_, in_} : AttentionShape::of_channels(heads_, qk_, v_);
  }
  int64_t q_width() const { return absorbed_ ? heads_ * in_ : qk_; }

  int64_t queries_ = 0, in_ = 0, heads_ = 1, qk_ = 0, v_ = 0;
  bool absorbed_ = false;
  CudaArray<float> q_, zeros_;
  CudaLinear kv_;
  std::vector<CudaLinear> v_heads_;  ///< absorbed: [v/heads, in] each
};

}  // namespace sns
