#include "backend/cuda/table.h"

#include "backend/cuda/ops.h"
#include "backend/cuda/runtime.h"

namespace sns::gpu {
namespace {

const Ops kOps = {
    linear_cuda,
    mlp_cuda,
    mlp_cuda_workspace,
    gated_mlp_cuda,
    gated_mlp_cuda_workspace,
    layer_norm_cuda,
    rms_norm_cuda,
    embed_cuda,
    pack_cuda,
    attention_cuda,
    attention_cuda_workspace,
    patch_embed_cuda,
    log_mel_cuda,
    log_mel_cuda_workspace,
    log_mel_linear_cuda_serves,
    log_mel_linear_cuda,
    log_mel_frames_cuda,
    log_mel_spectrum_cuda,
    yuv_cuda,
    resize_u8_cuda,
    resize_f32_cuda,
    segment_mean_cuda,
    l2_normalize_cuda,
    l2_normalize_grad_cuda,
    resample_cuda,
    rotary_table_cuda,
    rotary_cuda,
    gemm_cuda,
    bias_activation_cuda,
    bias_activation_grad_cuda,
    bias_grad_cuda,
    token_merge_cuda,
    token_merge_cuda_workspace,
    vector_quantize_cuda,
    vector_quantize_cuda_workspace,
    residual_quantize_cuda,
    residual_quantize_cuda_workspace,
    leave_codes_cuda,
    residual_decode_cuda,
    fsq_encode_cuda,
    fsq_decode_cuda,
    kmeans_cuda_workspace,
    kmeans_start_cuda,
    kmeans_assign_cuda,
    kmeans_move_cuda,
    contrastive_cuda,
    contrastive_cuda_workspace,
    contrastive_logits_cuda,
    top_k_cuda,
    top_k_cuda_workspace,
};

}  // namespace
}  // namespace sns::gpu

extern "C" __attribute__((visibility("default"))) const sns_cuda_table* sns_cuda_get_table(void) {
  static const sns_cuda_table table = {
      SNS_CUDA_TABLE_VERSION, 0,
      sns::gpu::ops_layout(), sns::gpu::device_count,
      sns::gpu::device_info,  &sns::gpu::kRuntime,
      &sns::gpu::kOps,
  };
  return &table;
}
