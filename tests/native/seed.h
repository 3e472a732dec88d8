#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace sns {

/// A seed of its own for every run, printed behind `what`; SENSORIUM_SEED sets it, so that a failure can be
/// repeated.
inline uint64_t printed_seed(const std::string& what) {
  const char* fixed = std::getenv("SENSORIUM_SEED");
  const uint64_t seed = fixed ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
  std::printf("%s, SENSORIUM_SEED=%llu\n", what.c_str(), static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace sns
