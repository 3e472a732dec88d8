#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "core/checked.h"

namespace sns {

/// Cache line and widest vector: every buffer starts on it.
constexpr size_t kAlign = 64;

/// malloc with kAlign alignment; throws std::bad_alloc. The only heap entry point for bulk data, so that
/// tests can make the n-th allocation fail (set_alloc_failure).
void* aligned_malloc(size_t bytes);
void aligned_free(void* p) noexcept;

/// Makes the n-th aligned_malloc from now throw std::bad_alloc (0 = the next); negative turns it off. Tests
/// only.
void set_alloc_failure(int64_t nth);

/// Owning, uninitialised, 64-byte aligned array of a trivial type. Move-only.
template <class T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(int64_t count)
      : data_(static_cast<T*>(aligned_malloc(
            static_cast<size_t>(checked_mul(count, static_cast<int64_t>(sizeof(T)), "allocation"))))),
        size_(count) {}
  AlignedArray(AlignedArray&& other) noexcept { swap(other); }
  AlignedArray& operator=(AlignedArray&& other) noexcept {
    AlignedArray(std::move(other)).swap(*this);
    return *this;
  }
  AlignedArray(const AlignedArray&) = delete;
  AlignedArray& operator=(const AlignedArray&) = delete;
  ~AlignedArray() { aligned_free(data_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  void swap(AlignedArray& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
};

/// Cuts typed, 64-byte aligned pieces out of one block. Made with a null base it only counts, so that the
/// same code answers "how much?" and then hands the pieces out:
///   size_t foo_scratch(shape) { Carver c(nullptr); lay_out(c, shape); return c.bytes(); }
class Carver {
 public:
  explicit Carver(void* base) : base_(static_cast<std::byte*>(base)) {}
  template <class T>
  T* take(int64_t count) {
    constexpr int64_t align = static_cast<int64_t>(kAlign);
    const int64_t at = bytes_;
    const int64_t size = checked_mul(count, static_cast<int64_t>(sizeof(T)), "scratch");
    bytes_ = checked_add(at, checked_add(size, align - 1, "scratch") / align * align, "scratch");
    return base_ ? reinterpret_cast<T*>(base_ + at) : nullptr;
  }
  size_t bytes() const { return static_cast<size_t>(bytes_); }

 private:
  std::byte* base_;
  int64_t bytes_ = 0;
};

}  // namespace sns
