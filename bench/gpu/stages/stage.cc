#include "stages/stage.h"

#include <chrono>
#include <cstdio>

#include "pipeline/cuda/blocks.h"

namespace sns {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr double kAtOnce = 2e-3;  ///< seconds of work that hide one wait
constexpr double kLongest = 3;    ///< seconds for one row, or five repeats

}  // namespace

double median(int repeats, const std::function<void()>& f, const std::function<void()>& wait,
              int64_t most_calls) {
  const auto once = [&](int64_t calls) {
    const double start = now();
    for (int64_t i = 0; i < calls; ++i) f();
    wait();
    return (now() - start) / static_cast<double>(calls);
  };
  for (int i = 0; i < 3; ++i) once(1);
  const auto calls = std::clamp(static_cast<int64_t>(kAtOnce / once(1)), int64_t{1}, most_calls);
  std::vector<double> seconds;
  const double start = now();
  for (int r = 0; r < repeats && (r < 5 || now() - start < kLongest); ++r) seconds.push_back(once(calls));
  const auto middle = seconds.begin() + static_cast<int64_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

double replayed(const CudaStream& stream, int repeats, const std::function<void()>& f) {
  const sns_cuda_runtime& runtime = stream.device().runtime();
  stream.device().enter();
  f();  // whatever only the first launch does
  stream.synchronize();
  void* graph = nullptr;
  stream.check(runtime.capture_begin(stream.get()), "graph");
  f();
  stream.check(runtime.capture_end(stream.get(), &graph), "graph");
  const double seconds = median(
      repeats, [&] { stream.check(runtime.graph_launch(graph, stream.get()), "graph"); },
      [&] { stream.synchronize(); }, 100);
  runtime.graph_destroy(graph);
  return seconds;
}

Ceilings measure_ceilings(const CudaDevicePtr& device, int repeats, bool tiny) {
  Ceilings c;
  CudaStream stream(device);
  const auto wait = [&] { stream.synchronize(); };
  const int64_t bytes = tiny ? 1 << 20 : int64_t{1} << 30;
  CudaBlock a(device, CudaBlock::Place::kDevice, bytes), b(device, CudaBlock::Place::kDevice, bytes);
  stream.fill(a.data(), 0, bytes);
  c.bytes_per_s = 2.0 * static_cast<double>(bytes) /
                  median(
                      repeats, [&] { stream.copy(b.data(), a.data(), bytes); }, wait, 4);
  const int64_t n = tiny ? 64 : 8192;
  std::vector<float> values(static_cast<size_t>(n * n));
  Random random(1);
  for (float& v : values) v = static_cast<float>(random.uniform() - 0.5);  // zeros would flatter the clocks
  const CudaLinear w(device, values.data(), nullptr, n, n);
  const CudaArray<float> x(device, values.data(), n * n);
  CudaBlock y(device, CudaBlock::Place::kDevice, n * n * 4);
  LinearArgs args;
  args.x = x.data();
  args.y = static_cast<float*>(y.data());
  args.rows = args.ldx = args.ldy = n;
  const auto multiply = [&] {
    device->check(device->ops().linear(w.weights(), args, Precision::kFast, stream.get()), "linear");
  };
  c.flops_per_s = 2.0 * product({n, n, n}) / median(repeats, multiply, wait, 4);
  return c;
}

int attempt(const std::string& stage, const std::function<void()>& f) {
  try {
    f();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_stages: %s: %s\n", stage.c_str(), e.what());
    return 1;
  }
}

void print(const Bench& bench, const Stage& s, const char* road, double seconds) {
  const double floor = std::max(s.bytes / bench.ceilings.bytes_per_s, s.flops / bench.ceilings.flops_per_s);
  std::printf(
      "{\"stage\": \"%s\", \"shape\": \"%s\", \"batch\": %lld, \"road\": \"%s\", \"us\": %.3f, "
      "\"bytes\": %.0f, \"flops\": %.0f, \"floor_us\": %.3f, \"share_of_floor\": %.4f}\n",
      s.name.c_str(), s.shape.c_str(), static_cast<long long>(s.batch), road, seconds * 1e6, s.bytes, s.flops,
      floor * 1e6, floor / seconds);
  std::fflush(stdout);
}

}  // namespace sns
