#include <cmath>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/embed/embed.h"

namespace sns {
namespace {

/// Runs one case; false if something around its scratch was touched.
using Kernel = std::function<bool(const EmbedArgs& args)>;

Parity random_case(uint64_t seed, const Kernel& kernel) {
  Random r(seed);
  EmbedArgs a;
  a.vocabulary = r.integer(1, 300);
  a.dim = r.coin() ? r.integer(1, 40) : r.integer(1, 900);
  a.count = r.coin() ? r.integer(0, 3) : r.integer(0, 200);
  a.ldy = a.dim + (r.coin() ? 0 : r.integer(1, 20));
  std::vector<float> table(static_cast<size_t>(a.vocabulary * a.dim));
  std::vector<float> position(static_cast<size_t>(a.count * a.dim));
  std::vector<int64_t> ids(static_cast<size_t>(a.count));
  r.fill_normal(table.begin(), table.end());
  r.fill_normal(position.begin(), position.end());
  for (int64_t& id : ids) id = r.integer(0, a.vocabulary - 1);
  a.table = table.data();
  a.ids = ids.data();
  a.position = r.coin() ? position.data() : nullptr;
  Guarded<float> y(a.count == 0 ? 0 : (a.count - 1) * a.ldy + a.dim);
  a.y = y.data();
  const bool scratch_ok = kernel(a);
  std::vector<double> ref(static_cast<size_t>(a.count * a.dim));
  embed_ref(a, ref.data());

  Parity p;
  p.shape = "ids " + std::to_string(a.count) + ", table " + std::to_string(a.vocabulary) + "×" +
            std::to_string(a.dim) + (a.position ? ", position" : "");
  p.measure = "mismatches";
  p.guards_ok = y.intact() && scratch_ok;
  for (int64_t i = 0; i < a.count; ++i) {
    for (int64_t c = 0; c < a.dim; ++c) {
      // Rounding the float64 sum once more gives the correctly rounded float32 sum (53 ≥ 2·24+2).
      if (!(y[i * a.ldy + c] == static_cast<float>(ref[static_cast<size_t>(i * a.dim + c)]))) ++p.error;
    }
    for (int64_t c = a.dim; c < a.ldy && i + 1 < a.count; ++c) p.guards_ok &= std::isnan(y[i * a.ldy + c]);
  }
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  return random_case(seed, [&](const EmbedArgs& args) {
    embed_cpu(args, parallel);
    return true;
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return random_case(seed, [&](const EmbedArgs& a) {
    CudaCase c(device);
    const EmbedCudaItem item{c.in(a.ids, a.count), c.out(a.y, a.count, a.dim, a.ldy), 0};
    EmbedCudaArgs cuda;
    cuda.table = c.in(a.table, a.vocabulary * a.dim);
    cuda.dim = a.dim, cuda.ldy = a.ldy;
    cuda.position = c.in(a.position, a.count * a.dim);
    cuda.items = c.in(&item, 1), cuda.count = 1;
    cuda.rows = c.in(&a.count, 1);
    cuda.max_rows = a.count + 5;
    c.check(c.ops().embed(cuda, c.stream()), "embed");
    return c.done();
  });
}

struct Bench {
  EmbedArgs args;
  std::vector<int64_t> ids;
  AlignedArray<float> table, position, y;
};

Work work(const char* name, int64_t vocabulary, int64_t dim, int64_t count) {
  auto b = std::make_shared<Bench>();
  b->table = AlignedArray<float>(vocabulary * dim);
  b->position = AlignedArray<float>(count * dim);
  b->y = AlignedArray<float>(count * dim);
  for (auto* m : {&b->table, &b->position, &b->y}) {
    for (int64_t i = 0; i < m->size(); ++i) (*m)[i] = static_cast<float>(i & 255);
  }
  Random r(1);
  for (int64_t i = 0; i < count; ++i) b->ids.push_back(r.integer(0, vocabulary - 1));
  b->args = {b->table.data(), vocabulary, dim, b->ids.data(), count, b->position.data(), b->y.data(), dim};
  Work w;
  w.shape = std::string(name) + ": ids " + std::to_string(count) + ", table " + std::to_string(vocabulary) +
            "×" + std::to_string(dim);
  w.bytes = 12.0 * static_cast<double>(count * dim) + 8.0 * static_cast<double>(count);
  w.run = [b](Parallel& parallel) { embed_cpu(b->args, parallel); };
  return w;
}

std::vector<Work> works() { return {work("CLIP text", 49408, 512, 77), work("long text", 30522, 768, 4096)}; }

}  // namespace

OpCheck embed_check() { return {"embed", parity, works, cuda_parity}; }

}  // namespace sns
