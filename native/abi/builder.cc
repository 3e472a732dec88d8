#include <cstring>

#include "abi/convert.h"
#include "abi/guard.h"
#include "abi/handles.h"

namespace sns {
namespace {

constexpr size_t kMaxName = 200;

std::string checked_name(const char* name) {
  not_null(name, "name");
  const size_t length = strnlen(name, kMaxName + 1);
  if (length == 0) invalid("name", "empty");
  if (length > kMaxName) invalid("name", "longer than " + std::to_string(kMaxName) + " bytes");
  for (size_t i = 0; i < length; ++i) {
    if (name[i] <= ' ' || name[i] > '~') invalid("name", "holds a byte that is not printable ASCII");
  }
  return std::string(name, length);
}

Tensor copy_tensor(const std::string& name, const float* data, int64_t bytes, int32_t rank,
                   const int64_t* dims) {
  if (rank < 1 || rank > 4) invalid("rank", std::to_string(rank) + " is outside [1, 4]");
  not_null(dims, "dims");
  int64_t count = 1;
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] < 1) invalid("dims", name + ": dimension " + std::to_string(dims[i]) + " is below 1");
    count = checked_mul(count, dims[i], "dims");
  }
  const int64_t expected = checked_mul(count, sizeof(float), "dims");
  if (bytes != expected) {
    throw Error(
        Code::kInvalidShape, "bytes",
        "bytes: " + name + " has " + std::to_string(bytes) + ", the dims say " + std::to_string(expected));
  }
  not_null(data, "data");
  Tensor tensor;
  tensor.dims.assign(dims, dims + rank);
  tensor.data = AlignedArray<float>(count);
  std::memcpy(tensor.data.data(), data, static_cast<size_t>(bytes));
  return tensor;
}

/// Errors of a configuration, named after the part: "image.patch_h".
template <class C>
auto convert_part(const C* config, const std::string& part) {
  checked_struct(config, "config");
  try {
    return convert(*config);
  } catch (const Error& e) {
    throw Error(e.code(), part + "." + e.field(), part + "." + e.what(), e.limit());
  }
}

template <class C, class O>
int32_t set_part(sns_builder builder, const C* config, const char* part, std::optional<O> ModelParts::*slot) {
  return guard([&] {
    not_null(builder, "builder");
    builder->parts.*slot = convert_part(config, part);
  });
}

/// A compressor: as set_part, but beside no other, save that merging can come before one that attends.
template <class C, class O>
int32_t set_compressor(sns_builder builder, const C* config, const char* part,
                       std::optional<O> ModelParts::*slot) {
  const int32_t code = guard([&] {
    not_null(builder, "builder");
    const ModelParts& p = builder->parts;
    const int set = int{p.perceiver.has_value()} + int{p.resampler.has_value()} + int{p.qformer.has_value()} +
                    int{p.pool.has_value()};
    if (set > 0 && !(p.*slot)) invalid(part, "the model has another compressor already");
  });
  return code == SNS_OK ? set_part(builder, config, part, slot) : code;
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_builder_create(sns_engine engine, sns_builder* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(out, "out");
    auto handle = std::make_unique<sns_builder_t>();
    handle->engine = engine->engine;
    *out = handle.release();
  });
}

int32_t sns_builder_sequence(sns_builder builder, const sns_sequence_config* config) {
  return sns::set_part(builder, config, "sequence", &sns::ModelParts::sequence);
}

int32_t sns_builder_image(sns_builder builder, const sns_image_config* config) {
  return sns::set_part(builder, config, "image", &sns::ModelParts::image);
}

int32_t sns_builder_audio(sns_builder builder, const sns_audio_config* config) {
  return sns::set_part(builder, config, "audio", &sns::ModelParts::audio);
}

int32_t sns_builder_text(sns_builder builder, const sns_text_config* config) {
  return sns::set_part(builder, config, "text", &sns::ModelParts::text);
}

int32_t sns_builder_encoder(sns_builder builder, int32_t modality, const sns_encoder_config* config) {
  return sns::guard([&] {
    sns::not_null(builder, "builder");
    const sns::Modality m = sns::checked_enum(modality, sns::Modality::kText, "modality");
    builder->parts.encoders[modality] =
        sns::convert_part(config, std::string(sns::part_name(m)) + ".encoder");
  });
}

int32_t sns_builder_perceiver(sns_builder builder, const sns_perceiver_config* config) {
  return sns::set_compressor(builder, config, "perceiver", &sns::ModelParts::perceiver);
}

int32_t sns_builder_perceiver_decoder(sns_builder builder, const sns_perceiver_decoder_config* config) {
  const int32_t code = sns::guard([&] {
    sns::not_null(builder, "builder");
    if (!builder->parts.perceiver) sns::invalid("perceiver_decoder", "there is no Perceiver to read from");
  });
  if (code != SNS_OK) return code;
  return sns::set_part(builder, config, "perceiver_decoder", &sns::ModelParts::perceiver_decoder);
}

int32_t sns_builder_latent_resampler(sns_builder builder, const sns_latent_resampler_config* config) {
  return sns::set_compressor(builder, config, "resampler", &sns::ModelParts::resampler);
}

int32_t sns_builder_qformer(sns_builder builder, const sns_qformer_config* config) {
  return sns::set_compressor(builder, config, "qformer", &sns::ModelParts::qformer);
}

int32_t sns_builder_pool(sns_builder builder, const sns_pool_config* config) {
  return sns::set_compressor(builder, config, "pool", &sns::ModelParts::pool);
}

int32_t sns_builder_merge(sns_builder builder, const sns_merge_config* config) {
  return sns::set_part(builder, config, "merge", &sns::ModelParts::merge);
}

int32_t sns_builder_head(sns_builder builder, const sns_head_config* config) {
  return sns::set_part(builder, config, "head", &sns::ModelParts::head);
}

int32_t sns_builder_tensor(sns_builder builder, const char* name, const float* data, int64_t bytes,
                           int32_t rank, const int64_t* dims) {
  return sns::guard([&] {
    sns::not_null(builder, "builder");
    const std::string key = sns::checked_name(name);
    if (builder->parts.tensors.count(key)) sns::invalid("name", key + " was set before");
    builder->parts.tensors.emplace(key, sns::copy_tensor(key, data, bytes, rank, dims));
  });
}

void sns_builder_destroy(sns_builder builder) { delete builder; }

}  // extern "C"
