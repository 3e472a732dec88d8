#include "pipeline/align.h"

#include <cmath>

#include "abi/guard.h"
#include "abi/handles.h"
#include "ops/finite/finite.h"

namespace sns {
namespace {

AlignSide convert(const sns_align_side* side, const char* name) {
  const sns_align_side& c = *checked_struct(side, name);
  AlignSide o;
  o.rows = c.rows;
  o.rows_count = c.rows_count;
  o.d = c.d;
  o.cu_rows = c.cu_rows;
  o.bottleneck = c.bottleneck;
  o.activation = checked_enum(c.activation, Activation::kTanh, (std::string(name) + ".activation").c_str());
  o.scale = static_cast<float>(c.scale);
  o.weight = c.weight;
  o.bias = c.bias;
  o.down = c.down_weight;
  o.down_bias = c.down_bias;
  o.up = c.up_weight;
  o.up_bias = c.up_bias;
  o.d_weight = c.d_weight;
  o.d_bias = c.d_bias;
  o.d_down = c.d_down_weight;
  o.d_down_bias = c.d_down_bias;
  o.d_up = c.d_up_weight;
  o.d_up_bias = c.d_up_bias;
  return o;
}

void check_matrix(const char* name, const float* values, int64_t rows, int64_t dim) {
  if (rows < 0) invalid(name[0] == 'a' ? "n" : "m", std::to_string(rows) + " is negative");
  const int64_t count = checked_mul(rows, dim, "dim");
  if (count == 0) return;
  check_finite(name, not_null(values, name), count);
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_contrastive_logits(sns_engine engine, const float* a, int64_t n, const float* b, int64_t m,
                               int64_t dim, float logit_scale, float logit_bias, float* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    if (dim < 1) sns::invalid("dim", std::to_string(dim) + " is below 1");
    if (!std::isfinite(logit_scale) || std::fabs(logit_scale) > sns::kMaxLogitScale) {
      sns::invalid("logit_scale", "not a logarithm in [-20, 20]");
    }
    if (!std::isfinite(logit_bias)) sns::invalid("logit_bias", "not finite");
    sns::check_matrix("a", a, n, dim);
    sns::check_matrix("b", b, m, dim);
    if (sns::checked_mul(n, m, "m") == 0) return;
    sns::not_null(out, "out");
    if (engine->align) {
      engine->align->logits(a, n, b, m, dim, logit_scale, logit_bias, out);
      return;
    }
    sns::Engine& e = *engine->engine;
    auto scratch = e.lease(sns::contrastive_logits_scratch(n, m, dim, e.threads()));
    sns::contrastive_logits_cpu(a, n, b, m, dim, logit_scale, logit_bias, out, scratch.data(), e.parallel());
  });
}

int32_t sns_align_step(sns_engine engine, const sns_align_config* config, const sns_align_side* x,
                       const sns_align_side* y, sns_align_result* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::checked_struct(out, "out");
    const sns_align_config& c = *sns::checked_struct(config, "config");
    if (c.reserved != 0) sns::invalid("reserved", "must be 0");
    sns::AlignConfig a;
    a.n = c.n;
    a.dim = c.dim;
    a.loss = sns::checked_enum(c.loss, sns::ContrastiveLoss::kSigLip, "loss");
    a.logit_scale = c.logit_scale;
    a.logit_bias = c.logit_bias;
    const sns::AlignSide of_x = sns::convert(x, "x"), of_y = sns::convert(y, "y");
    const sns::ContrastiveResult r =
        engine->align ? engine->align->step(a, of_x, of_y) : sns::align_step(*engine->engine, a, of_x, of_y);
    out->loss = r.loss;
    out->d_logit_scale = r.d_logit_scale;
    out->d_logit_bias = r.d_logit_bias;
  });
}

}  // extern "C"
