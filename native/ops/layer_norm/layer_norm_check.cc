#include <cmath>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/layer_norm/layer_norm.h"

namespace sns {
namespace {

/// Runs one case; false if something around its scratch was touched.
using Kernel = std::function<bool(const LayerNormArgs& args)>;

Parity random_case(uint64_t seed, const Kernel& kernel) {
  Random r(seed);
  LayerNormArgs a;
  const int64_t dims[] = {1, 2, 15, 16, 17, 64, 192, 768, 1024, 1280};
  a.dim = r.coin() ? dims[r.integer(0, 9)] : r.integer(1, 2000);
  a.rows = r.coin() ? r.integer(0, 5) : r.integer(0, 150);
  a.eps = r.coin() ? 1e-5f : 1e-12f;
  const bool in_place = r.coin();
  a.ldx = a.dim + (r.coin() ? 0 : r.integer(1, 20));
  a.ldy = in_place ? a.ldx : a.dim + (r.coin() ? 0 : r.integer(1, 20));
  const double offset = r.coin() ? 0 : 20 * r.normal(), deviation = std::exp(2 * r.normal());

  const auto size = [&](int64_t ld) { return a.rows == 0 ? 0 : (a.rows - 1) * ld + a.dim; };
  std::vector<float> x(static_cast<size_t>(size(a.ldx)), std::numeric_limits<float>::quiet_NaN());
  Guarded<float> y(size(a.ldy));
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t c = 0; c < a.dim; ++c) {
      x[static_cast<size_t>(i * a.ldx + c)] = static_cast<float>(offset + deviation * r.normal());
    }
  }
  std::vector<float> gamma(static_cast<size_t>(a.dim)), beta(static_cast<size_t>(a.dim));
  r.fill_normal(gamma.begin(), gamma.end());
  r.fill_normal(beta.begin(), beta.end());
  a.gamma = gamma.data();
  a.beta = r.integer(0, 3) == 0 ? nullptr : beta.data();
  a.x = x.data();
  std::vector<double> ref(static_cast<size_t>(a.rows * a.dim));
  layer_norm_ref(a, ref.data());
  if (in_place) {
    std::copy(x.begin(), x.end(), y.data());
    a.x = y.data();
  }
  a.y = y.data();
  const bool scratch_ok = kernel(a);

  Parity p;
  p.shape = "rows " + std::to_string(a.rows) + ", dim " + std::to_string(a.dim) + (a.beta ? ", beta" : "") +
            (in_place ? ", in place" : "") + ", x ~ " + std::to_string(offset) + " ± " +
            std::to_string(deviation);
  p.measure = "NMSE";
  // One element: x − mean is exactly 0 here and in the oracle, so beta alone is left.
  p.error = nmse(y.data(), a.ldy, ref.data(), a.rows, a.dim);
  p.limit = kLayerNormNmse;
  p.guards_ok = y.rows_intact(a.rows, a.dim, a.ldy) && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  return random_case(seed, [&](const LayerNormArgs& args) {
    layer_norm_cpu(args, parallel);
    return true;
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return random_case(seed, [&](LayerNormArgs a) {
    CudaCase c(device);
    a.y = c.out(a.y, a.rows, a.dim, a.ldy);
    a.x = c.in(a.x, a.rows, a.dim, a.ldx);
    a.gamma = c.in(a.gamma, a.dim);
    a.beta = c.in(a.beta, a.dim);
    c.check(c.ops().layer_norm(a, c.stream()), "layer_norm");
    return c.done();
  });
}

struct Bench {
  LayerNormArgs args;
  AlignedArray<float> x, y, gamma, beta;
};

Work work(int64_t rows, int64_t dim) {
  auto b = std::make_shared<Bench>();
  b->x = AlignedArray<float>(rows * dim);
  b->y = AlignedArray<float>(rows * dim);
  b->gamma = AlignedArray<float>(dim);
  b->beta = AlignedArray<float>(dim);
  Random r(1);
  for (auto* m : {&b->x, &b->y, &b->gamma, &b->beta}) {
    for (float& v : *m) v = static_cast<float>(2 * r.uniform() - 1);
  }
  LayerNormArgs& a = b->args;
  a.x = b->x.data();
  a.rows = rows;
  a.dim = a.ldx = a.ldy = dim;
  a.gamma = b->gamma.data();
  a.beta = b->beta.data();
  a.y = b->y.data();
  Work w;
  w.shape = "rows " + std::to_string(rows) + ", dim " + std::to_string(dim);
  w.flops = 8.0 * static_cast<double>(rows * dim);
  w.bytes = 4.0 * static_cast<double>(2 * rows * dim + 2 * dim);
  w.run = [b](Parallel& parallel) { layer_norm_cpu(b->args, parallel); };
  return w;
}

std::vector<Work> works() { return {work(197, 768), work(256, 1024), work(4096, 768), work(32768, 768)}; }

}  // namespace

OpCheck layer_norm_check() { return {"layer_norm", parity, works, cuda_parity}; }

}  // namespace sns
