#include "pipeline/align.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/bias_activation/bias_activation.h"
#include "ops/finite/finite.h"
#include "ops/gemm/gemm.h"
#include "ops/l2_normalize/l2_normalize.h"
#include "ops/linear/linear.h"
#include "ops/segment_mean/segment_mean.h"
#include "pipeline/config.h"

namespace sns {
namespace {

[[noreturn]] void fail(Code code, const std::string& field, const std::string& what) {
  throw Error(code, field, field + ": " + what);
}

void validate_side(const std::string& name, const AlignConfig& c, const AlignSide& s) {
  const auto count = [&](const char* field, int64_t value, int64_t low) {
    if (value < low || value > kMaxCount) {
      fail(Code::kInvalidArgument, name + "." + field, std::to_string(value) + " is out of range");
    }
  };
  count("d", s.d, 1);
  count("bottleneck", s.bottleneck, 0);
  count("rows_count", s.rows_count, 0);
  const auto values = [&](const char* field, const float* p, int64_t size, bool needed) {
    if (!p) {
      if (needed && size > 0) fail(Code::kInvalidArgument, name + "." + field, "null");
      return;
    }
    check_finite(name + "." + field, p, size);
  };
  if (s.cu_rows) {
    bool rising = s.cu_rows[0] == 0 && s.cu_rows[c.n] == s.rows_count;
    for (int64_t i = 0; i < c.n; ++i) rising &= s.cu_rows[i] < s.cu_rows[i + 1];
    if (!rising) {
      fail(Code::kInvalidShape, name + ".cu_rows",
           "must rise from 0 to rows_count, every example with a row at least");
    }
  } else if (s.rows_count != c.n) {
    fail(Code::kInvalidShape, name + ".rows_count",
         std::to_string(s.rows_count) + " rows for " + std::to_string(c.n) + " pairs, and cu_rows is null");
  }
  if (!std::isfinite(s.scale)) fail(Code::kInvalidArgument, name + ".scale", "not finite");
  values("rows", s.rows, checked_mul(s.rows_count, s.d, "rows"), true);
  values("weight", s.weight, checked_mul(c.dim, s.d, "weight"), true);
  values("bias", s.bias, c.dim, false);
  if (s.d_bias && !s.bias) fail(Code::kInvalidArgument, name + ".d_bias", "there is no bias");
  const bool adapter = s.bottleneck > 0;
  const bool any =
      s.down || s.down_bias || s.up || s.up_bias || s.d_down || s.d_down_bias || s.d_up || s.d_up_bias;
  if (!adapter && any) {
    fail(Code::kInvalidArgument, name + ".bottleneck", "0, but there are an adapter's tensors");
  }
  if (!adapter) return;
  const int64_t size = checked_mul(s.bottleneck, s.d, "bottleneck");
  values("down_weight", s.down, size, true);
  values("down_bias", s.down_bias, s.bottleneck, false);
  values("up_weight", s.up, size, true);
  values("up_bias", s.up_bias, s.d, false);
}

/// One side's way there and back. The mean over an example's rows and the layer `up` are both linear, so only
/// the hidden layer is computed for every row: mean(x + s·(U·h + u)) = mean(x) + s·(U·mean(h) + u).
class Side {
 public:
  Side(const AlignConfig& c, const AlignSide& s, Engine& engine)
      : c_(c), s_(s), parallel_(engine.parallel()), cu_(s.cu_rows) {
    if (!cu_) {
      identity_.resize(static_cast<size_t>(c.n + 1));
      for (int64_t i = 0; i <= c.n; ++i) identity_[static_cast<size_t>(i)] = i;
      cu_ = identity_.data();
    }
    for (int64_t i = 0; i < c.n; ++i) segments_.push_back({cu_[i], cu_[i + 1] - cu_[i]});
    pooled_ = array(c.n, s.d);
    projected_ = array(c.n, c.dim);
    embedding_ = array(c.n, c.dim);
    grad_ = array(c.n, c.dim);
    if (s.bottleneck > 0) {
      hidden_ = array(s.rows_count, s.bottleneck);
      active_ = array(s.rows_count, s.bottleneck);
      mean_hidden_ = array(c.n, s.bottleneck);
      d_pooled_ = array(c.n, s.d);
      d_mean_hidden_ = array(c.n, s.bottleneck);
    }
    size_t most = 0;
    const auto reserve = [&](int64_t m, int64_t n, int64_t k) {
      most = std::max(most, gemm_scratch(m, n, k, parallel_.threads()));
    };
    reserve(c.n, c.dim, s.d);
    reserve(c.dim, s.d, c.n);
    reserve(c.n, s.d, c.dim);
    if (s.bottleneck > 0) {
      reserve(s.rows_count, s.bottleneck, s.d);
      reserve(c.n, s.d, s.bottleneck);
      reserve(s.d, s.bottleneck, c.n);
      reserve(c.n, s.bottleneck, s.d);
      reserve(s.bottleneck, s.d, s.rows_count);
    }
    scratch_ = AlignedArray<unsigned char>(static_cast<int64_t>(most));
  }

