#include "ops/yuv/yuv.h"
#include "abi/guard.h"
#include "core/checked.h"
#include "core/memory.h"
#include "pipeline/config.h"

namespace sns {
namespace {

void check_side(int64_t size, const char* field) {
  if (size < kYuvLeast) {
    throw Error(Code::kInvalidShape, field,
                std::string(field) + ": " + std::to_string(size) + " is below " + std::to_string(kYuvLeast),
                kYuvLeast);
  }
  if (size > kMaxCount) {
    throw Error(Code::kLimitExceeded, field,
                std::string(field) + ": " + std::to_string(size) + " is above " + std::to_string(kMaxCount),
                kMaxCount);
  }
}

void check_stride(int64_t stride, int64_t width, const char* field) {
  if (stride < width || stride > kMaxCount) {
    throw Error(Code::kInvalidShape, field,
                std::string(field) + ": " + std::to_string(stride) + ", a row has " + std::to_string(width));
  }
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_yuv_to_rgb(const uint8_t* y, int64_t ldy, const uint8_t* u, int64_t ldu, const uint8_t* v,
                       int64_t ldv, int64_t height, int64_t width, int32_t matrix, int32_t full_range,
                       uint8_t* out, int64_t out_bytes) {
  return sns::guard([&] {
    sns::YuvArgs args;
    args.y = sns::not_null(y, "y");
    args.u = sns::not_null(u, "u");
    args.v = sns::not_null(v, "v");
    args.rgb = sns::not_null(out, "out");
    sns::check_side(height, "height");
    sns::check_side(width, "width");
    sns::check_stride(ldy, width, "ldy");
    sns::check_stride(ldu, sns::ceil_div(width, 2), "ldu");
    sns::check_stride(ldv, sns::ceil_div(width, 2), "ldv");
    args.height = height;
    args.width = width;
    args.ldy = ldy;
    args.ldu = ldu;
    args.ldv = ldv;
    args.ldrgb = 3 * width;
    args.matrix = sns::checked_enum(matrix, sns::YuvMatrix::kFcc, "matrix");
    args.full_range = sns::checked_bool(full_range, "full_range");
    const int64_t bytes = sns::checked_mul(height, args.ldrgb, "height");
    if (out_bytes != bytes) {
      throw sns::Error(
          sns::Code::kInvalidShape, "out_bytes",
          "out_bytes: " + std::to_string(out_bytes) + ", the picture has " + std::to_string(bytes));
    }
    sns::AlignedArray<std::byte> scratch(static_cast<int64_t>(sns::yuv_scratch(args, 1)));
    sns::Serial serial;
    sns::yuv_cpu(args, scratch.data(), serial);
  });
}

}  // extern "C"
