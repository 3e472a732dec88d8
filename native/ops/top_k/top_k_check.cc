#include <cmath>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/top_k/top_k.h"

namespace sns {
namespace {

/// Searches vectors [count, dim]; false if something around its scratch was touched.
using Kernel = std::function<bool(const float* vectors, int64_t count, int64_t dim, const TopKArgs& args)>;

Parity random_case(uint64_t seed, const Kernel& kernel) {
  Random r(seed);
  const int64_t counts[] = {0, 1, 15, 16, 17, 64, 1000, 5000};
  const int64_t dims[] = {1, 2, 3, 16, 31, 64, 128};
  const int64_t count = r.coin() ? counts[r.integer(0, 7)] : r.integer(0, 2000);
  const int64_t dim = r.coin() ? dims[r.integer(0, 6)] : r.integer(1, 200);
  TopKArgs a;
  a.n = r.coin() ? r.integer(0, 6) : r.integer(0, 80);
  a.k = r.coin() ? r.integer(1, 10) : r.integer(1, 100);
  const int kind = static_cast<int>(r.integer(0, 3));
  const double scale = std::exp((kind == 3 ? 30 : 1) * r.normal());
  const auto rows = [&](int64_t n) {
    std::vector<float> v(static_cast<size_t>(n * dim));
    for (float& x : v) {
      // Small integers tie in droves; a common direction leaves scores that differ in their last digits.
      const double value = kind == 1 ? static_cast<double>(r.integer(-1, 1))
                                     : (kind == 2 ? 1 + 1e-7 * r.normal() : r.normal());
      x = static_cast<float>(std::max(-1e30, std::min(1e30, scale * value)));
    }
    return v;
  };
  const std::vector<float> vectors = rows(count), queries = rows(a.n);
  a.queries = queries.data();
  std::vector<int64_t> ref_ids(static_cast<size_t>(a.n * a.k));
  std::vector<float> ref_scores(static_cast<size_t>(a.n * a.k));
  a.ids = ref_ids.data();
  a.scores = ref_scores.data();
  top_k_ref(vectors.data(), count, dim, a);

  Guarded<int64_t> ids(a.n * a.k);
  Guarded<float> scores(a.n * a.k);
  a.ids = ids.data();
  a.scores = scores.data();
  const bool scratch_ok = kernel(vectors.data(), count, dim, a);

  Parity p;
  p.shape = std::to_string(a.n) + " queries, " + std::to_string(count) + " vectors, dim " +
            std::to_string(dim) + ", k " + std::to_string(a.k) + ", kind " + std::to_string(kind);
  p.measure = "mismatches";
  p.limit = kTopKMismatches;
  for (int64_t i = 0; i < a.n * a.k; ++i) {
    const auto at = static_cast<size_t>(i);
    p.error += ids[i] != ref_ids[at] || scores[i] != ref_scores[at];
  }
  p.guards_ok = ids.intact() && scores.intact() && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  return random_case(seed, [&](const float* vectors, int64_t count, int64_t dim, const TopKArgs& args) {
    const TopKVectors packed(vectors, count, dim);
    Guarded<unsigned char> scratch(static_cast<int64_t>(top_k_scratch(packed, args, parallel.threads())));
    top_k_cpu(packed, args, scratch.data(), parallel);
    return scratch.intact();
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return random_case(seed, [&](const float* vectors, int64_t count, int64_t dim, TopKArgs a) {
    CudaCase c(device);
    const auto packed = c.packed(top_k_cuda_bytes(count, dim), [&](void* host, void* on_device) {
      return pack_top_k_cuda(vectors, count, dim, host, on_device);
    });
    a.queries = c.in(a.queries, a.n * dim);
    a.ids = c.out(a.ids, a.n * a.k);
    a.scores = c.out(a.scores, a.n * a.k);
    void* workspace = c.workspace(c.ops().top_k_workspace(packed, a));
    c.check(c.ops().top_k(packed, a, workspace, c.stream()), "top_k");
    return c.done();
  });
}

Work work(int64_t n, int64_t count, int64_t dim, int64_t k) {
  struct Bench {
    std::unique_ptr<TopKVectors> vectors;
    std::vector<float> queries, scores;
    std::vector<int64_t> ids;
    AlignedArray<unsigned char> scratch;
    int threads = 0;
  };
  auto b = std::make_shared<Bench>();
  Random r(1);
  std::vector<float> vectors(static_cast<size_t>(count * dim));
  r.fill_normal(vectors.data(), vectors.data() + vectors.size());
  b->vectors = std::make_unique<TopKVectors>(vectors.data(), count, dim);
  b->queries.resize(static_cast<size_t>(n * dim));
  r.fill_normal(b->queries.data(), b->queries.data() + b->queries.size());
  b->scores.resize(static_cast<size_t>(n * k));
  b->ids.resize(static_cast<size_t>(n * k));
  Work w;
  w.shape = std::to_string(n) + " of " + std::to_string(count) + ", dim " + std::to_string(dim) + ", k " +
            std::to_string(k);
  w.flops = 2.0 * static_cast<double>(n * count * dim);
  w.bytes = 4.0 * static_cast<double>(count * dim + n * dim);
  w.run = [=](Parallel& parallel) {
    TopKArgs a;
    a.queries = b->queries.data();
    a.n = n;
    a.k = k;
    a.ids = b->ids.data();
    a.scores = b->scores.data();
    if (b->threads != parallel.threads()) {
      b->threads = parallel.threads();
      b->scratch =
          AlignedArray<unsigned char>(static_cast<int64_t>(top_k_scratch(*b->vectors, a, b->threads)));
    }
    top_k_cpu(*b->vectors, a, b->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() { return {work(1, 100000, 128, 10), work(64, 100000, 128, 10)}; }

}  // namespace

OpCheck top_k_check() { return {"top_k", parity, works, cuda_parity}; }

}  // namespace sns
