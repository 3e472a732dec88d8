#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/contrastive/contrastive_check.h"

namespace sns {
namespace {

/// Rows of length 1; b_i is near a_i by `match`, as it becomes while a model learns.
void fill_pairs(Random& r, int64_t n, int64_t dim, double match, float* a, float* b) {
  for (int64_t i = 0; i < n; ++i) {
    float* rows[] = {a + i * dim, b + i * dim};
    for (int side = 0; side < 2; ++side) {
      double norm = 0;
      for (int64_t k = 0; k < dim; ++k) {
        const double x =
            (side == 1 ? match * rows[0][k] * std::sqrt(static_cast<double>(dim)) : 0) + r.normal();
        rows[side][k] = static_cast<float>(x);
        norm += x * x;
      }
      for (int64_t k = 0; k < dim; ++k) rows[side][k] = static_cast<float>(rows[side][k] / std::sqrt(norm));
    }
  }
}

double relative_square(double got, double ref) {
  return got == ref ? 0 : (got - ref) * (got - ref) / std::max(ref * ref, 1e-300);
}

}  // namespace

Parity contrastive_parity(uint64_t seed, const ContrastiveKernel& kernel) {
  Random r(seed);
  ContrastiveArgs c;
  c.n = r.coin() ? r.integer(0, 20) : r.integer(1, 150);
  c.dim = r.coin() ? r.integer(2, 20) : r.integer(2, 200);
  c.kind = r.coin() ? ContrastiveLoss::kClip : ContrastiveLoss::kSigLip;
  c.logit_scale = static_cast<float>(r.uniform() * std::log(60.0));
  c.logit_bias = r.coin() ? 0 : static_cast<float>(-12 * r.uniform());
  std::vector<float> a(static_cast<size_t>(c.n * c.dim)), b(a);
  const double match = r.coin() ? 0 : 3 * r.uniform();
  fill_pairs(r, c.n, c.dim, match, a.data(), b.data());
  Guarded<float> da(c.n * c.dim), db(c.n * c.dim);
  c.a = a.data();
  c.b = b.data();
  c.da = da.data();
  c.db = db.data();
  std::vector<double> ra(a.size()), rb(a.size()), g(static_cast<size_t>(c.n * c.n));
  const ContrastiveResult ref = contrastive_ref(c, ra.data(), rb.data(), g.data());
  ContrastiveResult got;
  const bool intact = kernel(c, &got);

  Parity p;
  p.shape = std::string(c.kind == ContrastiveLoss::kClip ? "CLIP " : "SigLIP ") + std::to_string(c.n) +
            " pairs, dim " + std::to_string(c.dim) + ", scale " + std::to_string(std::exp(c.logit_scale)) +
            ", match " + std::to_string(match);
  p.measure = "relative Δ², worst";
  p.limit = kContrastiveNmse;
  // What the sums of a row (da) and of a column (db) may cancel against.
  const double s = std::exp(static_cast<double>(c.logit_scale));
  double rows = 0, columns = 0;
  for (int64_t i = 0; i < c.n; ++i) {
    double row = 0, column = 0;
    for (int64_t j = 0; j < c.n; ++j) {
      row += s * std::abs(g[static_cast<size_t>(i * c.n + j)]);
      column += s * std::abs(g[static_cast<size_t>(j * c.n + i)]);
    }
    rows += row * row;
    columns += column * column;
  }
  // A perfect match has gradients below what a float can hold: that much of an element is no error.
  const double underflow = s * static_cast<double>(c.n) * double{std::numeric_limits<float>::min()};
  const auto relative = [underflow](const Guarded<float>& got_d, const std::vector<double>& want,
                                    double scale) {
    double error = 0;
    for (int64_t i = 0; i < got_d.size(); ++i) {
      const double off = std::abs(got_d[i] - want[static_cast<size_t>(i)]);
      error += std::isnan(off) ? off : std::pow(std::max(0.0, off - underflow), 2);
    }
    return error == 0 ? 0 : error / std::max(scale, 1e-300);
  };
  const double errors[] = {relative_square(got.loss, ref.loss), relative(da, ra, rows),
                           relative(db, rb, columns)};
  for (double e : errors) {
    if (!(e <= p.error)) p.error = e;
  }
  // These two are sums of both signs: relative to the size of the terms, which the loss's own terms bound.
  const double terms = std::max(1.0, std::exp(static_cast<double>(c.logit_scale)));
  for (double e : {got.d_logit_scale - ref.d_logit_scale, got.d_logit_bias - ref.d_logit_bias}) {
    const double square = e * e / (terms * terms);
    if (!(square <= p.error)) p.error = square;
  }
  p.guards_ok = da.intact() && db.intact() && intact;
  return p;
}

namespace {

Parity parity(uint64_t seed, Parallel& parallel) {
  return contrastive_parity(seed, [&](const ContrastiveArgs& args, ContrastiveResult* result) {
    Guarded<unsigned char> scratch(
        static_cast<int64_t>(contrastive_scratch(args.n, args.dim, parallel.threads())));
    *result = contrastive_cpu(args, scratch.data(), parallel);
    return scratch.intact();
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return contrastive_parity(seed, [&](ContrastiveArgs a, ContrastiveResult* result) {
    CudaCase c(device);
    a.a = c.in(a.a, a.n * a.dim);
    a.b = c.in(a.b, a.n * a.dim);
    a.da = c.out(a.da, a.n * a.dim);
    a.db = c.out(a.db, a.n * a.dim);
    void* workspace = c.workspace(c.ops().contrastive_workspace(a.n));
    c.check(c.ops().contrastive(a, c.out(result, 1), workspace, c.stream()), "contrastive");
    return c.done();
  });
}

Work work(ContrastiveLoss kind, int64_t n, int64_t dim) {
  struct Bench {
    AlignedArray<float> a, b, da, db;
    AlignedArray<unsigned char> scratch;
  };
  auto x = std::make_shared<Bench>();
  for (auto* m : {&x->a, &x->b, &x->da, &x->db}) *m = AlignedArray<float>(n * dim);
  Random r(1);
  fill_pairs(r, n, dim, 1, x->a.data(), x->b.data());
  Work w;
  w.shape = std::string(kind == ContrastiveLoss::kClip ? "CLIP " : "SigLIP ") + std::to_string(n) +
            " pairs, dim " + std::to_string(dim);
  w.flops = 6.0 * static_cast<double>(n * n) * static_cast<double>(dim);
  w.bytes = 16.0 * static_cast<double>(n * dim);
  w.run = [=](Parallel& parallel) {
    ContrastiveArgs c;
    c.a = x->a.data();
    c.b = x->b.data();
    c.da = x->da.data();
    c.db = x->db.data();
    c.n = n;
    c.dim = dim;
    c.kind = kind;
    c.logit_scale = std::log(20.0f);
    const auto bytes = static_cast<int64_t>(contrastive_scratch(n, dim, parallel.threads()));
    if (x->scratch.size() < bytes) x->scratch = AlignedArray<unsigned char>(bytes);
    contrastive_cpu(c, x->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() {
  return {work(ContrastiveLoss::kClip, 1024, 512), work(ContrastiveLoss::kSigLip, 1024, 512)};
}

}  // namespace

OpCheck contrastive_check() { return {"contrastive", parity, works, cuda_parity}; }

}  // namespace sns
