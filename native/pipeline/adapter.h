#pragma once

#include <memory>

#include "ops/mlp/mlp.h"

namespace sns {

class CudaAdapter;
class CudaDevice;

/// The meaning of every field is in sensorium.h (sns_adapter_config).
struct AdapterConfig {
  int64_t d = 0, bottleneck = 0;
  Activation activation = Activation::kGelu;
  float scale = 1;
};
/// Throws kInvalidArgument naming the field.
void validate(const AdapterConfig& config);

/// Bottleneck adapter (Houlsby et al. 2019): x + scale·(U·act(D·x + d) + u). Immutable; sessions share it.
class Adapter {
 public:
  /// down [bottleneck, d], up [d, bottleneck]; biases may be null. Throws kInvalidWeights where a value is
  /// not finite. With `device` it serves sessions of that GPU, too.
  Adapter(const AdapterConfig& config, const float* down, const float* down_bias, const float* up,
          const float* up_bias, std::shared_ptr<const CudaDevice> device = nullptr);
  ~Adapter();
  const AdapterConfig& config() const { return config_; }
  /// The weights on the GPU, or null.
  const CudaAdapter* cuda() const { return cuda_.get(); }
  size_t scratch(int64_t max_rows, int threads) const { return mlp_scratch(down_, up_, max_rows, threads); }
  /// x [count, d] → y [count, d].
  void run(const float* x, int64_t count, float* y, void* scratch, Parallel& parallel) const;

 private:
  AdapterConfig config_;
  LinearWeights down_, up_;  // up_ holds the scale
  std::unique_ptr<const CudaAdapter> cuda_;
};

}  // namespace sns
