#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// Values are part of the ABI.
enum class ContrastiveLoss : int32_t {
  kClip = 0,    ///< mean of the two cross-entropies over rows and over columns (Radford et al. 2021)
  kSigLip = 1,  ///< −Σ_ij log σ(y_ij·z_ij)/n, y = 1 on the diagonal, −1 off it (Zhai et al. 2023)
};

/// z = exp(logit_scale)·a·bᵀ + logit_bias of n pairs (a_i, b_i), dense [n, dim], usually L2-normalised.
struct ContrastiveArgs {
  const float *a = nullptr, *b = nullptr;
  int64_t n = 0, dim = 0;
  ContrastiveLoss kind = ContrastiveLoss::kClip;
  float logit_scale = 0;               ///< natural logarithm, at most kMaxLogitScale
  float logit_bias = 0;                ///< CLIP's loss does not depend on it
  float *da = nullptr, *db = nullptr;  ///< gradients, dense [n, dim]
};
struct ContrastiveResult {
  double loss = 0, d_logit_scale = 0, d_logit_bias = 0;
};

constexpr float kMaxLogitScale = 20;

/// Bound on the squared relative error of the loss against contrastive_ref for logits within ±60: their own
/// fp32 rounding, some 1e-5, is the relative error of the probabilities (at ±100, where CLIP clamps its
/// scale, the worst of 45,000 random cases was 1.5e-9). A gradient is a sum of both signs, da_i =
/// s·Σ_j g_ij·b_j, and for rows of length 1 its error is bounded relative to what may cancel: Σ_i(s·Σ_j
/// |g_ij|)²; gradients below the smallest normal float may be 0.
constexpr double kContrastiveNmse = 1e-9;

/// The n×n logits live in scratch.
size_t contrastive_scratch(int64_t n, int64_t dim, int threads);
/// n = 0 gives a loss of 0. Numbers do not depend on threads.
ContrastiveResult contrastive_cpu(const ContrastiveArgs& args, void* scratch, Parallel& parallel);

/// float64 oracle; da and db are dense [n, dim], g = dloss/dz [n, n] or null.
ContrastiveResult contrastive_ref(const ContrastiveArgs& args, double* da, double* db, double* g = nullptr);

/// Logits alone, for inference: out [n, m] dense.
size_t contrastive_logits_scratch(int64_t n, int64_t m, int64_t dim, int threads);
void contrastive_logits_cpu(const float* a, int64_t n, const float* b, int64_t m, int64_t dim,
                            float logit_scale, float logit_bias, float* out, void* scratch,
                            Parallel& parallel);

}  // namespace sns
