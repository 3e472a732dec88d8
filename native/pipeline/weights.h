#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/precision.h"

namespace sns {

/// A named float32 array, row-major and dense.
struct Tensor {
  std::vector<int64_t> dims;
  AlignedArray<float> data;
};
using TensorMap = std::map<std::string, Tensor>;

/// Takes tensors by name and shape and remembers everything that does not fit, so that one error can list it
/// all.
class WeightReader {
 public:
  /// `precision` is that of the layers which are made from the tensors.
  explicit WeightReader(const TensorMap& tensors, Precision precision = Precision::kStrict)
      : tensors_(tensors), precision_(precision) {}
  Precision precision() const { return precision_; }
  /// The tensor's data, or null when it is missing, misshapen or not finite (finish() will tell).
  const float* take(const std::string& name, const std::vector<int64_t>& dims);
  /// Throws kInvalidWeights with a line for every missing, misshapen, non-finite or extra tensor.
  void finish() const;

 private:
  const TensorMap& tensors_;
  const Precision precision_;
  std::set<std::string> taken_;
  std::vector<std::string> problems_;
};

}  // namespace sns
