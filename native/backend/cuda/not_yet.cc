// Ops whose kernels are still to come: models that need them are refused when they are made. Weak, so that
// the real ones take their place.

#include "backend/cuda/ops.h"

namespace sns {
namespace {

[[noreturn]] void refuse(const char* op) {
  throw Error(Code::kUnavailable, op, std::string(op) + ": this op is not there on the GPU yet");
}
constexpr int kNotSupported = 801;  // cudaErrorNotSupported

}  // namespace

#define SNS_NOT_YET __attribute__((weak))

SNS_NOT_YET size_t resize_u8_cuda_bytes(const ResizeU8Args&) { refuse("resize"); }
SNS_NOT_YET ResizeU8Cuda pack_resize_u8_cuda(const ResizeU8Args&, void*, void*) { refuse("resize"); }
SNS_NOT_YET size_t resize_u8_cuda_workspace(const ResizeU8Args&) { return 0; }
SNS_NOT_YET int resize_u8_cuda(const ResizeU8Cuda&, const ResizeU8Args&, void*, void*) {
  return kNotSupported;
}
SNS_NOT_YET size_t resize_f32_cuda_bytes(const ResizeF32Args&) { refuse("resize"); }
SNS_NOT_YET ResizeF32Cuda pack_resize_f32_cuda(const ResizeF32Args&, void*, void*) { refuse("resize"); }
SNS_NOT_YET int resize_f32_cuda(const ResizeF32Cuda&, const ResizeF32Args&, void*) { return kNotSupported; }

}  // namespace sns
