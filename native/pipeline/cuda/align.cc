#include "pipeline/cuda/align.h"

#include <algorithm>
#include <vector>

namespace sns {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kLogits = int64_t{1} << 18;  // of one turn, and values of its rows: what bounds the memory
constexpr int kTensors = 6;                    // weight, bias, down, its bias, up, its bias

/// Work that an exception leaves behind must be done before the caller's memory goes.
struct Finish {
  const CudaStream& stream;
  ~Finish() { stream.device().runtime().stream_synchronize(stream.get()); }
};

struct Shape {
  int64_t sizes[kTensors];
  explicit Shape(const AlignConfig& c, const AlignSide& s)
      : sizes{c.dim * s.d, c.dim, s.bottleneck * s.d, s.bottleneck, s.bottleneck * s.d, s.d} {}
};

/// What crosses in page-locked memory, the same on both sides: segments there, the results back.
struct Parcel {
  Segment* segments[2];
  ContrastiveResult* result;
  float* gradients[2][kTensors];
  int64_t there, bytes;
  Parcel(void* memory, const AlignConfig& c, const AlignSide* const* sides) {
    Carver carver(memory);
    for (Segment*& s : segments) s = carver.take<Segment>(c.n);
    there = static_cast<int64_t>(carver.bytes());
    result = carver.take<ContrastiveResult>(1);
    for (int i = 0; i < 2; ++i) {
      const AlignSide& s = *sides[i];
      const Shape shape(c, s);
      float* const wanted[] = {s.d_weight, s.d_bias, s.d_down, s.d_down_bias, s.d_up, s.d_up_bias};
      for (int t = 0; t < kTensors; ++t) {
        gradients[i][t] = wanted[t] ? carver.take<float>(shape.sizes[t]) : nullptr;
      }
    }
    bytes = static_cast<int64_t>(carver.bytes());
  }
  void segment(int side, const AlignConfig& c, const AlignSide& s) const {
    for (int64_t i = 0; i < c.n; ++i) {
      segments[side][i] = s.cu_rows ? Segment{s.cu_rows[i], s.cu_rows[i + 1] - s.cu_rows[i]} : Segment{i, 1};
    }
  }
  void give(int side, const AlignConfig& c, const AlignSide& s) const {
    float* const wanted[] = {s.d_weight, s.d_bias, s.d_down, s.d_down_bias, s.d_up, s.d_up_bias};
    const Shape shape(c, s);
    for (int t = 0; t < kTensors; ++t) {
      if (wanted[t]) std::copy_n(gradients[side][t], shape.sizes[t], wanted[t]);
    }
  }
};

/// Side of pipeline/align.cc on the GPU, step by step the same.
class CudaSide {
 public:
  /// Counts with a counting carver.
  CudaSide(const AlignConfig& c, const AlignSide& s, const CudaStream& stream, Carver& carver)
      : c_(c), s_(s), stream_(stream) {
    const Shape shape(c, s);
    const float* const given[] = {s.weight, s.bias, s.down, s.down_bias, s.up, s.up_bias};
    for (int t = 0; t < kTensors; ++t) {
      tensors_[t] = given[t] && shape.sizes[t] > 0 ? carver.take<float>(shape.sizes[t]) : nullptr;
    }
    const auto array = [&](int64_t rows, int64_t cols) {
      return carver.take<float>(checked_mul(rows, cols, "align"));
    };
    rows_ = array(s.rows_count, s.d);
    pooled_ = array(c.n, s.d);
    projected_ = array(c.n, c.dim);
    embedding = array(c.n, c.dim);
    grad = array(c.n, c.dim);
    if (s.bottleneck == 0) return;
    hidden_ = array(s.rows_count, s.bottleneck);
    active_ = array(s.rows_count, s.bottleneck);
    mean_hidden_ = array(c.n, s.bottleneck);
    d_pooled_ = array(c.n, s.d);
    d_mean_hidden_ = array(c.n, s.bottleneck);
  }
  float *embedding, *grad;

  /// segments [n] and gradients are the device's.
  void put(const Segment* segments, float* const* gradients) {
    segments_ = segments;
    std::copy_n(gradients, kTensors, gradients_);
    const float* const given[] = {s_.weight, s_.bias, s_.down, s_.down_bias, s_.up, s_.up_bias};
    const Shape shape(c_, s_);
    for (int t = 0; t < kTensors; ++t) {
      if (tensors_[t]) stream_.copy_in(tensors_[t], given[t], shape.sizes[t] * kFloat);
    }
    stream_.copy_in(rows_, s_.rows, s_.rows_count * s_.d * kFloat);
  }