  const float* embedding() const { return embedding_.data(); }
  float* grad() { return grad_.data(); }

  void forward() {
    pool(s_.rows, s_.d, pooled_.data());
    if (s_.bottleneck > 0) {
      const int64_t r = s_.bottleneck;
      product(s_.rows_count, r, s_.d, s_.rows, false, s_.down, true, 1, hidden_.data());
      bias_activation_cpu({hidden_.data(), s_.rows_count, r, s_.down_bias, 1, nullptr, s_.activation,
                           hidden_.data(), active_.data()},
                          parallel_);
      pool(active_.data(), r, mean_hidden_.data());
      product(c_.n, s_.d, r, mean_hidden_.data(), false, s_.up, true, s_.scale, d_pooled_.data());
      bias_activation_cpu({d_pooled_.data(), c_.n, s_.d, s_.up_bias, s_.scale, pooled_.data(),
                           Activation::kNone, nullptr, pooled_.data()},
                          parallel_);
    }
    product(c_.n, c_.dim, s_.d, pooled_.data(), false, s_.weight, true, 1, projected_.data());
    if (s_.bias) {
      bias_activation_cpu({projected_.data(), c_.n, c_.dim, s_.bias, 1, nullptr, Activation::kNone, nullptr,
                           projected_.data()},
                          parallel_);
    }
    l2_normalize_cpu(normalize(embedding_.data()), parallel_);
  }

  /// From grad() = dloss/dembedding.
  void backward() {
    l2_normalize_grad_cpu(normalize(grad_.data()), grad_.data(), c_.dim, parallel_);
    const float* g = grad_.data();
    if (s_.d_weight) product(c_.dim, s_.d, c_.n, g, true, pooled_.data(), false, 1, s_.d_weight);
    if (s_.d_bias) bias_grad_cpu({g, c_.n, c_.dim, 1, s_.d_bias}, parallel_);
    if (!s_.d_down && !s_.d_down_bias && !s_.d_up && !s_.d_up_bias) return;
    const int64_t r = s_.bottleneck;
    product(c_.n, s_.d, c_.dim, g, false, s_.weight, false, 1, d_pooled_.data());
    if (s_.d_up) {
      product(s_.d, r, c_.n, d_pooled_.data(), true, mean_hidden_.data(), false, s_.scale, s_.d_up);
    }
    if (s_.d_up_bias) bias_grad_cpu({d_pooled_.data(), c_.n, s_.d, s_.scale, s_.d_up_bias}, parallel_);
    if (!s_.d_down && !s_.d_down_bias) return;
    product(c_.n, r, s_.d, d_pooled_.data(), false, s_.up, false, s_.scale, d_mean_hidden_.data());
    bias_activation_grad_cpu(
        {hidden_.data(), r, s_.activation, segments_.data(), c_.n, d_mean_hidden_.data()}, parallel_);
    if (s_.d_down) product(r, s_.d, s_.rows_count, hidden_.data(), true, s_.rows, false, 1, s_.d_down);
    if (s_.d_down_bias) bias_grad_cpu({hidden_.data(), s_.rows_count, r, 1, s_.d_down_bias}, parallel_);
  }

