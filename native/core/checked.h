#pragma once

#include <cstdint>

#include "core/status.h"

namespace sns {

/// a·b of non-negative sizes; throws kInvalidShape naming `field` on a negative operand or overflow.
inline int64_t checked_mul(int64_t a, int64_t b, const char* field) {
  int64_t r;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &r)) {
    throw Error(Code::kInvalidShape, field, std::string(field) + ": size is negative or overflows 64 bits");
  }
  return r;
}

/// a+b of non-negative sizes; throws like checked_mul.
inline int64_t checked_add(int64_t a, int64_t b, const char* field) {
  int64_t r;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &r)) {
    throw Error(Code::kInvalidShape, field, std::string(field) + ": size is negative or overflows 64 bits");
  }
  return r;
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

}  // namespace sns
