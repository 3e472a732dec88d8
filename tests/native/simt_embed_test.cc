#include "ops/embed/embed_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtEmbed, MatchesOracle) {
  under_every_schedule("embed", 8, [](Random& random) {
    const int64_t vocabulary = random.integer(1, 50), dim = random.integer(1, 300),
                  count = random.integer(1, 4), longest = 20;
    auto table = normal(random, vocabulary * dim), position = normal(random, longest * dim);
    std::vector<EmbedCudaItem> items;
    std::vector<EmbedArgs> wanted;
    std::vector<Guarded<int64_t>> ids;
    std::vector<Guarded<float>> y;
    EmbedCudaArgs args;
    args.table = table.data();
    args.dim = args.ldy = dim;
    if (random.coin()) args.position = position.data();
    int64_t rows = 0;
    for (int64_t n = 0; n < count; ++n) {
      const int64_t length = random.coin() ? random.integer(0, 1) : random.integer(0, longest);
      ids.emplace_back(length);
      for (int64_t i = 0; i < length; ++i) ids.back()[i] = random.integer(0, vocabulary - 1);
      y.emplace_back(length * dim);
      items.push_back({ids.back().data(), y.back().data(), rows});
      wanted.push_back(
          {table.data(), vocabulary, dim, ids.back().data(), length, args.position, nullptr, dim});
      rows += length;
    }
    args.items = items.data();
    args.count = count;
    args.rows = &rows;
    args.max_rows = rows + random.integer(0, 9);
    ASSERT_EQ(0, embed_cuda(args, nullptr));
    for (size_t n = 0; n < items.size(); ++n) {
      const int64_t length = wanted[n].count;
      Guarded<double> ref(length * dim);
      embed_ref(wanted[n], ref.data());
      EXPECT_LE(nmse(y[n].data(), dim, ref.data(), length, dim), 1e-14);
      EXPECT_TRUE(y[n].intact());
    }
  });
}

}  // namespace
}  // namespace sns
