#include "pipeline/codes.h"

#include <algorithm>

#include "ops/finite/finite.h"
#include "pipeline/config.h"
#include "pipeline/cuda/codes.h"

namespace sns {
namespace {

constexpr int64_t kMaxStages = 64;
constexpr int64_t kMaxLevel = 1 << 20;

[[noreturn]] void fail(Code code, const char* field, const std::string& what, int64_t limit = -1) {
  throw Error(code, field, std::string(field) + ": " + what, limit);
}

void check_range(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    fail(Code::kInvalidArgument, field,
         std::to_string(value) + " is outside [" + std::to_string(low) + ", " + std::to_string(high) + "]");
  }
}

int64_t number_of_ids(const CodesConfig& c) {
  if (c.kind == CodesKind::kVq) return c.size;
  int64_t ids = 1;
  for (int64_t i = 0; i < c.dim; ++i) ids = checked_mul(ids, c.levels[i], "levels");
  return ids;
}

std::vector<Codebook> make_stages(const CodesConfig& c, const float* codes, Parallel& parallel) {
  std::vector<Codebook> stages;
  if (c.kind == CodesKind::kFsq) return stages;
  const int64_t stage = checked_mul(c.size, c.dim, "size");
  check_finite("codes", codes, checked_mul(c.stages, stage, "stages"));
  stages.reserve(static_cast<size_t>(c.stages));
  for (int64_t s = 0; s < c.stages; ++s) {
    stages.emplace_back(codes + s * stage, c.size, c.dim, c.metric, parallel);
  }
  return stages;
}

}  // namespace

void validate(const CodesConfig& c) {
  const bool fsq = c.kind == CodesKind::kFsq;
  check_range("dim", c.dim, 1, fsq ? CodesConfig::kMaxLevels : kMaxCount);
  check_range("stages", c.stages, 1, fsq ? 1 : kMaxStages);
  check_range("size", c.size, fsq ? 0 : 1, fsq ? 0 : kMaxCount);
  if (c.metric == CodeMetric::kCosine && (fsq || c.stages > 1)) {
    fail(Code::kInvalidArgument, "metric",
         "cosine compares directions only: residual stages and scalars need L2");
  }
  for (int64_t i = 0; i < CodesConfig::kMaxLevels; ++i) {
    const std::string field = "levels[" + std::to_string(i) + "]";
    const bool used = fsq && i < c.dim;
    check_range(field.c_str(), c.levels[i], used ? 1 : 0, used ? kMaxLevel : 0);
  }
  number_of_ids(c);
  checked_mul(c.stages, checked_mul(c.size, c.dim, "size"), "stages");
}

Codes::Codes(std::shared_ptr<Engine> engine, const CodesConfig& config, std::vector<Codebook> stages,
             const float* codes)
    : engine_(std::move(engine)), config_(config), stages_(std::move(stages)), ids_(number_of_ids(config)) {
  if (engine_->cuda()) cuda_ = std::make_unique<const CudaCodes>(engine_->cuda(), config_, codes);
}

Codes::~Codes() = default;

Codes::Codes(std::shared_ptr<Engine> engine, const CodesConfig& config, const float* codes)
    : Codes(engine, config, make_stages(config, codes, engine->parallel()), codes) {}

