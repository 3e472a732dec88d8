#pragma once

#include <optional>
#include <vector>

#include "pipeline/cuda/cross_attention.h"
#include "pipeline/perceiver.h"

namespace sns {

/// PerceiverCross on the GPU: learned rows, projected when the model is made, read inputs once.
class CudaPerceiverCross {
 public:
  struct Buffers {
    float* start = nullptr;          ///< [rows, dim] of all sequences
    float* normed_inputs = nullptr;  ///< [inputs, in]
    CudaLearnedCross::Buffers attention;
    float *attended = nullptr, *normed = nullptr;  ///< [rows, v], [rows, dim]
    float* y = nullptr;                            ///< [rows, dim], the result
    CudaRepeat repeat_start;
  };

  CudaPerceiverCross(const CudaDevicePtr& device, const PerceiverCross::Shape& shape,
                     const PerceiverLayerTensors& tensors, Parallel& parallel);
  const PerceiverCross::Shape& shape() const { return shape_; }
  void lay_out(Carver& carver, int64_t max_inputs, int64_t max_sequences, Buffers& b) const;
  void put(const CudaOffsets& cu_inputs, const CudaOffsets& cu_rows, DeviceBlock& parcel, Buffers& b) const;
  int64_t scratch(const CudaDevice& device, int64_t max_inputs, int64_t max_sequences) const;
  /// `sizes`: how often each input counts, or null.
  void run(const CudaStream& stream, const float* inputs, const float* sizes, const CudaOffsets& cu_inputs,
           const CudaOffsets& cu_rows, const Buffers& b, const CudaScratch& scratch) const;

 private:
  PerceiverCross::Shape shape_;
  CudaArray<float> start_;
  CudaLearnedCross attention_;
  CudaNorm norm_inputs_, norm_mlp_;
  CudaLinear out_, up_, down_;
};

/// Perceiver and Perceiver IO on the GPU.
class CudaPerceiver final : public CudaCompressor {
 public:
  CudaPerceiver(const CudaDevicePtr& device, const PerceiverConfig& config,
                const PerceiverDecoderConfig* decoder, int64_t d_model, const PerceiverTensors& tensors,
                Parallel& parallel);
  std::unique_ptr<CudaCompression> session() const override;

 private:
  friend class CudaPerceiverSession;
  struct Layer {
    CudaNorm norm, norm_mlp;
    CudaLinear in, out, up, down;  // in: Q, K and V side by side
  };

  PerceiverConfig config_;
  CudaPerceiverCross cross_;
  std::vector<Layer> self_;
  std::optional<CudaPerceiverCross> decoder_;
};

}  // namespace sns
