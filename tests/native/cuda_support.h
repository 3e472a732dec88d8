#pragma once

// A CUDA engine for tests below the C ABI.

#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "pipeline/cuda/device.h"
#include "pipeline/cuda/fft.h"
#include "pipeline/engine.h"

namespace sns {

/// On the GPU if SENSORIUM_CUDA_LIBRARY names its library; SENSORIUM_REQUIRE_CUDA=1 allows nothing else.
inline std::shared_ptr<Engine> cuda_engine(Precision precision = Precision::kStrict) {
  const char* named = std::getenv("SENSORIUM_CUDA_LIBRARY");
  const char* required = std::getenv("SENSORIUM_REQUIRE_CUDA");
  if (required && *required && !(named && *named))
    throw std::runtime_error("SENSORIUM_CUDA_LIBRARY is not set");
  void* library = dlopen(named && *named ? named : SIMT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto get = reinterpret_cast<sns_cuda_table_function>(dlsym(library, SNS_CUDA_TABLE_SYMBOL));
  char cause[256] = {};
  if (get()->device_count(cause, sizeof(cause)) < 1) throw std::runtime_error(cause);
  return std::make_shared<Engine>(1, precision, std::make_shared<const CudaDevice>(*get(), 0, precision));
}

/// cuFFT on the GPU, the stand-in's DFT elsewhere.
inline std::shared_ptr<Engine> with_fft(std::shared_ptr<Engine> engine, bool fft) {
  const char* named = std::getenv("SENSORIUM_CUDA_LIBRARY");
  if (fft) {
    engine->cuda()->set_fft(
        std::make_shared<const CudaFft>(named && *named ? "libcufft.so.12" : SIMT_LIBRARY));
  }
  return engine;
}

}  // namespace sns
