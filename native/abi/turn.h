#pragma once

#include <atomic>
#include <string>

#include "core/status.h"

namespace sns {

/// Marks a handle that serves one caller at a time as used by this thread.
class Turn {
 public:
  Turn(std::atomic<bool>& busy, const char* kind) : busy_(busy) {
    if (busy_.exchange(true, std::memory_order_acquire)) {
      throw Error(Code::kIllegalState, kind, std::string("the ") + kind + " is in use by another thread");
    }
  }
  ~Turn() { busy_.store(false, std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace sns
