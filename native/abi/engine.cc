#include <algorithm>

#include "abi/cuda_loader.h"
#include "abi/guard.h"
#include "abi/handles.h"
#include "backend/cpu/device.h"
#include "core/precision.h"
#include "pipeline/cuda/fft.h"

namespace sns {
namespace {

void query_cpu(int32_t index, sns_device_info& info) {
  if (index != 0) {
    copy_text("there is only CPU 0", info.cause);
    return;
  }
  info.available = 1;
  info.units = cpu_processors();
  info.memory_bytes = cpu_memory_bytes();
  copy_text(cpu_name(), info.name);
  copy_text(cpu_isa(), info.isa);
}

void query_cuda(int32_t index, sns_device_info& info) {
  std::string cause;
  const sns_cuda_table* table = cuda_table(&cause);
  if (!table) {
    copy_text(cause, info.cause);
    return;
  }
  const int32_t count = table->device_count(info.cause, sizeof(info.cause));
  if (count < 1) return;
  if (index >= count) {
    copy_text("there are only " + std::to_string(count) + " CUDA devices", info.cause);
    return;
  }
  sns_cuda_device device;
  if (table->device_info(index, &device, info.cause, sizeof(info.cause)) != 0 || !device.usable) return;
  info.available = 1;
  info.units = device.multiprocessors;
  info.memory_bytes = device.memory_bytes;
  copy_text(device.name, info.name);
  copy_text("sm_" + std::to_string(device.major) + std::to_string(device.minor), info.isa);
}

sns_device_info query(int32_t device, int32_t index) {
  checked_enum(device, static_cast<int32_t>(SNS_DEVICE_CUDA), "device");
  if (index < 0) invalid("index", std::to_string(index) + " is negative");
  sns_device_info info = {};
  info.struct_size = sizeof(info);
  if (device == SNS_DEVICE_CPU) {
    query_cpu(index, info);
  } else {
    query_cuda(index, info);
  }
  return info;
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_device_query(int32_t device, int32_t index, sns_device_info* out) {
  return sns::guard([&] {
    sns::checked_struct(out, "out");
    *out = sns::query(device, index);
  });
}

int32_t sns_engine_create(const sns_engine_config* config, sns_engine* out) {
  return sns::guard([&] {
    sns::not_null(out, "out");
    sns::checked_struct(config, "config");
    const auto precision = sns::checked_enum(config->precision, sns::Precision::kFast, "precision");
    const sns_device_info info = sns::query(config->device, config->index);
    if (!info.available) throw sns::Error(sns::Code::kUnavailable, "device", info.cause);
    std::shared_ptr<const sns::CudaDevice> cuda;
    if (config->device == SNS_DEVICE_CUDA) {
      std::string cause;
      const sns_cuda_table* table = sns::cuda_table(&cause);
      if (!table) throw sns::Error(sns::Code::kUnavailable, "device", cause);
      cuda = std::make_shared<const sns::CudaDevice>(*table, config->index, precision);
    }
    auto handle = std::make_unique<sns_engine_t>();
    if (cuda) handle->align.emplace(cuda);
    handle->engine = std::make_shared<sns::Engine>(config->threads, precision, std::move(cuda));
    *out = handle.release();
  });
}

int32_t sns_engine_fft(sns_engine engine, const char* library) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(library, "library");
    const std::shared_ptr<const sns::CudaDevice>& cuda = engine->engine->cuda();
    if (!cuda) throw sns::Error(sns::Code::kUnavailable, "engine", "engine: of the CPU; cuFFT is the GPU's");
    cuda->set_fft(std::make_shared<const sns::CudaFft>(library));
  });
}

int32_t sns_engine_threads(sns_engine engine, int32_t* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    *sns::not_null(out, "out") = engine->engine->threads();
  });
}

void sns_engine_destroy(sns_engine engine) { delete engine; }

}  // extern "C"
