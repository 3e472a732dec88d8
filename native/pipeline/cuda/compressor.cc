#include "pipeline/cuda/compressor.h"

#include "pipeline/cuda/perceiver.h"

namespace sns {

std::unique_ptr<const CudaCompressor> make_cuda_compressor(const CudaDevicePtr& device,
                                                           const ModelParts& parts, int64_t d,
                                                           Parallel& parallel) {
  WeightReader reader(parts.tensors);
  if (parts.merge)
    throw Error(Code::kUnavailable, "merge", "merge: token merging is not there on the GPU yet");
  if (parts.perceiver) {
    const PerceiverDecoderConfig* decoder = parts.perceiver_decoder ? &*parts.perceiver_decoder : nullptr;
    return std::make_unique<const CudaPerceiver>(
        device, *parts.perceiver, decoder, d, take_perceiver(*parts.perceiver, decoder, d, reader), parallel);
  }
  const char* part = parts.resampler ? "resampler"
                     : parts.qformer ? "qformer"
                     : parts.pool    ? "pool"
                                     : nullptr;
  if (part) {
    throw Error(Code::kUnavailable, part,
                std::string(part) + ": this compressor is not there on the GPU yet");
  }
  return nullptr;
}

}  // namespace sns
