#include "pipeline/cuda/fft.h"

#include <dlfcn.h>

namespace sns {
namespace {

[[noreturn]] void unavailable(const std::string& what) {
  throw Error(Code::kUnavailable, "cufft", "cufft: " + what);
}

void check(int status, const char* call) {
  if (status == 0) return;
  const std::string text = std::string("cufft: ") + call + " gave " + std::to_string(status);
  throw Error(status == 2 ? Code::kOutOfMemory : Code::kInternal, "cufft", text);  // 2: CUFFT_ALLOC_FAILED
}

}  // namespace

CudaFft::CudaFft(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: plans may outlive engines
  if (!handle) unavailable(dlerror());
  const auto take = [&](const char* name, auto*& function) {
    void* symbol = dlsym(handle, name);
    if (!symbol) unavailable(library + " has no " + name);
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
  };
  take("cufftPlanMany", plan_many_);
  take("cufftSetStream", set_stream_);
  take("cufftExecR2C", exec_r2c_);
  take("cufftExecD2Z", exec_d2z_);
  take("cufftDestroy", destroy_);
}

CudaFftPlan::CudaFftPlan(std::shared_ptr<const CudaFft> fft, int64_t n, bool wide)
    : fft_(std::move(fft)), n_(n), wide_(wide) {
  constexpr int kR2c = 0x2a, kD2z = 0x6a;
  int size = static_cast<int>(n);
  check(fft_->plan_many_(&plan_, 1, &size, nullptr, 1, size, nullptr, 1, size / 2 + 1, wide ? kD2z : kR2c,
                         static_cast<int>(kRows)),
        "cufftPlanMany");
}

CudaFftPlan::~CudaFftPlan() { fft_->destroy_(plan_); }

void CudaFftPlan::run(const CudaStream& stream, void* x, void* y, int64_t rows) const {
  check(fft_->set_stream_(plan_, stream.get()), "cufftSetStream");
  const int64_t bins = 2 * (n_ / 2 + 1);
  for (int64_t row = 0; row < rows; row += kRows) {
    if (wide_) {
      check(fft_->exec_d2z_(plan_, static_cast<double*>(x) + row * n_, static_cast<double*>(y) + row * bins),
            "cufftExecD2Z");
    } else {
      check(fft_->exec_r2c_(plan_, static_cast<float*>(x) + row * n_, static_cast<float*>(y) + row * bins),
            "cufftExecR2C");
    }
  }
}

}  // namespace sns
