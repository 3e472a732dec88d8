#pragma once

#include <memory>

#include "pipeline/compressor.h"
#include "pipeline/cuda/blocks.h"
#include "pipeline/model.h"

namespace sns {

/// The largest request of a session.
struct CudaLimits {
  int64_t max_items = 0, max_tokens = 0, max_sequences = 0;
};

/// Packed tokens of a request; all pointers but CudaOffsets::host are device pointers.
struct CudaCompressorInput {
  const float* tokens = nullptr;
  CudaOffsets cu_tokens, cu_latents;
  const float* sizes = nullptr;  ///< how many tokens each stands for; null = 1 each
  int64_t empty = 0;             ///< sequences without tokens
};

/// What a session holds to compress on the GPU: where its buffers lie and what the current request put into
/// the parcel. The numbers (latents of a sequence, width) are those of the host's Compressor.
class CudaCompression {
 public:
  virtual ~CudaCompression() = default;
  /// Takes device memory; called twice, first with a carver that only counts.
  virtual void lay_out(Carver& carver, const CudaLimits& limits) = 0;
  /// Most bytes that put() needs.
  virtual int64_t parcel_bytes(const CudaLimits& limits) const = 0;
  virtual void put(const CudaCompressorInput& in, DeviceBlock& parcel) = 0;
  /// Numbers that decide, beside the bounds in put()'s input, which work run() is.
  struct Key {
    const int64_t* numbers = nullptr;
    int64_t count = 0;
  };
  virtual Key key() const { return {}; }
  /// Device bytes of the scratch that run() may use.
  virtual int64_t scratch(const CudaDevice& device, const CudaLimits& limits) const = 0;
  /// Returns latents [cu_latents[sequences], dim] in its own memory.
  virtual const float* run(const CudaStream& stream, const CudaCompressorInput& in,
                           const CudaScratch& scratch) = 0;
};

/// The compressor's weights on the GPU; shared by sessions.
class CudaCompressor {
 public:
  virtual ~CudaCompressor() = default;
  virtual std::unique_ptr<CudaCompression> session() const = 0;
};

/// Null where the model has no compressor.
std::unique_ptr<const CudaCompressor> make_cuda_compressor(const CudaDevicePtr& device,
                                                           const ModelParts& parts, int64_t d_model,
                                                           Parallel& parallel);

}  // namespace sns
