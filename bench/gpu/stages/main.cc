// Times the device's stages, one JSON line each: gpu_stages [--batches 1,256] [--repeats N]
// [--precision strict|fast] [--only REGEX] [--sizes full|tiny]. The library is libsensorium_cuda.so, or what
// SENSORIUM_CUDA_LIBRARY names; tiny sizes are a trial, on the host SIMT executor too. Exit 3: no GPU can be
// used.

#include <cstdio>
#include <cstdlib>

#include "abi/cuda_loader.h"
#include "stages/stage.h"

namespace sns {
namespace {

int run(Bench& bench, const std::vector<int64_t>& batches, Precision precision) {
  std::string cause;
  const sns_cuda_table* table = cuda_table(&cause);
  char why[256] = {};
  if (table && table->device_count(why, sizeof(why)) < 1) cause = why, table = nullptr;
  if (!table) {
    std::fprintf(stderr, "gpu_stages: no GPU: %s\n", cause.c_str());
    return 3;
  }
  const auto device = std::make_shared<const CudaDevice>(*table, 0, precision);
  sns_cuda_device info = {};
  table->device_info(0, &info, why, sizeof(why));
  bench.engine = std::make_shared<Engine>(1, precision, device);
  bench.ceilings = measure_ceilings(device, bench.repeats, bench.tiny);
  std::printf(
      "{\"device\": \"%s\", \"precision\": \"%s\", \"sizes\": \"%s\", \"gbytes_per_s\": %.3f, \"tflops\": "
      "%.6f}\n",
      info.name, bench.fast() ? "fast" : "strict", bench.tiny ? "tiny" : "full",
      bench.ceilings.bytes_per_s / 1e9, bench.ceilings.flops_per_s / 1e12);
  int failed = 0;
  for (const int64_t batch : batches) {
    bench.batch = batch;
    failed += time_pipelines(bench) + time_ops(bench);
  }
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace sns

int main(int argc, char** argv) {
  std::vector<int64_t> batches = {1, 256};
  sns::Bench bench;
  auto precision = sns::Precision::kStrict;
  for (int i = 1; i < argc; i += 2) {
    const std::string key = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    bool known = !value.empty();
    if (key == "--batches") {
      batches.clear();
      for (const char* p = value.c_str(); *p;) {
        char* end = nullptr;
        batches.push_back(std::strtoll(p, &end, 10));
        known = known && end != p && batches.back() > 0;
        if (!known) break;
        p = *end == ',' ? end + 1 : end;
      }
    } else if (key == "--repeats") {
      bench.repeats = std::max(1, std::atoi(value.c_str()));
    } else if (key == "--precision") {
      precision = value == "fast" ? sns::Precision::kFast : sns::Precision::kStrict;
      known = known && (value == "fast" || value == "strict");
    } else if (key == "--only") {
      bench.only = value;
    } else if (key == "--sizes") {
      bench.tiny = value == "tiny";
      known = known && (bench.tiny || value == "full");
    } else {
      known = false;
    }
    if (!known) {
      std::fprintf(stderr,
                   "gpu_stages [--batches 1,256] [--repeats 30] [--precision strict|fast] [--only REGEX] "
                   "[--sizes full|tiny]\n");
      return 2;
    }
  }
  try {
    return sns::run(bench, batches, precision);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_stages: %s\n", e.what());
    return 1;
  }
}
