#include "backend/cpu/isa.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace sns {
namespace {

#if defined(__x86_64__)
Isa detect() {
  // __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the wide registers.
  Isa best = Isa::kSse4;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
    best = Isa::kAvx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd")) {
      best = Isa::kAvx512;
    }
  }
  const char* cap = std::getenv("SENSORIUM_MAX_ISA");
  for (Isa i : {Isa::kSse4, Isa::kAvx2}) {
    if (cap && std::strcmp(cap, isa_name(i)) == 0 && i < best) best = i;
  }
  return best;
}
#else
Isa detect() { return Isa::kNeon; }
#endif

}  // namespace

Isa isa() {
  static const Isa chosen = detect();
  return chosen;
}

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kSse4:
      return "sse4";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
  }
  return "unknown";
}

bool has_avx512_vnni() {
#if defined(__x86_64__)
  return isa() == Isa::kAvx512 && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

bool has_avx512_vbmi() {
#if defined(__x86_64__)
  return has_avx512_vnni() && __builtin_cpu_supports("avx512vbmi");
#else
  return false;
#endif
}

bool has_avx512_bf16() {
#if defined(__x86_64__)
  return isa() == Isa::kAvx512 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace sns