  void forward() const {
    const auto& [weight, bias, down, down_bias, up, up_bias] = tensors_;
    const int64_t r = s_.bottleneck;
    pool(rows_, s_.d, pooled_);
    if (r > 0) {
      product(s_.rows_count, r, s_.d, rows_, false, down, true, 1, hidden_);
      add_bias({hidden_, s_.rows_count, r, down_bias, 1, nullptr, s_.activation, hidden_, active_});
      pool(active_, r, mean_hidden_);
      product(c_.n, s_.d, r, mean_hidden_, false, up, true, s_.scale, d_pooled_);
      add_bias({d_pooled_, c_.n, s_.d, up_bias, s_.scale, pooled_, Activation::kNone, nullptr, pooled_});
    }
    product(c_.n, c_.dim, s_.d, pooled_, false, weight, true, 1, projected_);
    if (bias) add_bias({projected_, c_.n, c_.dim, bias, 1, nullptr, Activation::kNone, nullptr, projected_});
    stream_.check(stream_.ops().l2_normalize(normalize(embedding), stream_.get()), "l2_normalize");
  }

  /// From grad = dloss/dembedding.
  void backward() const {
    const auto& [weight, bias, down, down_bias, up, up_bias] = tensors_;
    const auto& [d_weight, d_bias, d_down, d_down_bias, d_up, d_up_bias] = gradients_;
    const int64_t r = s_.bottleneck;
    stream_.check(stream_.ops().l2_normalize_grad(normalize(grad), grad, c_.dim, stream_.get()),
                  "l2_normalize");
    if (d_weight) product(c_.dim, s_.d, c_.n, grad, true, pooled_, false, 1, d_weight);
    if (d_bias) sum({grad, c_.n, c_.dim, 1, d_bias});
    if (!d_down && !d_down_bias && !d_up && !d_up_bias) return;
    product(c_.n, s_.d, c_.dim, grad, false, weight, false, 1, d_pooled_);
    if (d_up) product(s_.d, r, c_.n, d_pooled_, true, mean_hidden_, false, s_.scale, d_up);
    if (d_up_bias) sum({d_pooled_, c_.n, s_.d, s_.scale, d_up_bias});
    if (!d_down && !d_down_bias) return;
    product(c_.n, r, s_.d, d_pooled_, false, up, false, s_.scale, d_mean_hidden_);
    const BiasActivationGradArgs back{hidden_, r, s_.activation, segments_, c_.n, d_mean_hidden_};
    stream_.check(stream_.ops().bias_activation_grad(back, stream_.get()), "bias_activation");
    if (d_down) product(r, s_.d, s_.rows_count, hidden_, true, rows_, false, 1, d_down);
    if (d_down_bias) sum({hidden_, s_.rows_count, r, 1, d_down_bias});
  }

 private:
  void pool(const float* x, int64_t dim, float* y) const {
    const SegmentMeanArgs a{x, dim, dim, segments_, c_.n, y, dim};
    stream_.check(stream_.ops().segment_mean(a, stream_.get()), "segment_mean");
  }
  /// Dense y [m, n] = scale·op(a)·op(b).
  void product(int64_t m, int64_t n, int64_t k, const float* a, bool turn_a, const float* b, bool turn_b,
               float scale, float* y) const {
    const GemmArgs g{m, n, k, a, turn_a ? m : k, turn_a, b, turn_b ? k : n, turn_b, scale, y, n};
    stream_.check(stream_.ops().gemm(g, 0, Precision::kStrict, stream_.get()), "gemm");
  }
  void add_bias(const BiasActivationArgs& a) const {
    stream_.check(stream_.ops().bias_activation(a, stream_.get()), "bias_activation");
  }
  void sum(const BiasGradArgs& a) const {
    stream_.check(stream_.ops().bias_grad(a, stream_.get()), "bias_activation");
  }
  L2NormalizeArgs normalize(float* y) const {
    L2NormalizeArgs a;
    a.x = projected_;
    a.rows = c_.n;
    a.dim = a.ldx = a.ldy = c_.dim;
    a.y = y;
    return a;
  }

