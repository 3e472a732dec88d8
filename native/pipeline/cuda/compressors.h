#pragma once

#include "pipeline/attention_pool.h"
#include "pipeline/cuda/compressor.h"
#include "pipeline/latent_resampler.h"
#include "pipeline/mean_pool.h"
#include "pipeline/qformer.h"
#include "pipeline/token_merger.h"

namespace sns {

// The compressors beside the Perceiver, on the GPU; what they compute is said at the classes of the same
// names.

std::unique_ptr<const CudaCompressor> make_cuda_latent_resampler(const CudaDevicePtr& device,
                                                                 const LatentResamplerConfig& config,
                                                                 int64_t d_model,
                                                                 const LatentResamplerTensors& tensors);
std::unique_ptr<const CudaCompressor> make_cuda_qformer(const CudaDevicePtr& device,
                                                        const QFormerConfig& config, int64_t d_model,
                                                        const QFormerTensors& tensors, Parallel& parallel);
std::unique_ptr<const CudaCompressor> make_cuda_attention_pool(const CudaDevicePtr& device,
                                                               const PoolConfig& config, int64_t d_model,
                                                               const AttentionPoolTensors& tensors,
                                                               Parallel& parallel);
/// Alone, or before the compressor `then` (MergeFirst).
std::unique_ptr<const CudaCompressor> make_cuda_token_merger(const CudaDevicePtr& device,
                                                             const MergeConfig& config, int64_t d_model,
                                                             std::unique_ptr<const CudaCompressor> then);
std::unique_ptr<const CudaCompressor> make_cuda_mean_pool(const CudaDevicePtr& device,
                                                          const PoolConfig& config, int64_t d_model,
                                                          const MeanPoolTensors& tensors);

}  // namespace sns
