#pragma once

#include <memory>
#include <string>

#include "pipeline/cuda/device.h"

namespace sns {

/// cuFFT, for the transforms that the fused log-mel kernel does not serve. It is no part of the product: the
/// caller (the JavaCPP presets) brings it, and it is opened by name.
class CudaFft {
 public:
  /// Opens the library, or takes it if the process has it already; throws kUnavailable saying what is
  /// missing.
  explicit CudaFft(const std::string& library);

 private:
  friend class CudaFftPlan;
  using Handle = int;
  int (*plan_many_)(Handle* plan, int rank, int* n, int* inembed, int istride, int idist, int* onembed,
                    int ostride, int odist, int type, int batch) = nullptr;
  int (*set_stream_)(Handle plan, void* stream) = nullptr;
  int (*exec_r2c_)(Handle plan, float* x, void* y) = nullptr;
  int (*exec_d2z_)(Handle plan, double* x, void* y) = nullptr;
  int (*destroy_)(Handle plan) = nullptr;
};

/// Real to complex transforms of dense rows of n floats, or doubles if `wide`, kRows of them at a time.
class CudaFftPlan {
 public:
  static constexpr int64_t kRows = 64;
  CudaFftPlan(std::shared_ptr<const CudaFft> fft, int64_t n, bool wide);
  ~CudaFftPlan();
  CudaFftPlan(const CudaFftPlan&) = delete;
  CudaFftPlan& operator=(const CudaFftPlan&) = delete;
  /// Both buffers have room for `rows` rounded up to kRows; x is written over.
  void run(const CudaStream& stream, void* x, void* y, int64_t rows) const;

 private:
  std::shared_ptr<const CudaFft> fft_;
  int64_t n_;
  bool wide_;
  CudaFft::Handle plan_ = 0;
};

}  // namespace sns
