#include <cmath>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/bias_activation/bias_activation.h"

namespace sns {
namespace {

/// Run one case; false if something around their scratch was touched.
struct Kernels {
  std::function<bool(const BiasActivationArgs& args)> forward;
  std::function<bool(const BiasActivationGradArgs& args, int64_t rows)> gradient;
  std::function<bool(const BiasGradArgs& args)> bias;
};

struct Deviation {
  double square = 0, scale = 0;
  void add(double got, double want, double relative_to) {
    square += (got - want) * (got - want);
    scale += relative_to * relative_to;
  }
  double relative() const { return square == 0 ? 0 : square / std::max(scale, 1e-300); }
};

std::vector<float> normal(Random& r, int64_t count, double deviation) {
  std::vector<float> v(static_cast<size_t>(count));
  r.fill_normal(v.begin(), v.end(), deviation);
  return v;
}

Parity forward_case(Random& r, int64_t rows, int64_t dim, const Kernels& kernels) {
  BiasActivationArgs a;
  a.rows = rows;
  a.dim = dim;
  a.activation = static_cast<Activation>(r.integer(0, 6));
  a.scale = r.coin() ? 1 : static_cast<float>(r.normal());
  const auto x = normal(r, rows * dim, 2), bias = normal(r, dim, 1), residual = normal(r, rows * dim, 2);
  if (r.coin()) a.bias = bias.data();
  const bool with_residual = r.coin();
  Guarded<float> y(rows * dim), z(rows * dim), in(rows * dim);
  const int64_t place = r.integer(0, 2);  // y: by itself, over x, over the residual
  a.x = x.data();
  a.y = y.data();
  if (with_residual) a.residual = residual.data();
  std::vector<double> want_z(x.size()), want_y(x.size());
  bias_activation_ref(a, want_z.data(), want_y.data());
  Deviation off;
  std::vector<double> scale(x.size());
  for (int64_t i = 0; i < rows * dim; ++i) {
    scale[i] = std::fabs(x[i]) + (a.bias ? std::fabs(a.scale * bias[i % dim]) : 0) +
               (with_residual ? std::fabs(residual[i]) : 0);
  }
  if (place == 1) {
    std::copy(x.begin(), x.end(), y.data());
    a.x = y.data();
  }
  if (place == 2 && with_residual) {
    std::copy(residual.begin(), residual.end(), y.data());
    a.residual = y.data();
  }
  const bool keeps = r.coin(), over = keeps && place != 1 && r.coin();
  if (over) {
    std::copy(x.begin(), x.end(), z.data());
    a.x = z.data();
  }
  if (keeps) a.z = z.data();
  const bool scratch_ok = kernels.forward(a);
  for (int64_t i = 0; i < rows * dim; ++i) {
    off.add(y[i], want_y[i], scale[i]);
    if (keeps) off.add(z[i], want_z[i], scale[i]);
  }
  Parity p;
  p.shape = "activation " + std::to_string(static_cast<int>(a.activation)) + (a.bias ? ", bias" : "") +
            (with_residual ? ", residual" : "");
  p.error = off.relative();
  p.guards_ok = y.intact() && z.intact() && scratch_ok;
  for (int64_t i = 0; !keeps && i < rows * dim; ++i) p.guards_ok &= std::isnan(z[i]);
  return p;
}

Parity gradient_case(Random& r, int64_t rows, int64_t dim, const Kernels& kernels) {
  std::vector<Segment> segments;
  for (int64_t first = r.integer(0, 2); first < rows;) {
    const int64_t count = std::min(rows - first, r.integer(1, r.coin() ? 3 : 40));
    segments.push_back({first, count});
    first += count + (r.coin() ? 0 : 1);  // a row of no segment
  }
  BiasActivationGradArgs a;
  a.dim = dim;
  a.activation = static_cast<Activation>(r.integer(0, 6));
  a.segments = segments.data();
  a.segment_count = static_cast<int64_t>(segments.size());
  const auto x = normal(r, rows * dim, 2), dy = normal(r, a.segment_count * dim, 1);
  a.dy = dy.data();
  Guarded<float> z(rows * dim);
  std::copy(x.begin(), x.end(), z.data());
  a.z = z.data();
  std::vector<double> want(x.begin(), x.end());
  bias_activation_grad_ref(a, want.data());
  const bool scratch_ok = kernels.gradient(a, rows);
  std::vector<double> scale(x.size());
  for (int64_t s = 0; s < a.segment_count; ++s) {
    for (int64_t i = 0; i < segments[s].count * dim; ++i) {
      scale[segments[s].first * dim + i] = dy[s * dim + i % dim] / static_cast<double>(segments[s].count);
    }
  }
  Deviation off;
  for (int64_t i = 0; i < rows * dim; ++i) off.add(z[i], want[i], scale[i]);
  Parity p;
  p.shape = "gradient, activation " + std::to_string(static_cast<int>(a.activation)) + ", segments " +
            std::to_string(a.segment_count);
  p.error = off.relative();
  p.guards_ok = z.intact() && scratch_ok;
  return p;
}

Parity bias_case(Random& r, int64_t rows, int64_t dim, const Kernels& kernels) {
  const auto x = normal(r, rows * dim, 1);
  Guarded<float> y(dim);
  BiasGradArgs a;
  a.x = x.data();
  a.rows = rows;
  a.dim = dim;
  a.scale = r.coin() ? 1 : static_cast<float>(r.normal());
  a.y = y.data();
  std::vector<double> want(static_cast<size_t>(dim)), scale(want);
  bias_grad_ref(a, want.data());
  for (int64_t i = 0; i < rows * dim; ++i) scale[i % dim] += std::fabs(a.scale * x[i]);
  const bool scratch_ok = kernels.bias(a);
  Deviation off;
  for (int64_t c = 0; c < dim; ++c) off.add(y[c], want[c], scale[c]);
  Parity p;
  p.shape = "bias's gradient";
  p.error = off.relative();
  p.guards_ok = y.intact() && scratch_ok;
  return p;
}

Parity random_case(uint64_t seed, const Kernels& kernels) {
  Random r(seed);
  const int64_t dims[] = {1, 15, 16, 17, 64, 128, 129, 768};
  const int64_t dim = r.coin() ? dims[r.integer(0, 7)] : r.integer(1, 300);
  const int64_t rows = r.coin() ? r.integer(0, 5) : r.integer(0, 200), kind = r.integer(0, 3);
  Parity p = kind < 2    ? forward_case(r, rows, dim, kernels)
             : kind == 2 ? gradient_case(r, rows, dim, kernels)
                         : bias_case(r, rows, dim, kernels);
  p.shape = "rows " + std::to_string(rows) + ", dim " + std::to_string(dim) + ", " + p.shape;
  p.measure = "relative Δ²";
  p.limit = kBiasActivationNmse;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  Kernels kernels;
  kernels.forward = [&](const BiasActivationArgs& args) {
    bias_activation_cpu(args, parallel);
    return true;
  };
  kernels.gradient = [&](const BiasActivationGradArgs& args, int64_t) {
    bias_activation_grad_cpu(args, parallel);
    return true;
  };
  kernels.bias = [&](const BiasGradArgs& args) {
    bias_grad_cpu(args, parallel);
    return true;
  };
  return random_case(seed, kernels);
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  Kernels kernels;
  kernels.forward = [&](BiasActivationArgs a) {
    CudaCase c(device);
    const int64_t count = a.rows * a.dim;
    a.y = c.out(a.y, count);
    a.z = c.out(a.z, count);
    a.x = c.in(a.x, count);
    a.bias = c.in(a.bias, a.dim);
    a.residual = c.in(a.residual, count);
    c.check(c.ops().bias_activation(a, c.stream()), "bias_activation");
    return c.done();
  };
  kernels.gradient = [&](BiasActivationGradArgs a, int64_t rows) {
    CudaCase c(device);
    a.z = c.out(a.z, rows * a.dim);
    a.dy = c.in(a.dy, a.segment_count * a.dim);
    a.segments = c.in(a.segments, a.segment_count);
    c.check(c.ops().bias_activation_grad(a, c.stream()), "bias_activation");
    return c.done();
  };
  kernels.bias = [&](BiasGradArgs a) {
    CudaCase c(device);
    a.y = c.out(a.y, a.dim);
    a.x = c.in(a.x, a.rows * a.dim);
    c.check(c.ops().bias_grad(a, c.stream()), "bias_activation");
    return c.done();
  };
  return random_case(seed, kernels);
}

Work work(int64_t rows, int64_t dim) {
  struct Bench {
    AlignedArray<float> x, bias, y;
  };
  auto b = std::make_shared<Bench>();
  b->x = AlignedArray<float>(rows * dim);
  b->bias = AlignedArray<float>(dim);
  b->y = AlignedArray<float>(rows * dim);
  Random r(1);
  r.fill_normal(b->x.begin(), b->x.end());
  r.fill_normal(b->bias.begin(), b->bias.end());
  Work w;
  w.shape = "GELU, rows " + std::to_string(rows) + ", dim " + std::to_string(dim);
  w.flops = 2.0 * static_cast<double>(rows * dim);
  w.bytes = 8.0 * static_cast<double>(rows * dim);
  w.run = [=](Parallel& parallel) {
    BiasActivationArgs a;
    a.x = b->x.data();
    a.rows = rows;
    a.dim = dim;
    a.bias = b->bias.data();
    a.activation = Activation::kGelu;
    a.y = b->y.data();
    bias_activation_cpu(a, parallel);
  };
  return w;
}

std::vector<Work> works() { return {work(1024, 64)}; }

}  // namespace

OpCheck bias_activation_check() { return {"bias_activation", parity, works, cuda_parity}; }

}  // namespace sns
