#pragma once

// Softmax of a row of logits against its diagonal, which is kept apart so that a perfect match loses no
// digits.

#include <cmath>

#include "core/bfloat16.h"

namespace sns {

/// Stands on the diagonal and in the padding of the logits: below every logit, its exponential is 0.
constexpr float kNoLogit = -1e30f;

/// What the off-diagonal top and sum and the diagonal give together.
struct Softmax {
  double loss;    ///< −log p of the diagonal
  double others;  ///< 1 − p of the diagonal
  float weight;   ///< p of another = e^(z − top)·weight
};
SNS_HOST_DEVICE inline Softmax with_diagonal(float top, float sum, float diagonal) {
  const double gap = static_cast<double>(top) - static_cast<double>(diagonal);
  if (gap <= 0) {  // e^gap may be 0: a perfect match
    const double off = static_cast<double>(sum) * std::exp(gap);
    return {std::log1p(off), off / (1 + off), static_cast<float>(std::exp(gap) / (1 + off))};
  }
  const double total = static_cast<double>(sum) + std::exp(-gap);
  return {gap + std::log(total), static_cast<double>(sum) / total, static_cast<float>(1 / total)};
}

}  // namespace sns
