#include "ops/embed/embed_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtEmbed, MatchesOracle) {
  under_every_schedule("embed", 8, [](Random& random) {
    const int64_t vocabulary = random.integer(1, 50), dim = random.integer(1, 300),
                  count = random.integer(0, 20);
    auto table = normal(random, vocabulary * dim), position = normal(random, count * dim);
    Guarded<int64_t> ids(count);
    for (int64_t i = 0; i < count; ++i) ids[i] = random.integer(0, vocabulary - 1);
    Guarded<float> y(count * dim);
    EmbedArgs args{table.data(), vocabulary, dim,
                   ids.data(),   count,      random.coin() ? position.data() : nullptr,
                   y.data(),     dim};
    ASSERT_EQ(0, embed_cuda(args, nullptr));
    Guarded<double> ref(count * dim);
    embed_ref(args, ref.data());
    EXPECT_LE(nmse(y.data(), dim, ref.data(), count, dim), 1e-14);
    EXPECT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace sns