 private:
  static AlignedArray<float> array(int64_t rows, int64_t cols) {
    return AlignedArray<float>(checked_mul(rows, cols, "align"));
  }
  void pool(const float* x, int64_t dim, float* y) {
    SegmentMeanArgs a;
    a.x = x;
    a.ldx = a.dim = a.ldy = dim;
    a.segments = segments_.data();
    a.segment_count = c_.n;
    a.y = y;
    segment_mean_cpu(a, parallel_);
  }
  /// Dense y [m, n] = scale·op(a)·op(b).
  void product(int64_t m, int64_t n, int64_t k, const float* a, bool turn_a, const float* b, bool turn_b,
               float scale, float* y) {
    GemmArgs g;
    g.m = m;
    g.n = n;
    g.k = k;
    g.a = a;
    g.lda = turn_a ? m : k;
    g.transpose_a = turn_a;
    g.b = b;
    g.ldb = turn_b ? k : n;
    g.transpose_b = turn_b;
    g.scale = scale;
    g.c = y;
    g.ldc = n;
    gemm_cpu(g, scratch_.data(), parallel_);
  }
  L2NormalizeArgs normalize(float* y) {
    L2NormalizeArgs a;
    a.x = projected_.data();
    a.rows = c_.n;
    a.dim = a.ldx = a.ldy = c_.dim;
    a.y = y;
    return a;
  }

  const AlignConfig& c_;
  const AlignSide& s_;
  Parallel& parallel_;
  const int64_t* cu_;
  std::vector<int64_t> identity_;
  std::vector<Segment> segments_;
  AlignedArray<float> pooled_, projected_, embedding_, grad_;
  AlignedArray<float> hidden_, active_, mean_hidden_, d_pooled_, d_mean_hidden_;
  AlignedArray<unsigned char> scratch_;
};

}  // namespace

void validate(const AlignConfig& c, const AlignSide& x, const AlignSide& y) {
  if (c.n < 1 || c.n > kMaxCount) fail(Code::kInvalidArgument, "n", std::to_string(c.n) + " is out of range");
  if (c.dim < 1 || c.dim > kMaxCount) {
    fail(Code::kInvalidArgument, "dim", std::to_string(c.dim) + " is out of range");
  }
  if (!std::isfinite(c.logit_scale) || std::fabs(c.logit_scale) > kMaxLogitScale) {
    fail(Code::kInvalidArgument, "logit_scale", "not a logarithm in [-20, 20]");
  }
  if (!std::isfinite(c.logit_bias)) fail(Code::kInvalidArgument, "logit_bias", "not finite");
  validate_side("x", c, x);
  validate_side("y", c, y);
}

ContrastiveResult align_step(Engine& engine, const AlignConfig& c, const AlignSide& x, const AlignSide& y) {
  validate(c, x, y);
  Side a(c, x, engine), b(c, y, engine);
  Parallel& parallel = engine.parallel();
  AlignedArray<unsigned char> scratch(
      static_cast<int64_t>(contrastive_scratch(c.n, c.dim, parallel.threads())));
  a.forward();
  b.forward();
  ContrastiveArgs args;
  args.a = a.embedding();
  args.b = b.embedding();
  args.n = c.n;
  args.dim = c.dim;
  args.kind = c.loss;
  args.logit_scale = c.logit_scale;
  args.logit_bias = c.logit_bias;
  args.da = a.grad();
  args.db = b.grad();
  const ContrastiveResult result = contrastive_cpu(args, scratch.data(), parallel);
  a.backward();
  b.backward();
  return result;
}

}  // namespace sns
