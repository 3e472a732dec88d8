#include "abi/convert.h"
#include "abi/guard.h"
#include "abi/handles.h"
#include "ops/finite/finite.h"

namespace sns {
namespace {

void check_samples(int64_t samples) {
  if (samples < 0) invalid("count", std::to_string(samples) + " is negative");
  if (samples > kMaxExtent) {
    throw Error(Code::kLimitExceeded, "count", "count: more than 2^40 samples", kMaxExtent);
  }
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_log_mel_create(sns_engine engine, const sns_log_mel_config* config, sns_log_mel* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(out, "out");
    sns::checked_struct(config, "config");
    auto handle = std::make_unique<sns_log_mel_t>();
    handle->engine = engine->engine;
    handle->plan = sns::LogMelPlan(sns::convert(*config, ""));
    if (engine->engine->cuda()) handle->cuda.emplace(engine->engine->cuda(), handle->plan);
    *out = handle.release();
  });
}

int32_t sns_log_mel_frames(sns_log_mel log_mel, int64_t samples, int64_t* out) {
  return sns::guard([&] {
    sns::not_null(log_mel, "log_mel");
    sns::not_null(out, "out");
    sns::check_samples(samples);
    *out = log_mel->plan.frames(samples);
  });
}

int32_t sns_log_mel_run(sns_log_mel log_mel, const void* samples, int64_t format, int64_t count, float* out,
                        int64_t out_count) {
  return sns::guard([&] {
    sns::not_null(log_mel, "log_mel");
    if (format != SNS_FORMAT_S16_PCM && format != SNS_FORMAT_F32_PCM) {
      sns::invalid("format", std::to_string(format) + " is not PCM");
    }
    sns::check_samples(count);
    const sns::LogMelPlan& plan = log_mel->plan;
    const int64_t frames = plan.frames(count), mels = plan.config().n_mels;
    if (frames == 0) {
      throw sns::Error(sns::Code::kInvalidShape, "count",
                       "count: " + std::to_string(count) + " samples are too short for one frame");
    }
    const int64_t expected = sns::checked_mul(frames, mels, "out_count");
    if (out_count != expected) {
      throw sns::Error(
          sns::Code::kInvalidShape, "out_count",
          "out_count: " + std::to_string(out_count) + ", the features are " + std::to_string(expected));
    }
    sns::not_null(samples, "samples");
    sns::not_null(out, "out");
    if (format == SNS_FORMAT_F32_PCM) {
      const int64_t bad = sns::first_non_finite(static_cast<const float*>(samples), count);
      if (bad >= 0) {
        const std::string field = "samples[" + std::to_string(bad) + "]";
        throw sns::Error(sns::Code::kOutOfRange, field, field + " is NaN or infinite");
      }
    }
    sns::LogMelArgs args;
    args.samples = samples;
    args.s16 = format == SNS_FORMAT_S16_PCM;
    args.sample_count = count;
    args.y = out;
    args.ldy = plan.config().mel_major ? frames : mels;
    if (log_mel->cuda) return log_mel->cuda->run(args, frames, expected);
    sns::Engine& engine = *log_mel->engine;
    sns::Engine::Lease scratch = engine.lease(sns::log_mel_scratch(plan, count, engine.threads()));
    sns::log_mel_cpu(plan, args, scratch.data(), engine.parallel());
  });
}

void sns_log_mel_destroy(sns_log_mel log_mel) { delete log_mel; }

}  // extern "C"
