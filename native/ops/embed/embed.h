#pragma once

#include <cstdint>

#include "core/parallel.h"

namespace sns {

/// y[i, :] = table[ids[i], :] + position[i, :]. Exact: one fp32 addition at most.
struct EmbedArgs {
  const float* table = nullptr;  ///< [vocabulary, dim]
  int64_t vocabulary = 0, dim = 0;
  const int64_t* ids = nullptr;
  int64_t count = 0;
  const float* position = nullptr;  ///< [count, dim] or null
  float* y = nullptr;
  int64_t ldy = 0;
};

/// Index of the first id outside [0, vocabulary), or -1. embed_cpu requires -1.
int64_t embed_first_invalid(const EmbedArgs& args);
void embed_cpu(const EmbedArgs& args, Parallel& parallel);
/// Oracle; y is dense [count, dim].
void embed_ref(const EmbedArgs& args, double* y);

}  // namespace sns
