#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "check/check.h"
#include "ops/resample/resample.h"
#include "ops/top_k/top_k.h"
#include "pipeline/audio_stream.h"
#include "pipeline/codes.h"
#include "pipeline/cuda/align.h"
#include "pipeline/cuda/search.h"
#include "pipeline/cuda/stages.h"
#include "pipeline/session.h"
#include "sensorium.h"

// What the opaque handles point at. Each holds what it was made from, so that any order of destruction is
// safe.

struct sns_engine_t {
  std::shared_ptr<sns::Engine> engine;
  std::mutex check_mutex;  // one measurement at a time: two would measure each other
  std::optional<sns::Ceiling> ceiling;
  std::optional<sns::CudaAlign> align;  // on a GPU's engine
};

namespace sns {

/// The engine, for what runs on the CPU only: on a GPU's engine it is refused, not done elsewhere in silence.
inline const std::shared_ptr<Engine>& cpu_engine(sns_engine engine, const char* what) {
  if (engine->engine->cuda()) {
    throw Error(Code::kUnavailable, what,
                std::string(what) + ": runs on a CPU engine only; open one beside the GPU's");
  }
  return engine->engine;
}

}  // namespace sns

struct sns_builder_t {
  std::shared_ptr<sns::Engine> engine;
  sns::ModelParts parts;
};

struct sns_model_t {
  std::shared_ptr<const sns::Model> model;
};

struct sns_session_t {
  sns_session_t(std::shared_ptr<const sns::Model> model, const sns::SessionLimits& limits)
      : session(std::move(model), limits) {}
  sns::Session session;
  std::atomic<bool> busy{false};
  std::atomic<bool> started{false};  // between sns_session_start and _finish
};

struct sns_log_mel_t {
  std::shared_ptr<sns::Engine> engine;
  sns::LogMelPlan plan;
  std::optional<sns::CudaLogMel> cuda;  // on a GPU's engine, as the resampler's
};

struct sns_audio_stream_t {
  sns_audio_stream_t(std::shared_ptr<sns::Engine> e, const sns::LogMelConfig& config, int64_t input_rate,
                     int64_t capacity)
      : engine(std::move(e)), stream(config, input_rate, capacity, engine->cuda()) {}
  std::shared_ptr<sns::Engine> engine;
  sns::AudioStream stream;
  std::atomic<bool> busy{false};
};

struct sns_resampler_t {
  std::shared_ptr<sns::Engine> engine;
  sns::ResampleFilter filter;
  std::optional<sns::CudaResampler> cuda;
};

struct sns_adapter_t {
  std::shared_ptr<const sns::Adapter> adapter;
};

struct sns_codebook_t {
  std::unique_ptr<const sns::Codes> codes;
};

struct sns_index_t {
  std::shared_ptr<sns::Engine> engine;
  int64_t dim;
  std::unique_ptr<const sns::TopKVectors> vectors;  ///< of a CPU engine
  std::unique_ptr<sns::CudaSearch> cuda;            ///< of a CUDA engine
};
