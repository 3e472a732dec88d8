#include "abi/cuda_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

#include "abi/guard.h"
#include "backend/cuda/ops.h"

namespace sns {
namespace {

std::string library_path() {
  const char* named = std::getenv("SENSORIUM_CUDA_LIBRARY");
  if (named && *named) return named;
  const std::string file = "libsensorium_cuda.so";
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&sns_abi_version), &info) || !info.dli_fname) return file;
  const std::string self = info.dli_fname;
  const size_t slash = self.rfind('/');
  return slash == std::string::npos ? file : self.substr(0, slash + 1) + file;
}

}  // namespace

const sns_cuda_table* cuda_table(std::string* cause) {
  static std::mutex mutex;
  static const sns_cuda_table* loaded = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (loaded) return loaded;

  const std::string path = library_path();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* error = dlerror();
    *cause = "the CUDA backend could not be opened: " + std::string(error ? error : path.c_str());
    return nullptr;
  }
  const auto get = reinterpret_cast<sns_cuda_table_function>(dlsym(library, SNS_CUDA_TABLE_SYMBOL));
  const sns_cuda_table* table = get ? get() : nullptr;
  if (!table) {
    *cause = path + " is not Sensorium's CUDA backend";
  } else if (table->version != SNS_CUDA_TABLE_VERSION) {
    *cause = path + " has interface version " + std::to_string(table->version) + ", this library needs " +
             std::to_string(SNS_CUDA_TABLE_VERSION);
  } else if (table->layout != gpu::ops_layout()) {
    *cause = path + " is of another build than this library";
  } else {
    loaded = table;
    return loaded;
  }
  dlclose(library);
  return nullptr;
}

}  // namespace sns
