#pragma once

#include "core/bfloat16.h"
#include "ops/token_merge/token_merge.h"
#include "ops/vector_quantize/nearest_cuda.h"

namespace sns {

/// Sizes of the split into candidates A (even rows) and targets B (odd rows).
struct TokenMergeSplit {
  int64_t a_rows, b_rows, kept;
  int64_t first_a, first_b;  ///< that are not protected
  SNS_HOST_DEVICE explicit TokenMergeSplit(const TokenMergeArgs& args)
      : a_rows((args.rows + 1) / 2),
        b_rows(args.rows / 2),
        kept(a_rows - args.merge),
        first_a((args.protect + 1) / 2),
        first_b(args.protect / 2) {}
};

/// One round over one sequence. It lies in the device's memory, so that one captured launch serves sequences
/// of many lengths.
struct TokenMergeCudaRound {
  TokenMergeArgs args;                  ///< rows = 0: nothing is done
  NearestCudaRows candidates, targets;  ///< of the metric; none where nothing is merged
};
/// Of args whose pointers are the device's.
TokenMergeCudaRound token_merge_cuda_round(const TokenMergeArgs& args);

/// Of rounds of up to so many rows.
size_t token_merge_cuda_workspace(int64_t rows, int64_t metric_dim);
/// token_merge_cpu on the GPU: the same pairs as the oracle. The round has at most `rows` rows and leaves at
/// most `left`; its metric is metric_dim wide.
int token_merge_cuda(const TokenMergeCudaRound* round, int64_t rows, int64_t left, int64_t metric_dim,
                     void* workspace, void* stream);

}  // namespace sns
