#include "abi/guard.h"
#include "abi/handles.h"
#include "ops/finite/finite.h"

namespace sns {
namespace {

int64_t output_length(const ResampleFilter& filter, int64_t count) {
  if (count < 0) invalid("count", std::to_string(count) + " is negative");
  if (count > kMaxExtent) {
    throw Error(Code::kLimitExceeded, "count", "count: more than 2^40 samples", kMaxExtent);
  }
  checked_mul(count, filter.target(), "count");
  return filter.output_length(count);
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_resampler_create(sns_engine engine, int64_t orig_rate, int64_t target_rate, sns_resampler* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(out, "out");
    auto handle = std::make_unique<sns_resampler_t>();
    handle->engine = engine->engine;
    handle->filter = sns::ResampleFilter(orig_rate, target_rate);
    if (engine->engine->cuda()) handle->cuda.emplace(engine->engine->cuda(), handle->filter);
    *out = handle.release();
  });
}

int32_t sns_resampler_length(sns_resampler resampler, int64_t count, int64_t* out) {
  return sns::guard([&] {
    sns::not_null(resampler, "resampler");
    sns::not_null(out, "out");
    *out = sns::output_length(resampler->filter, count);
  });
}

int32_t sns_resampler_run(sns_resampler resampler, const float* samples, int64_t count, float* out,
                          int64_t out_count) {
  return sns::guard([&] {
    sns::not_null(resampler, "resampler");
    const int64_t expected = sns::output_length(resampler->filter, count);
    if (out_count != expected) {
      throw sns::Error(sns::Code::kInvalidShape, "out_count",
                       "out_count: " + std::to_string(out_count) + ", the resampled signal is " +
                           std::to_string(expected));
    }
    if (count == 0) return;
    sns::not_null(samples, "samples");
    sns::not_null(out, "out");
    const int64_t bad = sns::first_non_finite(samples, count);
    if (bad >= 0) {
      const std::string field = "samples[" + std::to_string(bad) + "]";
      throw sns::Error(sns::Code::kOutOfRange, field, field + " is NaN or infinite");
    }
    if (resampler->cuda) return resampler->cuda->run(samples, count, out, out_count);
    sns::resample_cpu(resampler->filter, samples, count, out, resampler->engine->parallel());
  });
}

void sns_resampler_destroy(sns_resampler resampler) { delete resampler; }

}  // extern "C"
