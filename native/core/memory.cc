#include "core/memory.h"

#include <atomic>

namespace sns {
namespace {
std::atomic<int64_t> fail_after{-1};
}

void set_alloc_failure(int64_t nth) { fail_after.store(nth); }

void* aligned_malloc(size_t bytes) {
  if (fail_after.load(std::memory_order_relaxed) >= 0 && fail_after.fetch_sub(1) == 0) throw std::bad_alloc();
  if (bytes > SIZE_MAX - kAlign) throw std::bad_alloc();
  void* p = std::aligned_alloc(kAlign, (bytes + kAlign) / kAlign * kAlign);
  if (!p) throw std::bad_alloc();
  return p;
}

void aligned_free(void* p) noexcept { std::free(p); }

}  // namespace sns
