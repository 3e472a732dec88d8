#include <cmath>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/guarded.h"
#include "ops/embed/embed.h"

namespace sns {
namespace {

Parity parity(uint64_t seed, Parallel& parallel) {
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
  embed_cpu(a, parallel);
  std::vector<double> ref(static_cast<size_t>(a.count * a.dim));
  embed_ref(a, ref.data());

  Parity p;
  p.shape = "ids " + std::to_string(a.count) + ", table " + std::to_string(a.vocabulary) + "×" +
            std::to_string(a.dim) + (a.position ? ", position" : "");
  p.measure = "mismatches";
  p.guards_ok = y.intact();
  for (int64_t i = 0; i < a.count; ++i) {
    for (int64_t c = 0; c < a.dim; ++c) {
      // Rounding the float64 sum once more gives the correctly rounded float32 sum (53 ≥ 2·24+2).
      if (!(y[i * a.ldy + c] == static_cast<float>(ref[static_cast<size_t>(i * a.dim + c)]))) ++p.error;
    }
    for (int64_t c = a.dim; c < a.ldy && i + 1 < a.count; ++c) p.guards_ok &= std::isnan(y[i * a.ldy + c]);
  }
  return p;
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

OpCheck embed_check() { return {"embed", parity, works}; }

}  // namespace sns
