#pragma once

#include "ops/embed/embed.h"

namespace sns {

/// One text of a batch. Its ids are rows first_row, first_row + 1 … of the batch.
struct EmbedCudaItem {
  const int64_t* ids = nullptr;
  float* y = nullptr;  ///< [ids, dim], row stride ldy
  int64_t first_row = 0;
};
struct EmbedCudaArgs {
  const float* table = nullptr;  ///< [vocabulary, dim]
  int64_t dim = 0, ldy = 0;
  const float* position = nullptr;       ///< [ids of the longest, dim] or null
  const EmbedCudaItem* items = nullptr;  ///< device array [count], first_row ascending from 0
  int64_t count = 0;
  const int64_t* rows = nullptr;  ///< device: ids of all items
  int64_t max_rows = 0;           ///< at least *rows
};

/// embed_cpu of every item; ids must be valid.
int embed_cuda(const EmbedCudaArgs& args, void* stream);

}  // namespace sns
