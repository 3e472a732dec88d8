#include "backend/cpu/device.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstring>
#endif

#include "backend/cpu/isa.h"

namespace sns {
namespace {

int affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));  // more than 1024 processors
}

/// First number of a one-line file; -1 when there is none ("max", no such file).
int64_t first_number(const char* path) {
  std::ifstream file(path);
  int64_t value;
  return file >> value ? value : -1;
}

/// Processors that the quota is worth, rounded up; INT32_MAX without one.
int64_t quota() {
  int64_t quota = -1, period = -1;
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  if (!(v2 >> quota >> period)) {
    quota = first_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    period = first_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  }
  if (quota <= 0 || period <= 0) return INT32_MAX;
  return std::max<int64_t>(1, quota / period + (quota % period != 0));
}

}  // namespace

int cpu_processors() { return static_cast<int>(std::min<int64_t>(affinity(), quota())); }

int64_t cpu_memory_bytes() {
  int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const int64_t limit = first_number(path);
    if (limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

std::string cpu_name() {
#if defined(__x86_64__)
  unsigned regs[12];
  if (__get_cpuid_max(0x80000000u, nullptr) >= 0x80000004u) {
    for (unsigned i = 0; i < 3; ++i) {
      __get_cpuid(0x80000002u + i, &regs[4 * i], &regs[4 * i + 1], &regs[4 * i + 2], &regs[4 * i + 3]);
    }
    char text[sizeof(regs) + 1] = {};
    std::memcpy(text, regs, sizeof(regs));
    std::string name(text);
    const size_t first = name.find_first_not_of(' ');
    if (first != std::string::npos) return name.substr(first, name.find_last_not_of(' ') - first + 1);
  }
  return "x86-64";
#else
  return "aarch64";
#endif
}

std::string cpu_isa() {
  std::string text = isa_name(isa());
  std::string more;
  if (has_avx512_vnni()) more += " +vnni";
  if (has_avx512_vbmi()) more += " +vbmi";
  if (has_avx512_bf16()) more += " +bf16";
  return more.empty() ? text : text + " (" + more.substr(1) + ")";
}

}  // namespace sns
