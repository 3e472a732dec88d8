#pragma once

#include "ops/attention/attention_cuda.h"
#include "ops/bias_activation/bias_activation_cuda.h"
#include "ops/contrastive/contrastive_cuda.h"
#include "ops/embed/embed_cuda.h"
#include "ops/gated_mlp/gated_mlp_cuda.h"
#include "ops/gemm/gemm_cuda.h"
#include "ops/l2_normalize/l2_normalize_cuda.h"
#include "ops/layer_norm/layer_norm_cuda.h"
#include "ops/linear/linear_cuda.h"
#include "ops/log_mel/log_mel_cuda.h"
#include "ops/mlp/mlp_cuda.h"
#include "ops/pack/pack_cuda.h"
#include "ops/patch_embed/patch_embed_cuda.h"
#include "ops/resample/resample_cuda.h"
#include "ops/resize/resize_cuda.h"
#include "ops/rms_norm/rms_norm_cuda.h"
#include "ops/rotary/rotary_cuda.h"
#include "ops/segment_mean/segment_mean_cuda.h"
#include "ops/token_merge/token_merge_cuda.h"
#include "ops/top_k/top_k_cuda.h"
#include "ops/vector_quantize/kmeans_cuda.h"
#include "ops/vector_quantize/vector_quantize_cuda.h"
#include "ops/yuv/yuv_cuda.h"

namespace sns::gpu {

/// The launchers of the kernels (ops/<op>/<op>_cuda.h). What only packs weights is host code and stands in
/// libsensorium itself.
struct Ops {
  decltype(&linear_cuda) linear;
  decltype(&mlp_cuda) mlp;
  decltype(&mlp_cuda_workspace) mlp_workspace;
  decltype(&gated_mlp_cuda) gated_mlp;
  decltype(&gated_mlp_cuda_workspace) gated_mlp_workspace;
  decltype(&layer_norm_cuda) layer_norm;
  decltype(&rms_norm_cuda) rms_norm;
  decltype(&embed_cuda) embed;
  decltype(&pack_cuda) pack;
  decltype(&attention_cuda) attention;
  decltype(&attention_cuda_workspace) attention_workspace;
  decltype(&patch_embed_cuda) patch_embed;
  decltype(&log_mel_cuda) log_mel;
  decltype(&log_mel_cuda_workspace) log_mel_workspace;
  decltype(&log_mel_linear_cuda_serves) log_mel_linear_serves;
  decltype(&log_mel_linear_cuda) log_mel_linear;
  decltype(&log_mel_frames_cuda) log_mel_frames;
  decltype(&log_mel_spectrum_cuda) log_mel_spectrum;
  decltype(&yuv_cuda) yuv;
  decltype(&resize_u8_cuda) resize_u8;
  decltype(&resize_f32_cuda) resize_f32;
  decltype(&segment_mean_cuda) segment_mean;
  decltype(&l2_normalize_cuda) l2_normalize;
  decltype(&l2_normalize_grad_cuda) l2_normalize_grad;
  decltype(&resample_cuda) resample;
  decltype(&rotary_table_cuda) rotary_table;
  decltype(&rotary_cuda) rotary;
  decltype(&gemm_cuda) gemm;
  decltype(&bias_activation_cuda) bias_activation;
  decltype(&bias_activation_grad_cuda) bias_activation_grad;
  decltype(&bias_grad_cuda) bias_grad;
  decltype(&token_merge_cuda) token_merge;
  decltype(&token_merge_cuda_workspace) token_merge_workspace;
  decltype(&vector_quantize_cuda) vector_quantize;
  decltype(&vector_quantize_cuda_workspace) vector_quantize_workspace;
  decltype(&residual_quantize_cuda) residual_quantize;
  decltype(&residual_quantize_cuda_workspace) residual_quantize_workspace;
  decltype(&leave_codes_cuda) leave_codes;
  decltype(&residual_decode_cuda) residual_decode;
  decltype(&fsq_encode_cuda) fsq_encode;
  decltype(&fsq_decode_cuda) fsq_decode;
  decltype(&kmeans_cuda_workspace) kmeans_workspace;
  decltype(&kmeans_start_cuda) kmeans_start;
  decltype(&kmeans_assign_cuda) kmeans_assign;
  decltype(&kmeans_move_cuda) kmeans_move;
  decltype(&contrastive_cuda) contrastive;
  decltype(&contrastive_cuda_workspace) contrastive_workspace;
  decltype(&contrastive_logits_cuda) contrastive_logits;
  decltype(&top_k_cuda) top_k;
  decltype(&top_k_cuda_workspace) top_k_workspace;
};

/// A number that changes with the sizes of what crosses the seam.
constexpr int64_t ops_layout() {
  int64_t sum = 0;
  for (const size_t size : {sizeof(Ops),
                            sizeof(LinearCudaWeights),
                            sizeof(LinearArgs),
                            sizeof(MlpArgs),
                            sizeof(GatedMlpArgs),
                            sizeof(LayerNormArgs),
                            sizeof(RmsNormArgs),
                            sizeof(EmbedCudaArgs),
                            sizeof(EmbedCudaItem),
                            sizeof(PackArgs),
                            sizeof(PackSegment),
                            sizeof(AttentionCudaArgs),
                            sizeof(PatchEmbedCudaWeights),
                            sizeof(PatchEmbedCudaArgs),
                            sizeof(PatchEmbedCudaItem),
                            sizeof(LogMelCudaPlan),
                            sizeof(LogMelCudaArgs),
                            sizeof(LogMelCudaItem),
                            sizeof(YuvCuda),
                            sizeof(YuvArgs),
                            sizeof(ResizeU8Pass),
                            sizeof(ResizeF32Cuda),
                            sizeof(ResizeF32Args),
                            sizeof(SegmentMeanArgs),
                            sizeof(L2NormalizeArgs),
                            sizeof(ResampleCudaFilter),
                            sizeof(ResampleCudaArgs),
                            sizeof(RotaryTableArgs),
                            sizeof(RotaryArgs),
                            sizeof(GemmArgs),
                            sizeof(BiasActivationArgs),
                            sizeof(BiasActivationGradArgs),
                            sizeof(BiasGradArgs),
                            sizeof(TokenMergeCudaRound),
                            sizeof(CodebookCuda),
                            sizeof(VectorQuantizeArgs),
                            sizeof(KMeansCudaArgs),
                            sizeof(KMeansCudaState),
                            sizeof(ContrastiveArgs),
                            sizeof(ContrastiveResult),
                            sizeof(TopKCudaVectors),
                            sizeof(TopKArgs)}) {
    sum = sum * 1021 % 1000000007 + static_cast<int64_t>(size);
  }
  return sum;
}

}  // namespace sns::gpu
