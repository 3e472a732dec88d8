#include "pipeline/adapter.h"

#include <cmath>

#include "ops/finite/finite.h"
#include "pipeline/config.h"
#include "pipeline/cuda/adapter.h"

namespace sns {
namespace {

void check_weights(const char* name, const float* values, int64_t count) {
  if (values) check_finite(name, values, count, Code::kInvalidWeights);
}

}  // namespace

void validate(const AdapterConfig& c) {
  const auto positive = [](const char* field, int64_t value) {
    if (value < 1 || value > kMaxCount) {
      throw Error(Code::kInvalidArgument, field,
                  std::string(field) + ": " + std::to_string(value) + " is outside [1, 2^31)");
    }
  };
  positive("d", c.d);
  positive("bottleneck", c.bottleneck);
  if (!std::isfinite(c.scale)) throw Error(Code::kInvalidArgument, "scale", "scale: not finite");
}

Adapter::Adapter(const AdapterConfig& c, const float* down, const float* down_bias, const float* up,
                 const float* up_bias, std::shared_ptr<const CudaDevice> device)
    : config_(c) {
  const int64_t count = checked_mul(c.d, c.bottleneck, "adapter");
  check_weights("down_weight", down, count);
  check_weights("down_bias", down_bias, c.bottleneck);
  check_weights("up_weight", up, count);
  check_weights("up_bias", up_bias, c.d);
  down_ = LinearWeights(down, down_bias, c.bottleneck, c.d);
  AlignedArray<float> scaled(count), bias(c.d);
  for (int64_t i = 0; i < count; ++i) scaled[i] = c.scale * up[i];
  for (int64_t i = 0; i < c.d; ++i) bias[i] = up_bias ? c.scale * up_bias[i] : 0.0f;
  up_ = LinearWeights(scaled.data(), bias.data(), c.d, c.bottleneck);
  if (!device) return;
  cuda_ = std::make_unique<const CudaAdapter>(std::move(device), c.d, c.bottleneck, c.activation, down,
                                              down_bias, scaled.data(), bias.data());
}

Adapter::~Adapter() = default;

void Adapter::run(const float* x, int64_t count, float* y, void* scratch, Parallel& parallel) const {
  MlpArgs mlp;
  mlp.x = mlp.residual = x;
  mlp.y = y;
  mlp.rows = count;
  mlp.ldx = mlp.ldy = mlp.ld_residual = config_.d;
  mlp.activation = config_.activation;
  mlp_cpu(down_, up_, mlp, scratch, parallel);
}

}  // namespace sns
