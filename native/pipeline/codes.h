#pragma once

#include <memory>
#include <vector>

#include "ops/vector_quantize/vector_quantize.h"
#include "pipeline/engine.h"

namespace sns {

class CudaCodes;

// Values of this enumeration are part of the ABI.
enum class CodesKind : int32_t { kVq = 0, kFsq = 1 };

/// The meaning of every field is in sensorium.h (sns_codebook_config).
struct CodesConfig {
  static constexpr int64_t kMaxLevels = 16;
  int64_t dim = 0, stages = 1, size = 0;
  CodesKind kind = CodesKind::kVq;
  CodeMetric metric = CodeMetric::kL2;
  int32_t levels[kMaxLevels] = {};
};
/// Throws kInvalidArgument or kInvalidShape naming the field.
void validate(const CodesConfig& config);

struct CodesLearning {
  int64_t iterations = 0, revived = 0;
  double mean_square = 0;
};

/// Tokens to ids and back: one codebook, residual stages, or finite scalars; on a GPU where the engine has
/// one. Immutable.
class Codes {
 public:
  /// `codes` is [stages, size, dim]; null for FSQ.
  Codes(std::shared_ptr<Engine> engine, const CodesConfig& config, const float* codes);
  ~Codes();
  /// k-means over tokens [rows, dim], stage by stage; the same codes on either device.
  static std::unique_ptr<Codes> learn(std::shared_ptr<Engine> engine, const CodesConfig& config,
                                      const float* tokens, int64_t rows, int64_t max_iterations,
                                      uint64_t seed, CodesLearning& learning);
  const CodesConfig& config() const { return config_; }
  /// Floats of all stages' codes; 0 for FSQ.
  int64_t codes_count() const;
  void copy_codes(float* out) const;
  /// tokens [rows, dim] → ids [rows, stages]; both throw kOutOfRange on a value outside its range.
  void encode(const float* tokens, int64_t rows, int64_t* ids) const;
  void decode(const int64_t* ids, int64_t rows, float* tokens) const;

 private:
  Codes(std::shared_ptr<Engine> engine, const CodesConfig& config, std::vector<Codebook> stages,
        const float* codes);

  std::shared_ptr<Engine> engine_;
  CodesConfig config_;
  std::vector<Codebook> stages_;
  std::unique_ptr<const CudaCodes> cuda_;
  int64_t ids_ = 0;  ///< ids run from 0 to one below
};

}  // namespace sns
