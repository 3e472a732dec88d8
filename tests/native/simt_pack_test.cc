#include "ops/pack/pack_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtPack, MatchesOracle) {
  under_every_schedule("pack", 8, [](Random& random) {
    const int64_t dim = random.integer(1, 200), segments = random.integer(1, random.coin() ? 4 : 150);
    std::vector<PackSegment> list(static_cast<size_t>(segments));
    std::vector<Guarded<float>> keep;
    int64_t rows = 0;
    for (auto& s : list) {
      s.count = random.integer(0, 6), s.ld = dim + random.integer(0, 3);
      keep.push_back(normal(random, s.count * s.ld));
      s.rows = keep.back().data();
      keep.push_back(normal(random, dim));
      if (random.coin()) s.modality = keep.back().data();
      keep.push_back(normal(random, s.count * dim));
      if (random.coin()) s.position = keep.back().data();
      rows += s.count;
    }
    Guarded<float> y(rows * dim);
    PackArgs args{list.data(), segments, dim, y.data(), dim, segments > 4 ? 6 : 0};
    if (random.coin()) {  // every segment has its own place
      args.y = nullptr;
      rows = 0;
      for (auto& s : list) s.y = y.data() + rows * dim, rows += s.count;
    }
    ASSERT_EQ(0, pack_cuda(args, nullptr));
    Guarded<double> ref(rows * dim);
    pack_ref(args, ref.data());
    EXPECT_LE(nmse(y.data(), dim, ref.data(), rows, dim), 1e-13);
    EXPECT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace sns
