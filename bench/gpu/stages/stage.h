#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "check/guarded.h"
#include "pipeline/cuda/device.h"
#include "pipeline/engine.h"

namespace sns {

/// What the device gives, measured in the same run.
struct Ceilings {
  double bytes_per_s = 0, flops_per_s = 0;
};

/// What is timed, and how.
struct Bench {
  std::shared_ptr<Engine> engine;
  int64_t batch = 1;
  int repeats = 30;
  bool tiny = false;
  std::regex only{""};  ///< names of stages
  Ceilings ceilings;
  const CudaDevicePtr& device() const { return engine->cuda(); }
  bool fast() const { return device()->precision() == Precision::kFast; }
  bool wanted(const std::string& stage) const { return std::regex_search(stage, only); }
  int64_t size(int64_t full, int64_t trial) const { return tiny ? trial : full; }
};

/// A stage's name, under which peers.py has the same work, and its size.
struct Stage {
  std::string name, shape;
  int64_t batch = 1;
  /// What must be read and written once (inputs as they are given, weights in bfloat16, codes and indexed
  /// vectors in fp32, fp32 results), and the useful multiplications and additions, each counted once whatever
  /// the precision: kStrict's further passes are ours to pay.
  double bytes = 0, flops = 0;
};

/// Copies on the device and one large bfloat16 product of the project's own GEMM.
Ceilings measure_ceilings(const CudaDevicePtr& device, int repeats, bool tiny);

/// Median seconds of one call; f() gives work to the device, wait() waits for it. Where calls are short,
/// several are given at once, so that what is timed is the device's work and not the host's.
double median(int repeats, const std::function<void()>& f, const std::function<void()>& wait,
              int64_t most_calls);

/// The same of what f() gives to the stream, captured once and replayed as a session replays its graph.
double replayed(const CudaStream& stream, int repeats, const std::function<void()>& f);

/// One JSON line. road: "device" (operands there, results stay there), "host to host", "host to device".
void print(const Bench& bench, const Stage& stage, const char* road, double seconds);

/// Of a stage that failed: says so. Returns how many failed, 0 or 1.
int attempt(const std::string& stage, const std::function<void()>& f);

/// Whole requests of single-stage models, and launches of what no model has by itself; how many failed.
int time_pipelines(const Bench& bench);
int time_ops(const Bench& bench);

inline std::string text(int64_t n) { return std::to_string(n); }
inline double product(std::initializer_list<int64_t> factors) {
  double p = 1;
  for (const int64_t f : factors) p *= static_cast<double>(f);
  return p;
}

}  // namespace sns
