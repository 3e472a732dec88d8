#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/parallel.h"

namespace sns {

class CudaDevice;

/// One random case of an op compared with its float64 oracle.
struct Parity {
  std::string shape;    ///< what was run, readable: "rows 37, 768→512, gelu, residual"
  std::string measure;  ///< "NMSE", "max |Δ|", "mismatches"
  double error = 0;     ///< NaN or anything above the limit is a failure
  double limit = 0;
  bool guards_ok = true;  ///< no byte around any output was touched
  bool ok() const { return guards_ok && error <= limit; }
};

/// One representative shape to be timed. run() does the work once and allocates nothing.
struct Work {
  std::string shape;
  double flops = 0;  ///< useful floating-point operations of one run, 0 if it only moves bytes
  double bytes = 0;  ///< compulsory traffic of one run: inputs + weights + outputs, each once
  std::function<void(Parallel&)> run;
  bool bf16 = false;  ///< its products are of bfloat16: held against that ceiling
};

/// What every op brings along (ops/<op>/<op>_check.cc): the same code serves the unit tests, `sensorium
/// check` and the native benchmark.
struct OpCheck {
  const char* name;
  Parity (*parity)(uint64_t seed, Parallel& parallel);
  std::vector<Work> (*works)();
  /// The same cases by the op's CUDA kernels; null: there are none.
  Parity (*cuda_parity)(uint64_t seed, const std::shared_ptr<const CudaDevice>& device);
};

/// All ops, in the order of the data's road.
const std::vector<OpCheck>& op_checks();

/// Ceilings of this machine as measured now, all workers busy: fused multiply-adds in fp32, products of
/// bfloat16 with fp32 sums (0 where there are no units for them), and streaming reads.
struct Ceiling {
  double gflops = 0;
  double bf16_gflops = 0;
  double gbytes_per_s = 0;
  double gflops_of(const Work& work) const { return work.bf16 ? bf16_gflops : gflops; }
};
Ceiling measure_ceiling(Parallel& parallel);

}  // namespace sns