  const AlignConfig& c_;
  const AlignSide& s_;
  const CudaStream& stream_;
  const Segment* segments_ = nullptr;
  float *tensors_[kTensors], *gradients_[kTensors];
  float *rows_, *pooled_, *projected_;
  float *hidden_ = nullptr, *active_ = nullptr, *mean_hidden_ = nullptr, *d_pooled_ = nullptr,
        *d_mean_hidden_ = nullptr;
};

}  // namespace

CudaAlign::CudaAlign(const CudaDevicePtr& device) : stream_(entered(device)) {}

void CudaAlign::logits(const float* a, int64_t n, const float* b, int64_t m, int64_t dim, float logit_scale,
                       float logit_bias, float* out) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const CudaDevicePtr device = entered(stream_.device_pointer());
  const int64_t most = std::clamp<int64_t>(kLogits / std::max(m, dim), 1, n);
  const auto lay_out = [&](void* memory, float** of_a, float** of_b, float** z) {
    Carver carver(memory);
    *of_a = carver.take<float>(checked_mul(most, dim, "dim"));
    *of_b = carver.take<float>(checked_mul(m, dim, "dim"));
    *z = carver.take<float>(checked_mul(most, m, "m"));
    return static_cast<int64_t>(carver.bytes());
  };
  float *of_a, *of_b, *z;
  const int64_t bytes = lay_out(nullptr, &of_a, &of_b, &z);
  lay_out(room(device_, device, CudaBlock::Place::kDevice, bytes), &of_a, &of_b, &z);
  auto* const here = static_cast<float*>(room(host_, device, CudaBlock::Place::kHost, most * m * kFloat));
  const Finish finish{stream_};
  stream_.copy_in(of_b, b, m * dim * kFloat);
  for (int64_t first = 0; first < n; first += most) {
    const int64_t rows = std::min(most, n - first);
    stream_.copy_in(of_a, a + first * dim, rows * dim * kFloat);
    stream_.check(device->ops().contrastive_logits(of_a, rows, of_b, m, dim, logit_scale, logit_bias, z,
                                                   Precision::kStrict, stream_.get()),
                  "contrastive");
    stream_.copy_out(here, z, rows * m * kFloat);
    stream_.synchronize();
    std::copy_n(here, rows * m, out + first * m);
  }
}

ContrastiveResult CudaAlign::step(const AlignConfig& c, const AlignSide& x, const AlignSide& y) {
  validate(c, x, y);
  const std::lock_guard<std::mutex> lock(mutex_);
  const CudaDevicePtr device = entered(stream_.device_pointer());
  const gpu::Ops& ops = device->ops();
  const AlignSide* const sides[] = {&x, &y};
  const auto workspace = static_cast<int64_t>(ops.contrastive_workspace(c.n));
  const int64_t parcel = Parcel(nullptr, c, sides).bytes;
  Carver size(nullptr);
  CudaSide(c, x, stream_, size);
  CudaSide(c, y, stream_, size);
  size.take<unsigned char>(workspace);
  size.take<unsigned char>(parcel);
  Carver carver(room(device_, device, CudaBlock::Place::kDevice, static_cast<int64_t>(size.bytes())));
  CudaSide of_x(c, x, stream_, carver), of_y(c, y, stream_, carver);
  void* const scratch = carver.take<unsigned char>(workspace);
  const Parcel there(carver.take<unsigned char>(parcel), c, sides);
  const Parcel here(room(host_, device, CudaBlock::Place::kHost, parcel), c, sides);
  const Finish finish{stream_};
  here.segment(0, c, x);
  here.segment(1, c, y);
  stream_.copy_in(there.segments[0], here.segments[0], here.there);
  of_x.put(there.segments[0], there.gradients[0]);
  of_y.put(there.segments[1], there.gradients[1]);
  of_x.forward();
  of_y.forward();
  const ContrastiveArgs args{of_x.embedding, of_y.embedding, c.n,       c.dim,    c.loss,
                             c.logit_scale,  c.logit_bias,   of_x.grad, of_y.grad};
  stream_.check(ops.contrastive(args, there.result, scratch, stream_.get()), "contrastive");
  of_x.backward();
  of_y.backward();
  stream_.copy_out(here.result, there.result, parcel - here.there);
  stream_.synchronize();
  here.give(0, c, x);
  here.give(1, c, y);
  return *here.result;
}

}  // namespace sns
