#include "abi/convert.h"
#include "abi/guard.h"
#include "abi/handles.h"
#include "abi/turn.h"

namespace sns {
namespace {

Turn turn(sns_audio_stream stream) { return Turn(not_null(stream, "stream")->busy, "stream"); }

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_audio_stream_create(sns_engine engine, const sns_audio_stream_config* config,
                                sns_audio_stream* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(out, "out");
    sns::checked_struct(config, "config");
    const sns::LogMelConfig log_mel = sns::convert(config->log_mel, "log_mel.");
    try {
      *out =
          std::make_unique<sns_audio_stream_t>(engine->engine, log_mel, config->input_rate, config->capacity)
              .release();
    } catch (const sns::Error& e) {
      for (const char* own : {"input_rate", "capacity", "device", "cufft"}) {
        if (e.field() == own) throw;
      }
      throw sns::Error(e.code(), "log_mel." + e.field(), std::string("log_mel.") + e.what(), e.limit());
    }
  });
}

int32_t sns_audio_stream_query(sns_audio_stream stream, sns_audio_stream_info* out) {
  return sns::guard([&] {
    sns::checked_struct(out, "out");
    const sns::Turn turn = sns::turn(stream);
    const sns::AudioStream& s = stream->stream;
    out->capacity = s.capacity();
    out->latency = s.latency();
    out->bytes = s.bytes();
    out->position = s.position();
    out->frames = s.frames();
  });
}

int32_t sns_audio_stream_push(sns_audio_stream stream, const void* samples, int64_t format, int64_t count,
                              int64_t* accepted) {
  return sns::guard([&] {
    sns::not_null(accepted, "accepted");
    if (format != SNS_FORMAT_S16_PCM && format != SNS_FORMAT_F32_PCM) {
      sns::invalid("format", std::to_string(format) + " is not PCM");
    }
    if (count < 0) sns::invalid("count", std::to_string(count) + " is negative");
    if (count > 0) sns::not_null(samples, "samples");
    const sns::Turn turn = sns::turn(stream);
    *accepted = stream->stream.push(samples, format == SNS_FORMAT_S16_PCM, count);
  });
}

int32_t sns_audio_stream_frames(sns_audio_stream stream, int64_t* out) {
  return sns::guard([&] {
    sns::not_null(out, "out");
    const sns::Turn turn = sns::turn(stream);
    *out = stream->stream.frames();
  });
}

int32_t sns_audio_stream_read(sns_audio_stream stream, float* out, int64_t out_count, int64_t* frames) {
  return sns::guard([&] {
    sns::not_null(frames, "frames");
    const sns::Turn turn = sns::turn(stream);
    const int64_t mels = stream->stream.config().n_mels;
    if (out_count < 0 || out_count % mels != 0) {
      throw sns::Error(
          sns::Code::kInvalidShape, "out_count",
          "out_count: " + std::to_string(out_count) + " is no multiple of n_mels, " + std::to_string(mels));
    }
    if (out_count > 0) sns::not_null(out, "out");
    *frames = stream->stream.read(out, out_count / mels);
  });
}

int32_t sns_audio_stream_finish(sns_audio_stream stream) {
  return sns::guard([&] {
    const sns::Turn turn = sns::turn(stream);
    stream->stream.finish();
  });
}

int32_t sns_audio_stream_clear(sns_audio_stream stream) {
  return sns::guard([&] {
    const sns::Turn turn = sns::turn(stream);
    stream->stream.clear();
  });
}

void sns_audio_stream_destroy(sns_audio_stream stream) { delete stream; }

}  // extern "C"
