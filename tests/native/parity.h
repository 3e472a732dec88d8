#pragma once

#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/thread_pool.h"
#include "check/check.h"
#include "seed.h"

namespace sns {

/// Runs `cases` random cases of an op against its oracle, on one thread and on three.
inline void expect_parity(const OpCheck& op, int cases) {
  const uint64_t seed = printed_seed(std::string(op.name) + " on " + isa_name(isa()));
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
