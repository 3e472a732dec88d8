#include <algorithm>

#include "abi/guard.h"
#include "abi/handles.h"

namespace sns {
namespace {

CodesConfig convert(const sns_codebook_config& c) {
  CodesConfig o;
  o.dim = c.dim;
  o.stages = c.stages;
  o.size = c.size;
  o.kind = checked_enum(c.kind, CodesKind::kFsq, "kind");
  o.metric = checked_enum(c.metric, CodeMetric::kCosine, "metric");
  std::copy(c.levels, c.levels + CodesConfig::kMaxLevels, o.levels);
  validate(o);
  return o;
}

void check_rows(int64_t rows) {
  if (rows < 0) invalid("rows", std::to_string(rows) + " is negative");
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_codebook_create(sns_engine engine, const sns_codebook_config* config, const float* codes,
                            sns_codebook* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(out, "out");
    const sns::CodesConfig c = sns::convert(*sns::checked_struct(config, "config"));
    if (c.kind == sns::CodesKind::kVq) {
      sns::not_null(codes, "codes");
    } else if (codes) {
      sns::invalid("codes", "finite scalars have no codes: must be null");
    }
    auto handle = std::make_unique<sns_codebook_t>();
    handle->codes = std::make_unique<const sns::Codes>(engine->engine, c, codes);
    *out = handle.release();
  });
}

int32_t sns_codebook_learn(sns_engine engine, const sns_codebook_config* config, const float* tokens,
                           int64_t rows, int64_t max_iterations, int64_t seed,
                           sns_codebook_learning* learning, sns_codebook* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(tokens, "tokens");
    sns::not_null(out, "out");
    if (learning) sns::checked_struct(learning, "learning");
    const sns::CodesConfig c = sns::convert(*sns::checked_struct(config, "config"));
    auto handle = std::make_unique<sns_codebook_t>();
    sns::CodesLearning told;
    handle->codes =
        sns::Codes::learn(engine->engine, c, tokens, rows, max_iterations, static_cast<uint64_t>(seed), told);
    if (learning) {
      learning->iterations = told.iterations;
      learning->revived = told.revived;
      learning->mean_square = told.mean_square;
    }
    *out = handle.release();
  });
}

int32_t sns_codebook_codes(sns_codebook codebook, float* out, int64_t out_count) {
  return sns::guard([&] {
    sns::not_null(codebook, "codebook");
    const int64_t expected = codebook->codes->codes_count();
    if (out_count != expected) {
      throw sns::Error(
          sns::Code::kInvalidShape, "out_count",
          "out_count: " + std::to_string(out_count) + ", the codes have " + std::to_string(expected));
    }
    if (expected > 0) codebook->codes->copy_codes(sns::not_null(out, "out"));
  });
}

int32_t sns_codebook_encode(sns_codebook codebook, const float* tokens, int64_t rows, int64_t* ids) {
  return sns::guard([&] {
    sns::not_null(codebook, "codebook");
    sns::check_rows(rows);
    if (rows == 0) return;
    codebook->codes->encode(sns::not_null(tokens, "tokens"), rows, sns::not_null(ids, "ids"));
  });
}

int32_t sns_codebook_decode(sns_codebook codebook, const int64_t* ids, int64_t rows, float* tokens) {
  return sns::guard([&] {
    sns::not_null(codebook, "codebook");
    sns::check_rows(rows);
    if (rows == 0) return;
    codebook->codes->decode(sns::not_null(ids, "ids"), rows, sns::not_null(tokens, "tokens"));
  });
}

void sns_codebook_destroy(sns_codebook codebook) { delete codebook; }

}  // extern "C"
