#include "check/check.h"

namespace sns {

// One function per op, in ops/<op>/<op>_check.cc.
OpCheck yuv_check();
OpCheck resize_check();
OpCheck resample_check();
OpCheck log_mel_check();
OpCheck patch_embed_check();
OpCheck embed_check();
OpCheck pack_check();
OpCheck linear_check();
OpCheck layer_norm_check();
OpCheck attention_check();
OpCheck mlp_check();
OpCheck vector_quantize_check();
OpCheck token_merge_check();
OpCheck rms_norm_check();
OpCheck gated_mlp_check();
OpCheck segment_mean_check();
OpCheck l2_normalize_check();
OpCheck gemm_check();
OpCheck bias_activation_check();
OpCheck contrastive_check();
OpCheck rotary_check();
OpCheck top_k_check();

const std::vector<OpCheck>& op_checks() {
  static const std::vector<OpCheck> checks = {
      // clang-format off: one op a line
      yuv_check(),          resize_check(),
      resample_check(),     log_mel_check(),
      patch_embed_check(),  embed_check(),
      pack_check(),         linear_check(),
      layer_norm_check(),   attention_check(),
      mlp_check(),          vector_quantize_check(),
      token_merge_check(),  rms_norm_check(),
      gated_mlp_check(),    segment_mean_check(),
      l2_normalize_check(), gemm_check(),
      contrastive_check(),  rotary_check(),
      top_k_check(),        bias_activation_check(),
      // clang-format on
  };
  return checks;
}

}  // namespace sns
