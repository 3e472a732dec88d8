// The kernels that work row by row.

#include "ops/bias_activation/bias_activation_cuda.h"
#include "ops/finite/finite_cuda.h"
#include "ops/l2_normalize/l2_normalize_cuda.h"
#include "ops/layer_norm/layer_norm_cuda.h"
#include "ops/rms_norm/rms_norm_cuda.h"
#include "ops/rotary/rotary_cuda.h"
#include "ops/segment_mean/segment_mean_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

struct Rows {
  int64_t rows, dim, ld;
  Guarded<float> x, y;
  explicit Rows(Random& random)
      : rows(random.integer(0, 5)),
        dim(random.integer(1, 700)),
        ld(dim + random.integer(0, 9)),
        x(normal(random, rows * ld)),
        y(rows * ld) {}
  template <class Args>
  void set(Args& args) {
    args.x = x.data(), args.rows = rows, args.dim = dim, args.ldx = ld, args.y = y.data(), args.ldy = ld;
  }
  void expect(const Guarded<double>& ref, double limit) const {
    EXPECT_LE(nmse(y.data(), ld, ref.data(), rows, dim), limit) << rows << "x" << dim;
    EXPECT_TRUE(y.intact());
  }
};

TEST(SimtLayerNorm, MatchesOracle) {
  under_every_schedule("layer_norm", 8, [](Random& random) {
    Rows r(random);
    auto gamma = normal(random, r.dim), beta = normal(random, r.dim);
    LayerNormArgs args;
    r.set(args);
    args.gamma = gamma.data(), args.beta = random.coin() ? beta.data() : nullptr;
    ASSERT_EQ(0, layer_norm_cuda(args, nullptr));
    Guarded<double> ref(r.rows * r.dim);
    layer_norm_ref(args, ref.data());
    r.expect(ref, kLayerNormNmse);
  });
}

TEST(SimtRmsNorm, MatchesOracle) {
  under_every_schedule("rms_norm", 8, [](Random& random) {
    Rows r(random);
    auto gamma = normal(random, r.dim);
    RmsNormArgs args;
    r.set(args);
    args.gamma = gamma.data();
    ASSERT_EQ(0, rms_norm_cuda(args, nullptr));
    Guarded<double> ref(r.rows * r.dim);
    rms_norm_ref(args, ref.data());
    r.expect(ref, kRmsNormNmse);
  });
}

TEST(SimtL2Normalize, MatchesOracle) {
  under_every_schedule("l2_normalize", 8, [](Random& random) {
    Rows r(random);
    const float scale = std::pow(10.0f, static_cast<float>(random.integer(-25, 15)));
    for (int64_t i = 0; i < r.rows * r.ld; ++i) r.x[i] *= scale;
    if (r.rows > 0 && random.coin()) std::fill(r.x.data(), r.x.data() + r.dim, 0.0f);
    L2NormalizeArgs args;
    r.set(args);
    ASSERT_EQ(0, l2_normalize_cuda(args, nullptr));
    Guarded<double> ref(r.rows * r.dim);
    l2_normalize_ref(args, ref.data());
    r.expect(ref, kL2NormalizeNmse);
  });
}

TEST(SimtL2Normalize, GradientMatchesOracle) {
  under_every_schedule("l2_normalize, gradient", 8, [](Random& random) {
    Rows r(random);
    auto dy = normal(random, r.rows * r.ld);
    L2NormalizeArgs args;
    r.set(args);
    Guarded<double> ref(r.rows * r.dim);
    l2_normalize_grad_ref(args, dy.data(), r.ld, ref.data());
    const bool in_place = random.coin();
    if (in_place) args.y = dy.data();
    ASSERT_EQ(0, l2_normalize_grad_cuda(args, dy.data(), r.ld, nullptr));
    double error = 0, scale = 0;  // relative to dy/‖x‖, of which the projection leaves a part
    for (int64_t i = 0; i < r.rows; ++i) {
      double norm = 0;
      for (int64_t c = 0; c < r.dim; ++c) norm += std::pow(double{args.x[i * r.ld + c]}, 2);
      for (int64_t c = 0; c < r.dim; ++c) {
        error += std::pow(args.y[i * r.ld + c] - ref[i * r.dim + c], 2);
        scale += 1 / norm;
      }
    }
    EXPECT_LE(error, kL2NormalizeNmse * scale) << r.rows << "x" << r.dim;
    EXPECT_TRUE(r.y.intact() && dy.intact());
  });
}

TEST(SimtSegmentMean, MatchesOracle) {
  under_every_schedule("segment_mean", 4, [](Random& random) {
    const int64_t rows = random.integer(1, 700), dim = random.integer(1, 70), ld = dim + random.integer(0, 3);
    auto x = normal(random, rows * ld);
    std::vector<Segment> segments(static_cast<size_t>(random.integer(0, 4)));
    for (Segment& s : segments) {
      const int64_t first = random.integer(0, rows);
      s = {first, random.integer(0, rows - first)};
    }
    const auto count = static_cast<int64_t>(segments.size());
    Guarded<float> y(count * ld);
    SegmentMeanArgs args;
    args.x = x.data(), args.dim = dim, args.ldx = ld, args.segments = segments.data();
    args.segment_count = count, args.y = y.data(), args.ldy = ld;
    ASSERT_EQ(0, segment_mean_cuda(args, nullptr));
    Guarded<double> ref(count * dim);
    segment_mean_ref(args, ref.data());
    EXPECT_LE(nmse(y.data(), ld, ref.data(), count, dim), kSegmentMeanNmse);
    EXPECT_TRUE(y.intact());
  });
}

