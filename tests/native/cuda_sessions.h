#pragma once

#include "cuda_support.h"
#include "pipeline_support.h"

// For sessions of a CUDA engine beside sessions on the CPU.

namespace sns {

/// The items as a request of so many sequences, one after the other.
inline std::vector<Item> request(const std::vector<OwnedItem>& items, int64_t sequences = 1) {
  std::vector<Item> list;
  const int64_t count = static_cast<int64_t>(items.size());
  for (int64_t i = 0; i < count; ++i) {
    list.push_back(items[static_cast<size_t>(i)].item);
    list.back().sequence = i * sequences / count;
  }
  return list;
}

}  // namespace sns
