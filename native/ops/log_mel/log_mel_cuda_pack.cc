#include <algorithm>
#include <cstring>

#include "core/device_block.h"
#include "ops/log_mel/log_mel_cuda.h"

namespace sns {
namespace {

template <class T>
const T* copy(const AlignedArray<T>& from, DeviceBlock& block) {
  const T* on_device;
  T* host = block.take(from.size(), &on_device);
  if (host) std::copy(from.begin(), from.end(), host);
  return on_device;
}

template <class T>
void copy_typed(const LogMelPlan::Tables::Typed<T>& typed, DeviceBlock& block, LogMelCudaPlan* p) {
  p->window = copy(typed.window, block);
  p->twiddle = copy(typed.twiddle, block);
  p->split = copy(typed.split, block);
}

LogMelCudaPlan pack(const LogMelPlan& plan, DeviceBlock& block) {
  const LogMelPlan::Tables& t = plan.tables();
  LogMelCudaPlan p;
  p.config = plan.config();
  p.wide = t.wide, p.half = t.half, p.span = t.span, p.bin_begin = t.bin_begin, p.bin_end = t.bin_end;
  p.passes = static_cast<int32_t>(t.passes.size());
  std::copy(t.passes.begin(), t.passes.end(), p.pass);
  if (t.wide) {
    copy_typed(t.f64, block, &p);
  } else {
    copy_typed(t.f32, block, &p);
  }
  p.row = copy(t.row, block);
  p.filter = copy(t.filter, block);
  p.weight = copy(t.weight, block);
  return p;
}

}  // namespace

size_t log_mel_cuda_bytes(const LogMelPlan& plan) {
  DeviceBlock block(nullptr, nullptr);
  pack(plan, block);
  return block.bytes();
}

LogMelCudaPlan pack_log_mel_cuda(const LogMelPlan& plan, void* host, void* device) {
  DeviceBlock block(host, device);
  return pack(plan, block);
}

}  // namespace sns
