#include <algorithm>
#include <chrono>
#include <cmath>

#include "abi/guard.h"
#include "abi/handles.h"

namespace sns {
namespace {

constexpr int64_t kMaxRepeats = 100000;

const OpCheck& checked_op(int64_t index) {
  const auto& ops = op_checks();
  if (index < 0 || index >= static_cast<int64_t>(ops.size())) {
    invalid("index", std::to_string(index) + " is outside [0, " + std::to_string(ops.size()) + ")");
  }
  return ops[static_cast<size_t>(index)];
}

Parity run_case(Engine& engine, const OpCheck& op, uint64_t seed) {
  if (!engine.cuda()) return op.parity(seed, engine.parallel());
  if (!op.cuda_parity) throw Error(Code::kUnavailable, "op", std::string(op.name) + ": has no CUDA kernel");
  return op.cuda_parity(seed, engine.cuda());
}

double median_seconds(const Work& work, int64_t repeats, Parallel& parallel) {
  work.run(parallel);  // pages, caches and threads are warm from here on
  std::vector<double> seconds(static_cast<size_t>(repeats));
  for (double& s : seconds) {
    const auto start = std::chrono::steady_clock::now();
    work.run(parallel);
    s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  const auto middle = seconds.begin() + static_cast<int64_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_check_op_count(int64_t* out) {
  return sns::guard([&] { *sns::not_null(out, "out") = static_cast<int64_t>(sns::op_checks().size()); });
}

const char* sns_check_op_name(int64_t index) {
  const auto& ops = sns::op_checks();
  return index < 0 || index >= static_cast<int64_t>(ops.size()) ? nullptr
                                                                : ops[static_cast<size_t>(index)].name;
}

int32_t sns_check_parity(sns_engine engine, int64_t index, int64_t seed, sns_check_report* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::checked_struct(out, "out");
    const sns::OpCheck& op = sns::checked_op(index);
    const sns::Parity parity = sns::run_case(*engine->engine, op, static_cast<uint64_t>(seed));
    sns_check_report report = {};
    report.struct_size = sizeof(report);
    sns::copy_text(op.name, report.op);
    sns::copy_text(parity.shape, report.shape);
    sns::copy_text(parity.guards_ok ? parity.measure : "bytes outside the output", report.measure);
    report.error = parity.guards_ok ? parity.error : std::nan("");
    report.limit = parity.limit;
    report.ok = parity.ok() ? 1 : 0;
    *out = report;
  });
}

int32_t sns_check_work_count(int64_t index, int64_t* out) {
  return sns::guard([&] {
    sns::not_null(out, "out");
    *out = static_cast<int64_t>(sns::checked_op(index).works().size());
  });
}

int32_t sns_check_timing(sns_engine engine, int64_t index, int64_t work, int64_t repeats,
                         sns_timing_report* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::checked_struct(out, "out");
    if (repeats < 1) sns::invalid("repeats", std::to_string(repeats) + " is below 1");
    if (repeats > sns::kMaxRepeats) {
      throw sns::Error(sns::Code::kLimitExceeded, "repeats", "repeats: " + std::to_string(repeats),
                       sns::kMaxRepeats);
    }
    const sns::OpCheck& op = sns::checked_op(index);
    const std::vector<sns::Work> works = op.works();
    if (work < 0 || work >= static_cast<int64_t>(works.size())) {
      sns::invalid("work", std::to_string(work) + " is outside [0, " + std::to_string(works.size()) + ")");
    }
    const sns::Work& w = works[static_cast<size_t>(work)];
    std::lock_guard<std::mutex> lock(engine->check_mutex);
    sns::Parallel& parallel = sns::cpu_engine(engine, "timing")->parallel();
    if (!engine->ceiling) engine->ceiling = sns::measure_ceiling(parallel);
    sns_timing_report report = {};
    report.struct_size = sizeof(report);
    sns::copy_text(op.name, report.op);
    sns::copy_text(w.shape, report.shape);
    report.seconds = sns::median_seconds(w, repeats, parallel);
    if (report.seconds > 0) {
      report.gflops = w.flops / report.seconds / 1e9;
      report.gbytes_per_s = w.bytes / report.seconds / 1e9;
      const double share = std::max(report.gflops / engine->ceiling->gflops_of(w),
                                    report.gbytes_per_s / engine->ceiling->gbytes_per_s);
      // Work that fits the caches can pass the main memory's ceiling.
      report.ceiling_share = std::min(share, 1.0);
    }
    *out = report;
  });
}

int32_t sns_check_ceiling(sns_engine engine, double* gflops, double* bf16_gflops, double* gbytes_per_s) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(gflops, "gflops");
    sns::not_null(bf16_gflops, "bf16_gflops");
    sns::not_null(gbytes_per_s, "gbytes_per_s");
    std::lock_guard<std::mutex> lock(engine->check_mutex);
    const sns::Ceiling ceiling = sns::measure_ceiling(sns::cpu_engine(engine, "timing")->parallel());
    engine->ceiling = ceiling;
    *gflops = ceiling.gflops;
    *bf16_gflops = ceiling.bf16_gflops;
    *gbytes_per_s = ceiling.gbytes_per_s;
  });
}

}  // extern "C"
