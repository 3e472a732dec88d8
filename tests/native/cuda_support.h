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

/// Of the GPU's library if SENSORIUM_CUDA_LIBRARY names it, else of the executor's; SENSORIUM_REQUIRE_CUDA=1
/// allows nothing else. Null if it is not there.
inline void* cuda_symbol(const char* name) {
  const char* named = std::getenv("SENSORIUM_CUDA_LIBRARY");
  const char* required = std::getenv("SENSORIUM_REQUIRE_CUDA");
  if (required && *required && !(named && *named))
    throw std::runtime_error("SENSORIUM_CUDA_LIBRARY is not set");
  static void* const library = dlopen(named && *named ? named : SIMT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  return dlsym(library, name);
}

inline const sns_cuda_table& cuda_table() {
  const auto get = reinterpret_cast<sns_cuda_table_function>(cuda_symbol(SNS_CUDA_TABLE_SYMBOL));
  if (!get) throw std::runtime_error(dlerror());
  return *get();
}

inline std::shared_ptr<Engine> cuda_engine(Precision precision = Precision::kStrict) {
  const sns_cuda_table& table = cuda_table();
  char cause[256] = {};
  if (table.device_count(cause, sizeof(cause)) < 1) throw std::runtime_error(cause);
  return std::make_shared<Engine>(1, precision, std::make_shared<const CudaDevice>(table, 0, precision));
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
