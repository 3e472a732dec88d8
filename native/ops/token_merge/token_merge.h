#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// Bipartite soft matching (ToMe, Bolya et al. 2023): even rows are candidates (A), odd rows targets (B);
/// each A row's best B row by cosine of the metric (lowest index on ties); the `merge` A rows with the
/// highest similarity (lowest index on ties) are merged into their B rows by size-weighted mean; the order of
/// the output is: kept A rows in order, then B rows in order. The first `protect` rows (cls) are never
/// merged.
struct TokenMergeArgs {
  const float* x = nullptr;  ///< [rows, dim] tokens, stride ldx
  int64_t rows = 0, dim = 0, ldx = 0;
  const float* metric = nullptr;  ///< [rows, metric_dim], stride ld_metric (keys, or the tokens themselves)
  int64_t metric_dim = 0, ld_metric = 0;
  const float* size = nullptr;  ///< [rows] how many original tokens a row stands for; null = all 1
  int64_t protect = 0;
  int64_t merge = 0;   ///< ≤ (rows − protect)/2
  float* y = nullptr;  ///< [rows − merge, dim], stride ldy
  int64_t ldy = 0;
  float* y_size = nullptr;     ///< [rows − merge]
  int32_t* y_index = nullptr;  ///< [rows] the output row that each input row went to; or null
};

constexpr double kTokenMergeNmse = 1e-11;

size_t token_merge_scratch(const TokenMergeArgs& args, int threads);
void token_merge_cpu(const TokenMergeArgs& args, void* scratch, Parallel& parallel);
/// float64 oracle; y dense [rows − merge, dim], the rest as in args.
void token_merge_ref(const TokenMergeArgs& args, double* y, double* y_size, int32_t* y_index);

}  // namespace sns