std::unique_ptr<Codes> Codes::learn(std::shared_ptr<Engine> engine, const CodesConfig& c, const float* tokens,
                                    int64_t rows, int64_t max_iterations, uint64_t seed,
                                    CodesLearning& learning) {
  if (c.kind == CodesKind::kFsq) fail(Code::kInvalidArgument, "kind", "finite scalars have nothing to learn");
  if (max_iterations < 1) fail(Code::kInvalidArgument, "max_iterations", "below 1");
  if (rows < c.size) {
    fail(Code::kInvalidArgument, "rows",
         std::to_string(rows) + " tokens are fewer than the " + std::to_string(c.size) + " codes", c.size);
  }
  const int64_t count = checked_mul(rows, c.dim, "rows");
  check_finite("tokens", tokens, count);
  learning = {};
  if (engine->cuda()) {
    const AlignedArray<float> codes =
        learn_codes_cuda(engine->cuda(), c, tokens, rows, max_iterations, seed, learning);
    return std::make_unique<Codes>(std::move(engine), c, codes.data());
  }
  Parallel& parallel = engine->parallel();
  std::vector<Codebook> stages;
  AlignedArray<float> left;
  const float* x = tokens;
  for (int64_t s = 0; s < c.stages; ++s) {
    const KMeansResult learned =
        kmeans(x, rows, c.dim, c.size, max_iterations, seed + static_cast<uint64_t>(s), parallel, c.metric);
    learning.iterations += learned.iterations;
    learning.revived += learned.revived;
    learning.mean_square = learned.inertia / static_cast<double>(rows);
    stages.emplace_back(learned.codes.data(), c.size, c.dim, c.metric, parallel);
    if (s + 1 == c.stages) break;

    const Codebook& stage = stages.back();
    std::vector<int64_t> ids(static_cast<size_t>(rows));
    VectorQuantizeArgs args;
    args.x = x;
    args.rows = rows;
    args.ldx = c.dim;
    args.ids = ids.data();
    auto scratch = engine->lease(vector_quantize_scratch(stage, rows, parallel.threads()));
    vector_quantize_cpu(stage, args, scratch.data(), parallel);
    if (!left.data()) left = AlignedArray<float>(count);
    for (int64_t r = 0; r < rows; ++r) {
      const float* code = stage.codes() + ids[static_cast<size_t>(r)] * c.dim;
      for (int64_t i = 0; i < c.dim; ++i) left[r * c.dim + i] = x[r * c.dim + i] - code[i];
    }
    x = left.data();
  }
  return std::unique_ptr<Codes>(new Codes(std::move(engine), c, std::move(stages), nullptr));
}

int64_t Codes::codes_count() const { return config_.stages * config_.size * config_.dim; }

void Codes::copy_codes(float* out) const {
  for (const Codebook& stage : stages_) {
    out = std::copy(stage.codes(), stage.codes() + stage.size() * stage.dim(), out);
  }
}

void Codes::encode(const float* tokens, int64_t rows, int64_t* ids) const {
  check_finite("tokens", tokens, checked_mul(rows, config_.dim, "rows"));
  if (cuda_) return cuda_->encode(tokens, rows, ids);
  Parallel& parallel = engine_->parallel();
  if (config_.kind == CodesKind::kFsq) {
    fsq_encode_cpu(config_.levels, config_.dim, tokens, rows, ids, parallel);
    return;
  }
  // A cosine stage ranks by the directions of rows and codes; there is only one such stage.
  auto scratch =
      engine_->lease(residual_quantize_scratch(stages_.data(), config_.stages, rows, parallel.threads()));
  residual_quantize_cpu(stages_.data(), config_.stages, tokens, rows, config_.dim, ids, scratch.data(),
                        parallel);
}

void Codes::decode(const int64_t* ids, int64_t rows, float* tokens) const {
  const int64_t count = checked_mul(rows, config_.stages, "rows");
  for (int64_t i = 0; i < count; ++i) {
    if (ids[i] < 0 || ids[i] >= ids_) {
      fail(Code::kOutOfRange, "ids",
           "ids[" + std::to_string(i) + "] = " + std::to_string(ids[i]) + " is outside [0, " +
               std::to_string(ids_) + ")",
           ids_);
    }
  }
  if (cuda_) return cuda_->decode(ids, rows, tokens);
  Parallel& parallel = engine_->parallel();
  if (config_.kind == CodesKind::kFsq) {
    fsq_decode_cpu(config_.levels, config_.dim, ids, rows, tokens, parallel);
  } else {
    residual_decode_cpu(stages_.data(), config_.stages, ids, rows, tokens, config_.dim, parallel);
  }
}

}  // namespace sns
