#include "ops/resample/resample_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

TEST(SimtResample, MatchesOracle) {
  under_every_schedule("resample", 4, [](Random& random) {
    constexpr int64_t kRates[] = {8000, 11025, 16000, 22050, 24000, 44100, 48000, 96000};
    const int64_t from = kRates[random.integer(0, 7)], to = kRates[random.integer(0, 7)];
    const ResampleFilter filter(from, to);
    auto x = normal(random, random.integer(0, 1500));
    Guarded<float> y(filter.output_length(x.size()));
    PackedBlock block(resample_cuda_bytes(filter));
    const ResampleCudaFilter f = pack_resample_cuda(filter, block.data(), block.data());
    ASSERT_EQ(0, resample_cuda(f, {x.data(), 0, x.size(), y.data(), 0, y.size()}, nullptr));
    Guarded<double> ref(y.size());
    resample_ref(from, to, x.data(), x.size(), ref.data());
    EXPECT_LE(nmse(y.data(), y.size(), ref.data(), 1, y.size()), kResampleNmse) << from << " to " << to;
    EXPECT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace sns
