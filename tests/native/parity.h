#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "backend/cpu/isa.h"
#include "backend/cpu/thread_pool.h"
#include "check/check.h"

namespace sns {

/// Runs `cases` random cases of an op against its oracle, on one thread and on three. The seed is printed and
/// can be set with SENSORIUM_SEED, so that a failure can be repeated.
inline void expect_parity(const OpCheck& op, int cases) {
  const char* fixed = std::getenv("SENSORIUM_SEED");
  const uint64_t seed = fixed ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
  std::printf("%s on %s, SENSORIUM_SEED=%llu\n", op.name, isa_name(isa()),
              static_cast<unsigned long long>(seed));
  Serial serial;
  ThreadPool pool(3);
  for (int i = 0; i < cases; ++i) {
    Parallel& parallel = i % 2 ? static_cast<Parallel&>(pool) : serial;
    const Parity p = op.parity(seed + static_cast<uint64_t>(i), parallel);
    ASSERT_TRUE(p.guards_ok) << op.name << " wrote outside its output: " << p.shape << " (seed " << seed + i
                             << ")";
    ASSERT_LE(p.error, p.limit) << op.name << ", " << p.measure << ": " << p.shape << " (seed " << seed + i
                                << ")";
  }
}

}  // namespace sns
