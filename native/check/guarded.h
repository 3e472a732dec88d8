#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/memory.h"

namespace sns {

/// A buffer between two rows of guard bytes, its payload poisoned (NaN for floats), so that a kernel that
/// writes outside, or leaves part of its output unwritten, is seen.
template <class T>
class Guarded {
 public:
  static constexpr int64_t kGuard = 128;  // bytes; keeps the payload 64-byte aligned
  explicit Guarded(int64_t count)
      : count_(count), bytes_(2 * kGuard + round_up(count * static_cast<int64_t>(sizeof(T)), 64)) {
    std::memset(bytes_.data(), 0xA5, static_cast<size_t>(bytes_.size()));
    T poison{};
    if constexpr (std::numeric_limits<T>::has_quiet_NaN) {
      poison = std::numeric_limits<T>::quiet_NaN();
    } else {
      std::memset(&poison, 0x7B, sizeof(T));
    }
    std::fill(data(), data() + count, poison);
  }
  T* data() { return reinterpret_cast<T*>(bytes_.data() + kGuard); }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.data() + kGuard); }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }
  bool intact() const {
    const unsigned char* b = bytes_.data();
    const int64_t end = kGuard + count_ * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < kGuard; ++i) {
      if (b[i] != 0xA5) return false;
    }
    for (int64_t i = end; i < bytes_.size(); ++i) {
      if (b[i] != 0xA5) return false;
    }
    return true;
  }
  /// intact(), and of an output [rows, cols] with stride ld nothing was written beside its rows: the poison
  /// is still there.
  bool rows_intact(int64_t rows, int64_t cols, int64_t ld) const {
    bool poisoned = true;
    for (int64_t r = 0; cols > 0 && r < rows; ++r) {
      const int64_t end = std::min((r + 1) * ld, count_);
      for (int64_t i = r * ld + cols; i < end; ++i) poisoned &= std::isnan((*this)[i]);
    }
    return intact() && poisoned;
  }

 private:
  int64_t count_;
  AlignedArray<unsigned char> bytes_;
};

/// Σ(y−ref)²/Σref² over a [rows, cols] matrix with row stride ld against a dense oracle; NaN where y holds
/// one.
inline double nmse(const float* y, int64_t ld, const double* ref, int64_t rows, int64_t cols) {
  double num = 0, den = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      const double d = static_cast<double>(y[r * ld + c]) - ref[r * cols + c];
      num += d * d;
      den += ref[r * cols + c] * ref[r * cols + c];
    }
  }
  return num == 0 ? 0 : num / std::max(den, 1e-300);
}

/// The same of `count` floats against floats; where the reference is nothing, Σ(y−ref)².
inline double nmse(const float* y, const float* ref, int64_t count) {
  double num = 0, den = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(y[i]) - ref[i];
    num += d * d;
    den += static_cast<double>(ref[i]) * ref[i];
  }
  return den > 0 ? num / den : num;
}

/// Small, fast, seedable and the same everywhere (SplitMix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// Uniform in [low, high].
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool coin() { return (next() & 1) != 0; }
  /// Standard normal (Box–Muller).
  double normal() {
    const double u = 1.0 - uniform(), v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * M_PI * v);
  }
  template <class It>
  void fill_normal(It first, It last, double deviation = 1.0) {
    for (; first != last; ++first) *first = static_cast<float>(deviation * normal());
  }

 private:
  uint64_t state_;
};

}  // namespace sns
