#pragma once

// malloc itself counts, and so everything that the library links statically; under AddressSanitizer its own
// hooks do. One translation unit of a test includes this.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace {
std::atomic<int64_t> allocations{0};
std::atomic<int64_t> fail_after{-1};       ///< allocations until one fails; negative = never
std::atomic<bool (*)()> counted{nullptr};  ///< whether the one that is being made counts; null: all do

void count() {
  bool (*const ask)() = counted.load();
  if (!ask || ask()) allocations.fetch_add(1);
}
}  // namespace

#if defined(__SANITIZE_ADDRESS__)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, size_t),
                                                         void (*)(const volatile void*));
namespace {
const int installed = __sanitizer_install_malloc_and_free_hooks([](const volatile void*, size_t) { count(); },
                                                                [](const volatile void*) {});
}
#else
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}
namespace {
const int installed = 1;
bool fails() {
  count();
  return fail_after.load() >= 0 && fail_after.fetch_sub(1) == 0;
}
}  // namespace
extern "C" {
void* malloc(size_t n) { return fails() ? nullptr : __libc_malloc(n); }
void* calloc(size_t n, size_t m) { return fails() ? nullptr : __libc_calloc(n, m); }
void* realloc(void* p, size_t n) { return fails() ? nullptr : __libc_realloc(p, n); }
void* memalign(size_t a, size_t n) { return fails() ? nullptr : __libc_memalign(a, n); }
void* aligned_alloc(size_t a, size_t n) { return memalign(a, n); }
}
#endif
