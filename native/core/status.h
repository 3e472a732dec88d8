#pragma once

#include <cstdint>
#include <exception>
#include <string>

namespace sns {

/// Status codes of the C ABI (sensorium.h repeats them as SNS_*). Values are part of the ABI: never renumber.
enum class Code : int32_t {
  kOk = 0,
  kInvalidArgument = 1,
  kInvalidShape = 2,
  kLimitExceeded = 3,
  kOutOfRange = 4,
  kInvalidWeights = 5,
  kOutOfMemory = 6,
  kUnavailable = 7,
  kIllegalState = 8,
  kDeviceFatal = 9,
  kInternal = 10,
};

/// The one exception type of the native code. `field` names the offending argument ("items[2].height");
/// `limit` is the bound that was broken, or -1 where there is none.
class Error : public std::exception {
 public:
  Error(Code code, std::string field, std::string message, int64_t limit = -1)
      : code_(code), field_(std::move(field)), message_(std::move(message)), limit_(limit) {}
  Code code() const { return code_; }
  const std::string& field() const { return field_; }
  int64_t limit() const { return limit_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string field_;
  std::string message_;
  int64_t limit_;
};

}  // namespace sns
