// Every CUDA kernel against its float64 oracle, executed by the host SIMT executor under all its schedules.

#include <gtest/gtest.h>

#include <random>

#include "check/guarded.h"
#include "ops/embed/embed.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/linear/linear.h"
#include "ops/pack/pack.h"
#include "simt/simt.h"

namespace sns {
namespace {

/// Runs `test(random)` under every schedule with the same printed seed.
template <class Test>
void under_every_schedule(const char* op, Test test) {
  const char* fixed = std::getenv("SENSORIUM_SEED");
  const uint64_t seed = fixed ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
  std::printf("%s, SENSORIUM_SEED=%llu\n", op, static_cast<unsigned long long>(seed));
  for (const auto& schedule : simt::schedules(seed)) {
    SCOPED_TRACE(schedule.name());
    simt::set_schedule(schedule);
    Random random(seed);
    for (int i = 0; i < 8; ++i) test(random);
  }
  simt::set_schedule({});
}

template <class T>
Guarded<T> normal(Random& random, int64_t count, double deviation = 1) {
  Guarded<T> x(count);
  random.fill_normal(x.data(), x.data() + count, deviation);
  return x;
}

TEST(SimtOps, LayerNorm) {
  under_every_schedule("layer_norm", [](Random& random) {
    const int64_t rows = random.integer(0, 5), dim = random.integer(1, 700), ld = dim + random.integer(0, 9);
    auto x = normal<float>(random, rows * ld), gamma = normal<float>(random, dim),
         beta = normal<float>(random, dim);
    Guarded<float> y(rows * ld);
    LayerNormArgs args;
    args.x = x.data(), args.rows = rows, args.dim = dim, args.ldx = ld, args.gamma = gamma.data();
    args.beta = random.coin() ? beta.data() : nullptr, args.y = y.data(), args.ldy = ld;
    ASSERT_EQ(0, layer_norm_cuda(args, nullptr));
    Guarded<double> ref(rows * dim);
    layer_norm_ref(args, ref.data());
    EXPECT_LE(nmse(y.data(), ld, ref.data(), rows, dim), kLayerNormNmse) << rows << "x" << dim;
    EXPECT_TRUE(y.intact());
  });
}

TEST(SimtOps, Embed) {
  under_every_schedule("embed", [](Random& random) {
    const int64_t vocabulary = random.integer(1, 50), dim = random.integer(1, 300),
                  count = random.integer(0, 20);
    auto table = normal<float>(random, vocabulary * dim), position = normal<float>(random, count * dim);
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

TEST(SimtOps, Pack) {
  under_every_schedule("pack", [](Random& random) {
    const int64_t dim = random.integer(1, 200), segments = random.integer(1, 4);
    std::vector<PackSegment> list(static_cast<size_t>(segments));
    std::vector<Guarded<float>> keep;
    int64_t rows = 0;
    for (auto& s : list) {
      s.count = random.integer(0, 6), s.ld = dim + random.integer(0, 3);
      keep.push_back(normal<float>(random, s.count * s.ld));
      s.rows = keep.back().data();
      keep.push_back(normal<float>(random, dim));
      if (random.coin()) s.modality = keep.back().data();
      keep.push_back(normal<float>(random, s.count * dim));
      if (random.coin()) s.position = keep.back().data();
      rows += s.count;
    }
    Guarded<float> y(rows * dim);
    const PackArgs args{list.data(), segments, dim, y.data(), dim};
    ASSERT_EQ(0, pack_cuda(args, nullptr));
    Guarded<double> ref(rows * dim);
    pack_ref(args, ref.data());
    EXPECT_LE(nmse(y.data(), dim, ref.data(), rows, dim), 1e-13);
    EXPECT_TRUE(y.intact());
  });
}

TEST(SimtOps, Linear) {
  under_every_schedule("linear", [](Random& random) {
    const int64_t rows = random.integer(1, 90), in = random.integer(1, 130), out = random.integer(1, 100);
    const int64_t padded = round_up(in, 32), ldx = in + random.integer(0, 4),
                  ldy = out + random.integer(0, 3);
    auto x = normal<float>(random, rows * ldx), weight = normal<float>(random, out * in);
    auto bias = normal<float>(random, out), residual = normal<float>(random, rows * ldy);
    Guarded<uint16_t> hi(out * padded), lo(out * padded);
    split_linear_weights(weight.data(), out, in, padded, hi.data(), lo.data());
    Guarded<float> y(rows * ldy);
    LinearArgs args;
    args.x = x.data(), args.rows = rows, args.ldx = ldx, args.y = y.data(), args.ldy = ldy;
    args.activation = static_cast<Activation>(random.integer(0, 5));
    if (random.coin()) args.residual = residual.data(), args.ld_residual = ldy;
    if (random.coin()) args.residual_period = random.integer(1, rows);
    const float* b = random.coin() ? bias.data() : nullptr;
    ASSERT_EQ(0, linear_cuda({hi.data(), lo.data(), b, out, in, padded}, args, nullptr));
    Guarded<double> ref(rows * out);
    linear_ref(weight.data(), b, out, in, args, ref.data());
    EXPECT_LE(nmse(y.data(), ldy, ref.data(), rows, out), kLinearNmse) << rows << "x" << in << "x" << out;
    EXPECT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace sns
