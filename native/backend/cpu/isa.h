#pragma once

namespace sns {

/// Instruction sets the kernels are compiled for, weakest first.
enum class Isa : int { kSse4 = 0, kAvx2 = 1, kAvx512 = 2, kNeon = 3 };

/// The strongest set that this CPU and operating system offer and that the environment variable
/// SENSORIUM_MAX_ISA (sse4 | avx2 | avx512) permits. Fixed at the first call.
Isa isa();
const char* isa_name(Isa isa);

/// AVX-512 VNNI, VNNI with VBMI, and BF16 present, and not capped away (SENSORIUM_MAX_ISA below avx512 hides
/// them).
bool has_avx512_vnni();
bool has_avx512_vbmi();
bool has_avx512_bf16();

}  // namespace sns
