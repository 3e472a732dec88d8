// Every op's representative shapes (OpCheck::works) on one thread and on all processors. Counters: GFLOP/s of
// useful work, GB/s of compulsory traffic, and the share of the nearer of the two ceilings measured at start.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "backend/cpu/isa.h"
#include "backend/cpu/thread_pool.h"
#include "check/check.h"

namespace {

struct Machine {
  explicit Machine(int threads) : pool(threads), ceiling(sns::measure_ceiling(pool)) {
    std::printf("%s, %d thread%s: %.1f GFLOP/s fp32 FMA, %.1f bf16, %.1f GB/s read\n",
                sns::isa_name(sns::isa()), threads, threads > 1 ? "s" : "", ceiling.gflops,
                ceiling.bf16_gflops, ceiling.gbytes_per_s);
  }
  sns::ThreadPool pool;
  sns::Ceiling ceiling;
};

void run(benchmark::State& state, const sns::Work& work, Machine& machine) {
  work.run(machine.pool);  // warm caches and pages
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) work.run(machine.pool);
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - start;
  const double each = all.count() / static_cast<double>(state.iterations());
  const double gflops = work.flops / each / 1e9, gbytes = work.bytes / each / 1e9;
  if (work.flops > 0) state.counters["GFLOP/s"] = gflops;
  state.counters["GB/s"] = gbytes;
  state.counters["ceiling"] =
      std::max(gflops / machine.ceiling.gflops_of(work), gbytes / machine.ceiling.gbytes_per_s);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  std::vector<std::unique_ptr<Machine>> machines;
  machines.push_back(std::make_unique<Machine>(1));
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  if (processors > 1) machines.push_back(std::make_unique<Machine>(processors));
  for (const sns::OpCheck& op : sns::op_checks()) {
    for (const sns::Work& work : op.works()) {
      for (const auto& machine : machines) {
        const std::string name =
            std::string(op.name) + "/" + work.shape + "/threads:" + std::to_string(machine->pool.threads());
        Machine* m = machine.get();
        benchmark::RegisterBenchmark(name.c_str(), [work, m](benchmark::State& s) { run(s, work, *m); })
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
