#include "abi/convert.h"
#include "abi/guard.h"
#include "abi/handles.h"
#include "pipeline/image_resize.h"

namespace sns {
namespace {

ResizeConfig checked(const sns_resize_config* config) {
  checked_struct(config, "config");
  const ResizeConfig c = convert(*config, "");
  validate(c);
  return c;
}

void expect_bytes(const char* field, int64_t given, int64_t height, int64_t width, int64_t channels) {
  const int64_t expected = checked_mul(checked_mul(height, width, field), channels, field);
  if (given != expected) {
    throw Error(
        Code::kInvalidShape, field,
        std::string(field) + ": " + std::to_string(given) + ", the picture has " + std::to_string(expected));
  }
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_resize_size(const sns_resize_config* config, int64_t height, int64_t width, int64_t* out_height,
                        int64_t* out_width) {
  return sns::guard([&] {
    const sns::ResizeConfig c = sns::checked(config);
    sns::not_null(out_height, "out_height");
    sns::not_null(out_width, "out_width");
    const sns::ResizePlan plan = sns::plan_resize(c, height, width);
    *out_height = plan.height;
    *out_width = plan.width;
  });
}

int32_t sns_resize_run(sns_engine engine, const sns_resize_config* config, const uint8_t* pixels,
                       int64_t bytes, int64_t height, int64_t width, int64_t channels, uint8_t* out,
                       int64_t out_bytes) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    const sns::ResizeConfig c = sns::checked(config);
    if (channels < 1 || channels > 4) {
      sns::invalid("channels", std::to_string(channels) + " is outside [1, 4]");
    }
    const sns::ResizePlan plan = sns::plan_resize(c, height, width);
    sns::expect_bytes("bytes", bytes, height, width, channels);
    sns::expect_bytes("out_bytes", out_bytes, plan.height, plan.width, channels);
    sns::not_null(pixels, "pixels");
    sns::not_null(out, "out");
    sns::Engine& e = *engine->engine;
    if (e.cuda()) return sns::run_resize_cuda(e.cuda(), c, plan, channels, pixels, out);
    sns::Engine::Lease scratch =
        e.lease(sns::resize_u8_scratch(sns::resize_args(c, plan, channels), e.threads()));
    sns::run_resize(c, plan, channels, pixels, out, scratch.data(), e.parallel());
  });
}

}  // extern "C"
