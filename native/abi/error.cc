#include <algorithm>
#include <cstring>
#include <memory>

#include "abi/guard.h"

namespace sns {
namespace {

/// Fixed room for usual texts, so that reporting a lack of memory needs none; the heap for long lists.
struct LastError {
  char short_message[512] = "";
  char field[256] = "";
  int64_t limit = -1;
  std::unique_ptr<char[]> long_message;
};

LastError& last_error() {
  thread_local LastError error;
  return error;
}

void copy_cut(const char* text, char* out, size_t size) {
  const size_t n = std::min(std::strlen(text), size - 1);
  std::memcpy(out, text, n);
  out[n] = '\0';
}

}  // namespace

void set_last_error(const char* message, const char* field, int64_t limit) noexcept {
  LastError& e = last_error();
  e.limit = limit;
  copy_cut(field, e.field, sizeof(e.field));
  copy_cut(message, e.short_message, sizeof(e.short_message));
  e.long_message.reset();
  const size_t size = std::strlen(message) + 1;
  if (size > sizeof(e.short_message)) {
    e.long_message.reset(new (std::nothrow) char[size]);
    if (e.long_message) std::memcpy(e.long_message.get(), message, size);
  }
}

}  // namespace sns

extern "C" {

int32_t sns_abi_version(void) { return SNS_ABI_VERSION; }

const char* sns_version(void) { return SNS_VERSION; }

const char* sns_last_error(void) {
  const sns::LastError& e = sns::last_error();
  return e.long_message ? e.long_message.get() : e.short_message;
}

const char* sns_last_error_field(void) { return sns::last_error().field; }

int64_t sns_last_error_limit(void) { return sns::last_error().limit; }

}  // extern "C"