TEST(SimtBiasActivation, MatchesOracle) {
  under_every_schedule("bias_activation", 8, [](Random& random) {
    const int64_t rows = random.integer(0, 40), dim = random.integer(1, 70);
    auto x = normal(random, rows * dim), bias = normal(random, dim), y = normal(random, rows * dim);
    Guarded<float> z(rows * dim);
    BiasActivationArgs args{x.data(), rows, dim, bias.data(), 0.7f, y.data()};  // over the residual
    args.activation = static_cast<Activation>(random.integer(0, 6));
    args.z = z.data(), args.y = y.data();
    Guarded<double> want_z(rows * dim), want_y(rows * dim), sums(dim);
    bias_activation_ref(args, want_z.data(), want_y.data());
    ASSERT_EQ(0, bias_activation_cuda(args, nullptr));
    for (int64_t i = 0; i < rows * dim; ++i) {
      ASSERT_NEAR(want_z[i], z[i], 2e-6);
      ASSERT_NEAR(want_y[i], y[i], 2e-6);
    }

    std::vector<Segment> segments;
    for (int64_t first = 0, count; first < rows; first += count) {
      count = std::min(rows - first, random.integer(1, 12));
      segments.push_back({first, count});
    }
    const auto count = static_cast<int64_t>(segments.size());
    auto dy = normal(random, count * dim);
    const BiasActivationGradArgs back{z.data(), dim, args.activation, segments.data(), count, dy.data()};
    std::copy(z.data(), z.data() + rows * dim, want_z.data());
    bias_activation_grad_ref(back, want_z.data());
    ASSERT_EQ(0, bias_activation_grad_cuda(back, nullptr));
    for (int64_t i = 0; i < rows * dim; ++i) ASSERT_NEAR(want_z[i], z[i], 2e-6);

    Guarded<float> sum(dim);
    const BiasGradArgs all{x.data(), rows, dim, -0.3f, sum.data()};
    bias_grad_ref(all, sums.data());
    ASSERT_EQ(0, bias_grad_cuda(all, nullptr));
    for (int64_t c = 0; c < dim; ++c) ASSERT_NEAR(sums[c], sum[c], 1e-6 * (1 + std::fabs(sums[c])));
    EXPECT_TRUE(y.intact() && z.intact() && sum.intact());
  });
}

TEST(SimtFinite, FindsTheFirst) {
  under_every_schedule("finite", 4, [](Random& random) {
    auto x = normal(random, random.integer(0, 2000));
    int64_t first = -1;
    for (int64_t i = random.integer(0, 3); i > 0 && x.size() > 0; --i) {
      const int64_t at = random.integer(0, x.size() - 1);
      x[at] =
          random.coin() ? std::numeric_limits<float>::quiet_NaN() : -std::numeric_limits<float>::infinity();
      if (first < 0 || at < first) first = at;
    }
    Guarded<int64_t> index(1);
    ASSERT_EQ(0, first_non_finite_cuda(x.data(), x.size(), index.data(), nullptr));
    EXPECT_EQ(first, index[0]);
    EXPECT_TRUE(index.intact());
  });
}

TEST(SimtRotary, MatchesOracle) {
  under_every_schedule("rotary", 4, [](Random& random) {
    RotaryTableArgs t;
    t.rows = random.integer(0, 9), t.axes = random.integer(1, 3), t.pairs = random.integer(1, 40);
    Guarded<int32_t> ids(t.rows * t.axes), axis(t.pairs);
    Guarded<double> frequency(t.pairs);
    for (int64_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(random.next());
    for (int64_t i = 0; i < t.pairs; ++i) axis[i] = static_cast<int32_t>(random.integer(0, t.axes - 1));
    for (int64_t i = 0; i < t.pairs; ++i) frequency[i] = random.uniform();
    Guarded<float> table(t.rows * 2 * t.pairs);
    t.ids = ids.data(), t.axis = axis.data(), t.frequency = frequency.data(), t.y = table.data();
    ASSERT_EQ(0, rotary_table_cuda(t, nullptr));
    Guarded<double> table_ref(table.size());
    rotary_table_ref(t, table_ref.data());
    for (int64_t i = 0; i < table.size(); ++i) ASSERT_NEAR(table_ref[i], double{table[i]}, kRotaryTableError);
    EXPECT_TRUE(table.intact());

    RotaryArgs args;
    args.rows = t.rows, args.pairs = t.pairs, args.heads = random.integer(1, 4);
    args.head_dim = 2 * t.pairs + random.integer(0, 5);
    args.ldx = args.heads * args.head_dim + random.integer(0, 3), args.ldy = args.ldx;
    args.layout = static_cast<RotaryPairs>(random.integer(0, 1));
    auto x = normal(random, args.rows * args.ldx);
    Guarded<float> y(args.rows * args.ldy);
    args.x = x.data(), args.table = table.data(), args.y = y.data();
    const int64_t width = args.heads * args.head_dim;
    Guarded<double> ref(args.rows * width);
    rotary_ref(args, ref.data());
    const bool in_place = random.coin();
    if (in_place) args.y = x.data();
    ASSERT_EQ(0, rotary_cuda(args, nullptr));
    EXPECT_LE(nmse(args.y, args.ldy, ref.data(), args.rows, width), kRotaryNmse);
    EXPECT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace sns
