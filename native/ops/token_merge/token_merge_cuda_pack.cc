#include "ops/token_merge/token_merge_cuda.h"

namespace sns {

TokenMergeCudaRound token_merge_cuda_round(const TokenMergeArgs& args) {
  TokenMergeCudaRound round;
  round.args = args;
  if (args.merge == 0) return round;
  const TokenMergeSplit split(args);
  const int64_t ld = 2 * args.ld_metric;
  round.candidates = {args.metric + 2 * split.first_a * args.ld_metric, split.a_rows - split.first_a, ld};
  round.targets = {args.metric + (2 * split.first_b + 1) * args.ld_metric, split.b_rows - split.first_b, ld};
  return round;
}

}  // namespace sns
