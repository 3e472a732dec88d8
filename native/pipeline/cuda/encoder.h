#pragma once

#include <vector>

#include "pipeline/cuda/compressor.h"
#include "pipeline/encoder.h"

namespace sns {

/// Encoder on the GPU.
class CudaEncoder {
 public:
  struct Buffers {
    float* x = nullptr;       ///< [max_tokens, d_model], the tokens on their way; of each encoder its own
    float* normed = nullptr;  ///< [max_tokens, d_model], also what attention gives; shared
    float* qkv = nullptr;     ///< [max_tokens, 3·d_model]; shared
    float* turns = nullptr;   ///< [max_tokens, width of a head], rotary only
    // Of the current request.
    const int32_t* grid = nullptr;  ///< row and column of each token, rotary only
  };

  CudaEncoder(const CudaDevicePtr& device, const EncoderConfig& config, int64_t d_model,
              const EncoderTensors& tensors);
  const EncoderConfig& config() const { return config_; }
  int64_t head_dim() const { return d_model_ / config_.heads; }
  int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const;
  /// In place on b.x; item i has rows [cu_items[i], cu_items[i+1]).
  void run(const CudaStream& stream, const CudaOffsets& cu_items, const Buffers& b,
           const CudaScratch& scratch) const;

 private:
  struct Layer {
    CudaNorm norm1, norm2;
    CudaLinear qkv, out, up, down;
  };
  EncoderConfig config_;
  int64_t d_model_;
  CudaArray<int32_t> axis_;      ///< [pairs of a head], rotary only
  CudaArray<double> frequency_;  ///< likewise
  CudaNorm pre_norm_, final_norm_;
  std::vector<Layer> layers_;
};

}  // namespace sns
