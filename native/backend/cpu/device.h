#pragma once

#include <cstdint>
#include <string>

namespace sns {

/// Logical processors this process may use: its affinity mask, cut by the control group's CPU quota.
int cpu_processors();
/// Main memory this process may use: the machine's, cut by the control group's limit.
int64_t cpu_memory_bytes();
/// The processor's marketing name, or the architecture where it has none.
std::string cpu_name();
/// The instruction set in use and its extensions: "avx512 (+vnni +vbmi +bf16)".
std::string cpu_isa();

}  // namespace sns
