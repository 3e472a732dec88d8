#include <algorithm>

#include "abi/convert.h"
#include "abi/guard.h"
#include "abi/handles.h"

extern "C" {

int32_t sns_model_create(sns_builder builder, sns_model* out) {
  return sns::guard([&] {
    sns::not_null(builder, "builder");
    sns::not_null(out, "out");
    auto handle = std::make_unique<sns_model_t>();
    handle->model = std::make_shared<const sns::Model>(builder->engine, builder->parts);
    *out = handle.release();
  });
}

void sns_model_destroy(sns_model model) { delete model; }

int32_t sns_model_count_latents(sns_model model, int64_t tokens, int64_t max_latents, int64_t* out) {
  return sns::guard([&] {
    sns::not_null(model, "model");
    sns::not_null(out, "out");
    const sns::Compressor* compressor = model->model->compressor();
    if (!compressor) sns::invalid("model", "it has no compressor");
    if (tokens < 0 || tokens > sns::kMaxCount) sns::invalid("tokens", "outside [0, 2^31 - 1]");
    if (max_latents < 1) sns::invalid("max_latents", "below 1");
    *out = compressor->latents(tokens, max_latents);
  });
}

int32_t sns_model_count_tokens(sns_model model, int64_t modality, int64_t format, const int64_t* dims,
                               int64_t* out) {
  return sns::guard([&] {
    sns::not_null(model, "model");
    sns::not_null(dims, "dims");
    sns::not_null(out, "out");
    sns_item item = {};
    item.modality = modality;
    item.format = format;
    std::copy(dims, dims + 3, item.dims);
    *out = sns::plan_shape(*model->model, sns::convert(item)).rows();
  });
}

}  // extern "C"
