#pragma once

#include "abi/handles.h"
#include "abi/turn.h"

namespace sns {

/// A turn of a session that no request is under way in.
class SessionTurn {
 public:
  explicit SessionTurn(sns_session session) : turn_(session->busy, "session") {
    if (session->started.load(std::memory_order_acquire)) {
      throw Error(Code::kIllegalState, "session", "session: a request was started and not finished");
    }
  }

 private:
  Turn turn_;
};

}  // namespace sns
