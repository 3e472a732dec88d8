#pragma once

#include "pipeline/sequence.h"

namespace sns {

/// Consecutive rows of the packed sequence, in the items' order.
struct TokenRun {
  int64_t time = 0;   ///< start of the first of them, microseconds
  int64_t chunk = 0;  ///< of time; 0 unless the order is kChunks
  int64_t first = 0, count = 0;
  int32_t rank = 0;  ///< of the modality on ties
};

/// Fills `out` with the rows of `count` items, which are one sequence's or more, in the order that is asked
/// for, and returns the number of runs: at most one for each row. `span` [rows, 2] holds every token's times.
/// Text stands where it is; the other items between two texts are merged.
int64_t interleave(const ItemPlan* plans, int64_t count, const int64_t* span, TokenOrder order,
                   int64_t chunk_us, TokenRun* out);

/// Copies the described tokens into another table, run by run.
void reorder(const TokenRun* runs, int64_t count, const TokenTable& from, const TokenTable& to);

}  // namespace sns
