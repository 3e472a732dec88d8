#include <cmath>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/l2_normalize/l2_normalize.h"

namespace sns {
namespace {

/// Run one case; false if something around their scratch was touched.
struct Kernels {
  std::function<bool(const L2NormalizeArgs& args)> forward;
  std::function<bool(const L2NormalizeArgs& args, const float* dy, int64_t lddy)> gradient;
};

Parity random_case(uint64_t seed, const Kernels& kernels) {
  Random r(seed);
  L2NormalizeArgs a;
  const int64_t dims[] = {1, 2, 15, 16, 17, 64, 512, 768, 1024, 1280};
  a.dim = r.coin() ? dims[r.integer(0, 9)] : r.integer(1, 2000);
  a.rows = r.coin() ? r.integer(0, 5) : r.integer(0, 150);
  a.ldx = a.dim + (r.coin() ? 0 : r.integer(1, 20));
  const bool grad = r.coin(), in_place = !grad && r.coin();
  a.ldy = in_place ? a.ldx : a.dim + (r.coin() ? 0 : r.integer(1, 20));
  const int64_t lddy = a.dim + (r.coin() ? 0 : r.integer(1, 20));
  const double deviation = std::exp((r.coin() ? 2 : 30) * r.normal());
  const auto matrix = [&](int64_t ld, double scale) {
    std::vector<float> v(static_cast<size_t>(a.rows * ld), std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < a.rows; ++i) {
      for (int64_t c = 0; c < a.dim; ++c) {
        const double x = scale * r.normal();
        v[static_cast<size_t>(i * ld + c)] = static_cast<float>(std::max(-1e30, std::min(1e30, x)));
      }
    }
    return v;
  };
  auto x = matrix(a.ldx, deviation), dy = matrix(lddy, 1);
  if (a.rows > 2) std::fill(x.begin() + a.ldx, x.begin() + a.ldx + a.dim, 0.0f);  // a row of zeros
  Guarded<float> y(a.rows * a.ldy);
  a.x = x.data();
  std::vector<double> ref(static_cast<size_t>(a.rows * a.dim));
  grad ? l2_normalize_grad_ref(a, dy.data(), lddy, ref.data()) : l2_normalize_ref(a, ref.data());
  // What the error is relative to: y itself, or dy/max(‖x‖, eps). Row by row: lengths differ by many orders.
  std::vector<double> scale(static_cast<size_t>(a.rows));
  for (int64_t i = 0; i < a.rows; ++i) {
    double norm = 0, energy = 0;
    for (int64_t c = 0; c < a.dim; ++c) {
      norm += std::pow(static_cast<double>(a.x[i * a.ldx + c]), 2);
      energy += grad ? std::pow(static_cast<double>(dy[static_cast<size_t>(i * lddy + c)]), 2)
                     : std::pow(ref[static_cast<size_t>(i * a.dim + c)], 2);
    }
    const double longest = std::max(std::sqrt(norm), static_cast<double>(a.eps));
    scale[static_cast<size_t>(i)] = grad ? energy / (longest * longest) : energy;
  }
  if (in_place) {
    std::copy(x.begin(), x.end(), y.data());
    a.x = y.data();
  }
  a.y = y.data();
  const bool scratch_ok = grad ? kernels.gradient(a, dy.data(), lddy) : kernels.forward(a);

  Parity p;
  p.shape = "rows " + std::to_string(a.rows) + ", dim " + std::to_string(a.dim) + (grad ? ", gradient" : "") +
            (in_place ? ", in place" : "") + ", x ~ " + std::to_string(deviation);
  p.measure = "NMSE of a row";
  p.limit = kL2NormalizeNmse;
  for (int64_t i = 0; i < a.rows; ++i) {
    double error = 0;
    for (int64_t c = 0; c < a.dim; ++c) error += std::pow(y[i * a.ldy + c] - ref[i * a.dim + c], 2);
    error = error == 0 ? 0 : error / std::max(scale[static_cast<size_t>(i)], 1e-300);
    if (!(error <= p.error)) p.error = error;
  }
  p.guards_ok = (in_place ? y.intact() : y.rows_intact(a.rows, a.dim, a.ldy)) && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  Kernels kernels;
  kernels.forward = [&](const L2NormalizeArgs& args) {
    l2_normalize_cpu(args, parallel);
    return true;
  };
  kernels.gradient = [&](const L2NormalizeArgs& args, const float* dy, int64_t lddy) {
    l2_normalize_grad_cpu(args, dy, lddy, parallel);
    return true;
  };
  return random_case(seed, kernels);
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  Kernels kernels;
  kernels.forward = [&](L2NormalizeArgs a) {
    CudaCase c(device);
    a.y = c.out(a.y, a.rows, a.dim, a.ldy);
    a.x = c.in(a.x, a.rows, a.dim, a.ldx);
    c.check(c.ops().l2_normalize(a, c.stream()), "l2_normalize");
    return c.done();
  };
  kernels.gradient = [&](L2NormalizeArgs a, const float* dy, int64_t lddy) {
    CudaCase c(device);
    a.y = c.out(a.y, a.rows, a.dim, a.ldy);
    a.x = c.in(a.x, a.rows, a.dim, a.ldx);
    dy = c.in(dy, a.rows, a.dim, lddy);
    c.check(c.ops().l2_normalize_grad(a, dy, lddy, c.stream()), "l2_normalize");
    return c.done();
  };
  return random_case(seed, kernels);
}

Work work(int64_t rows, int64_t dim) {
  struct Bench {
    AlignedArray<float> x, y;
  };
  auto b = std::make_shared<Bench>();
  b->x = AlignedArray<float>(rows * dim);
  b->y = AlignedArray<float>(rows * dim);
  Random r(1);
  r.fill_normal(b->x.begin(), b->x.end());
  Work w;
  w.shape = "rows " + std::to_string(rows) + ", dim " + std::to_string(dim);
  w.flops = 3.0 * static_cast<double>(rows * dim);
  w.bytes = 8.0 * static_cast<double>(rows * dim);
  w.run = [=](Parallel& parallel) {
    L2NormalizeArgs a;
    a.x = b->x.data();
    a.rows = rows;
    a.dim = a.ldx = a.ldy = dim;
    a.y = b->y.data();
    l2_normalize_cpu(a, parallel);
  };
  return w;
}

std::vector<Work> works() { return {work(256, 512), work(32768, 768)}; }

}  // namespace

OpCheck l2_normalize_check() { return {"l2_normalize", parity, works, cuda_parity}; }

}  // namespace sns
