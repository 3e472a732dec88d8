#include "pipeline/head.h"

#include <algorithm>
#include <cmath>

#include "ops/contrastive/contrastive.h"
#include "ops/l2_normalize/l2_normalize.h"

namespace sns {
namespace {

const char* const kNames[kHeads] = {"image", "audio", "text", "joint"};

[[noreturn]] void invalid_head(const char* field, const std::string& what) {
  throw Error(Code::kInvalidArgument, field, std::string(field) + ": " + what);
}

}  // namespace

void validate(const HeadConfig& c) {
  if (c.dim < 1 || c.dim > kMaxCount) invalid_head("dim", std::to_string(c.dim) + " is outside [1, 2^31)");
  if (std::none_of(c.present, c.present + kHeads, [](bool p) { return p; })) {
    invalid_head("joint", "at least one of image, audio, text and joint must be 1");
  }
  if (!std::isfinite(c.logit_scale) || std::fabs(c.logit_scale) > kMaxLogitScale) {
    invalid_head("logit_scale", "not a logarithm in [-20, 20]");
  }
  if (!std::isfinite(c.logit_bias)) invalid_head("logit_bias", "not finite");
}

HeadTensors take_head(const HeadConfig& c, int64_t width, WeightReader& reader) {
  HeadTensors t;
  for (int32_t k = 0; k < kHeads; ++k) {
    if (!c.present[k]) continue;
    const std::string name = std::string("head.") + kNames[k];
    t.weight[k] = reader.take(name + ".weight", {c.dim, width});
    if (c.has_bias) t.bias[k] = reader.take(name + ".bias", {c.dim});
  }
  return t;
}

Head::Head(const HeadConfig& config, int64_t width, const HeadTensors& tensors)
    : config_(config), width_(width) {
  for (int32_t k = 0; k < kHeads; ++k) {
    if (config.present[k]) weights_[k].emplace(tensors.weight[k], tensors.bias[k], config.dim, width);
  }
}

Head::Buffers Head::lay_out(Carver& carver, int64_t max_sequences) const {
  Buffers b;
  b.kind = carver.take<int32_t>(max_sequences);
  b.slots = carver.take<int64_t>(max_sequences);
  b.segments = carver.take<Segment>(max_sequences);
  b.pooled = carver.take<float>(checked_mul(max_sequences, width_, "max_sequences"));
  b.projected = carver.take<float>(checked_mul(max_sequences, config_.dim, "max_sequences"));
  b.embedding = carver.take<float>(checked_mul(max_sequences, config_.dim, "max_sequences"));
  return b;
}

size_t Head::scratch(int64_t max_sequences, int threads) const {
  return linear_scratch(LinearWeights::shape(config_.dim, width_), max_sequences, threads);
}

Head::Order Head::order(const int64_t* cu, int64_t sequences, const Buffers& b) const {
  Order order;
  int64_t next[kHeads];
  for (int64_t s = 0; s < sequences; ++s) ++order.first[b.kind[s] + 1];
  for (int32_t k = 0; k < kHeads; ++k) {
    next[k] = order.first[k];
    order.first[k + 1] += order.first[k];
  }
  for (int64_t s = 0; s < sequences; ++s) {
    b.slots[s] = next[b.kind[s]]++;
    b.segments[b.slots[s]] = {cu[s], cu[s + 1] - cu[s]};
  }
  return order;
}

void Head::run(const float* rows, const int64_t* cu, int64_t sequences, const Buffers& b, void* scratch,
               Parallel& parallel) const {
  const Order places = order(cu, sequences, b);
  const int64_t* first = places.first;
  SegmentMeanArgs pool;
  pool.x = rows;
  pool.ldx = pool.dim = pool.ldy = width_;
  pool.segments = b.segments;
  pool.segment_count = sequences;
  pool.y = b.pooled;
  segment_mean_cpu(pool, parallel);
  for (int32_t k = 0; k < kHeads; ++k) {
    if (first[k] == first[k + 1]) continue;
    LinearArgs project;
    project.x = b.pooled + first[k] * width_;
    project.rows = first[k + 1] - first[k];
    project.ldx = width_;
    project.y = b.projected + first[k] * config_.dim;
    project.ldy = config_.dim;
    linear_cpu(*weights_[k], project, scratch, parallel);
  }
  for (int64_t s = 0; s < sequences; ++s) {
    const float* row = b.projected + b.slots[s] * config_.dim;
    std::copy(row, row + config_.dim, b.embedding + s * config_.dim);
  }
  L2NormalizeArgs normalize;
  normalize.x = b.embedding;
  normalize.y = b.embedding;
  normalize.rows = sequences;
  normalize.dim = normalize.ldx = normalize.ldy = config_.dim;
  l2_normalize_cpu(normalize, parallel);
}

}  // namespace sns
