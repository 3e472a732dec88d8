#pragma once

#include <new>
#include <string>
#include <system_error>
#include <type_traits>

#include "core/status.h"
#include "sensorium.h"

namespace sns {

/// Remembers the calling thread's last error. Never throws: without memory a long text is cut short.
void set_last_error(const char* message, const char* field, int64_t limit) noexcept;

/// Runs f() and turns whatever it throws into a code and the thread's last error.
template <class F>
int32_t guard(F&& f) noexcept {
  try {
    f();
    return SNS_OK;
  } catch (const Error& e) {
    set_last_error(e.what(), e.field().c_str(), e.limit());
    return static_cast<int32_t>(e.code());
  } catch (const std::bad_alloc&) {
    set_last_error("out of memory", "", -1);
    return SNS_ERROR_OUT_OF_MEMORY;
  } catch (const std::system_error& e) {  // std::thread without resources
    set_last_error(e.what(), "threads", -1);
    return SNS_ERROR_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    set_last_error(e.what(), "", -1);
    return SNS_ERROR_INTERNAL;
  } catch (...) {
    set_last_error("unknown exception", "", -1);
    return SNS_ERROR_INTERNAL;
  }
}

[[noreturn]] inline void invalid(const std::string& field, const std::string& what) {
  throw Error(Code::kInvalidArgument, field, field + ": " + what);
}

template <class T>
T* not_null(T* p, const char* field) {
  if (!p) invalid(field, "null");
  return p;
}

/// A structure that the caller filled in or wants filled in: not null and of this version's size.
template <class T>
T* checked_struct(T* p, const char* field) {
  not_null(p, field);
  if (p->struct_size != static_cast<int64_t>(sizeof(T))) {
    invalid(std::string(field) + ".struct_size",
            std::to_string(p->struct_size) + ", this library's is " + std::to_string(sizeof(T)));
  }
  return p;
}

/// An enumeration whose values run from 0 to `last`.
template <class E>
E checked_enum(int64_t value, E last, const char* field) {
  if (value < 0 || value > static_cast<int64_t>(last)) {
    invalid(field,
            std::to_string(value) + " is outside [0, " + std::to_string(static_cast<int64_t>(last)) + "]");
  }
  return static_cast<E>(value);
}

inline bool checked_bool(int64_t value, const char* field) { return checked_enum(value, 1, field) == 1; }

/// Copies UTF-8 text into a C array, cut at the end of a character where it is too long.
template <size_t N>
void copy_text(const std::string& text, char (&out)[N]) {
  size_t n = text.size() < N ? text.size() : N - 1;
  if (n < text.size()) {
    while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
  }
  text.copy(out, n);
  for (size_t i = n; i < N; ++i) out[i] = '\0';
}

}  // namespace sns
