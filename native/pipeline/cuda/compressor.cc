#include "pipeline/cuda/compressor.h"

#include "pipeline/cuda/compressors.h"
#include "pipeline/cuda/perceiver.h"

namespace sns {
namespace {

std::unique_ptr<const CudaCompressor> make_last(const CudaDevicePtr& device, const ModelParts& parts,
                                                int64_t d, Parallel& parallel) {
  WeightReader reader(parts.tensors);
  if (parts.perceiver) {
    const PerceiverDecoderConfig* decoder = parts.perceiver_decoder ? &*parts.perceiver_decoder : nullptr;
    return std::make_unique<const CudaPerceiver>(
        device, *parts.perceiver, decoder, d, take_perceiver(*parts.perceiver, decoder, d, reader), parallel);
  }
  if (parts.resampler) {
    const LatentResamplerConfig& c = *parts.resampler;
    return make_cuda_latent_resampler(device, c, d, take_latent_resampler(c, d, reader));
  }
  if (parts.qformer) {
    return make_cuda_qformer(device, *parts.qformer, d, take_qformer(*parts.qformer, d, reader), parallel);
  }
  if (parts.pool && parts.pool->kind == PoolKind::kAttention) {
    return make_cuda_attention_pool(device, *parts.pool, d, take_attention_pool(*parts.pool, d, reader),
                                    parallel);
  }
  if (parts.pool) return make_cuda_mean_pool(device, *parts.pool, d, take_mean_pool(*parts.pool, d, reader));
  return nullptr;
}

}  // namespace

std::unique_ptr<const CudaCompressor> make_cuda_compressor(const CudaDevicePtr& device,
                                                           const ModelParts& parts, int64_t d,
                                                           Parallel& parallel) {
  std::unique_ptr<const CudaCompressor> last = make_last(device, parts, d, parallel);
  return parts.merge ? make_cuda_token_merger(device, *parts.merge, d, std::move(last)) : std::move(last);
}

}  // namespace sns
