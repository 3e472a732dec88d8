#include "pipeline/weights.h"

#include "ops/finite/finite.h"

namespace sns {
namespace {

std::string shape(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

}  // namespace

const float* WeightReader::take(const std::string& name, const std::vector<int64_t>& dims) {
  taken_.insert(name);
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    problems_.push_back("missing: " + name + " " + shape(dims));
    return nullptr;
  }
  const Tensor& tensor = found->second;
  if (tensor.dims != dims) {
    problems_.push_back("wrong shape: " + name + " is " + shape(tensor.dims) + ", expected " + shape(dims));
    return nullptr;
  }
  const int64_t bad = first_non_finite(tensor.data.data(), tensor.data.size());
  if (bad >= 0) {
    problems_.push_back("not finite: " + name + ", element " + std::to_string(bad));
    return nullptr;
  }
  return tensor.data.data();
}

void WeightReader::finish() const {
  std::vector<std::string> problems = problems_;
  for (const auto& entry : tensors_) {
    if (!taken_.count(entry.first)) {
      problems.push_back("extra: " + entry.first + " " + shape(entry.second.dims));
    }
  }
  if (problems.empty()) return;
  std::string message = std::to_string(problems.size()) + " tensors do not fit the configuration:";
  for (const std::string& problem : problems) message += "\n  " + problem;
  throw Error(Code::kInvalidWeights, "tensors", message);
}

}  // namespace sns
