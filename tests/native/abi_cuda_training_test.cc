// What is learnt and trained on a CUDA engine, on the host SIMT executor, beside a CPU engine.

#include <algorithm>

#include "abi_cuda_support.h"

namespace sns_test {
namespace {

using Codebook = std::unique_ptr<sns_codebook_t, Destroyer<sns_codebook, sns_codebook_destroy>>;

std::vector<float> normal(int64_t count, uint64_t seed, double deviation = 1) {
  std::vector<float> v(static_cast<size_t>(count));
  sns::Random random(seed);
  random.fill_normal(v.begin(), v.end(), deviation);
  return v;
}

/// Same seed, same codes: stages, either metric, and rows that are copies of few, so that codes die.
TEST(CudaCodebook, LearnsTheCodesOfTheCpu) {
  const Engine engines[] = {make_engine(2), cuda_engine()};
  struct Case {
    int64_t size, dim, stages, rows, iterations, copies;
    int32_t metric;
  };
  const Case cases[] = {{12, 9, 1, 240, 50, 0, SNS_METRIC_L2},     {16, 6, 3, 400, 4, 0, SNS_METRIC_L2},
                        {7, 20, 1, 100, 50, 0, SNS_METRIC_COSINE}, {9, 5, 2, 300, 6, 280, SNS_METRIC_L2},
                        {9, 5, 1, 60, 6, 57, SNS_METRIC_COSINE},   {1, 1, 1, 1, 1, 0, SNS_METRIC_L2}};
  for (const Case& t : cases) {
    auto c = sized<sns_codebook_config>();
    c.dim = t.dim, c.size = t.size, c.stages = t.stages, c.metric = t.metric;
    auto x = normal(t.rows * t.dim, 3);
    for (int64_t r = t.rows - t.copies; r < t.rows; ++r) {
      std::copy_n(x.begin() + r % 3 * t.dim, t.dim, x.begin() + r * t.dim);
    }
    const auto count = static_cast<size_t>(t.stages * t.size * t.dim);
    std::vector<float> codes[2] = {std::vector<float>(count), std::vector<float>(count)};
    std::vector<int64_t> ids[2];
    sns_codebook_learning told[2] = {sized<sns_codebook_learning>(), sized<sns_codebook_learning>()};
    for (int i = 0; i < 2; ++i) {
      sns_codebook b = nullptr;
      ASSERT_SNS_OK(
          sns_codebook_learn(engines[i].get(), &c, x.data(), t.rows, t.iterations, 5, &told[i], &b));
      const Codebook book(b);
      ASSERT_SNS_OK(sns_codebook_codes(b, codes[i].data(), static_cast<int64_t>(count)));
      ids[i].resize(static_cast<size_t>(t.rows * t.stages));
      ASSERT_SNS_OK(sns_codebook_encode(b, x.data(), t.rows, ids[i].data()));
    }
    EXPECT_EQ(codes[0], codes[1]);
    EXPECT_EQ(ids[0], ids[1]);
    EXPECT_EQ(told[0].iterations, told[1].iterations);
    EXPECT_EQ(told[0].revived, told[1].revived);
    EXPECT_NEAR(told[0].mean_square, told[1].mean_square, 1e-9 * (1 + told[0].mean_square));
  }
}

TEST(CudaCodebook, RejectsWhatTheCpuRejects) {
  const Engine engine = cuda_engine();
  auto c = sized<sns_codebook_config>();
  c.dim = 3, c.size = 10, c.stages = 1;
  auto x = normal(60, 1);
  sns_codebook b = nullptr;
  const auto learn = [&](const float* tokens, int64_t rows, int64_t iterations) {
    return sns_codebook_learn(engine.get(), &c, tokens, rows, iterations, 1, nullptr, &b);
  };
  expect_error(SNS_ERROR_INVALID_ARGUMENT, "tokens", learn(nullptr, 20, 5));
  expect_error(SNS_ERROR_INVALID_ARGUMENT, "rows", learn(x.data(), 9, 5));
  EXPECT_EQ(10, sns_last_error_limit());
  expect_error(SNS_ERROR_INVALID_ARGUMENT, "max_iterations", learn(x.data(), 20, 0));
  control("memory", 0);
  expect_error(SNS_ERROR_OUT_OF_MEMORY, "device", learn(x.data(), 20, 5));
  control("reset", 0);
  x[7] = std::nanf("");
  expect_error(SNS_ERROR_OUT_OF_RANGE, "tokens", learn(x.data(), 20, 5));
  x[7] = 0;
  control("fail", 5);
  expect_error(SNS_ERROR_DEVICE_FATAL, "device", learn(x.data(), 20, 5));
  expect_error(SNS_ERROR_DEVICE_FATAL, "device", learn(x.data(), 20, 5));
  EXPECT_EQ(nullptr, b);
}

TEST(CudaCodebook, NeedsTensorCores) {
  const Engine engine = cuda_engine(SNS_PRECISION_STRICT, 75);
  auto c = sized<sns_codebook_config>();
  c.dim = 3, c.size = 2, c.stages = 1;
  const auto x = normal(30, 1);
  sns_codebook b = nullptr;
  expect_error(SNS_ERROR_UNAVAILABLE, "device",
               sns_codebook_learn(engine.get(), &c, x.data(), 10, 5, 1, nullptr, &b));
}

/// One side's parameters and their gradients; the gradients that are not wanted stay null.
struct Tower {
  Tower(int64_t n, int64_t width, int64_t dim, int64_t bottleneck, bool ragged, bool biases, uint64_t seed)
      : side(sized<sns_align_side>()) {
    sns::Random random(seed);
    cu.push_back(0);
    for (int64_t i = 0; i < n; ++i) cu.push_back(cu.back() + (ragged ? random.integer(1, 4) : 1));
    rows = normal(cu.back() * width, seed + 1);
    const int64_t counts[] = {dim * width,        biases ? dim : 0,
                              bottleneck * width, biases ? bottleneck : 0,
                              width * bottleneck, biases && bottleneck > 0 ? width : 0};
    for (int i = 0; i < 6; ++i) {
      values[i] = normal(counts[i], seed + 2 + static_cast<uint64_t>(i), 0.4);
      gradients[i].assign(values[i].size(), std::nanf(""));
    }
    side.d = width, side.rows_count = cu.back();
    side.bottleneck = bottleneck, side.scale = 0.7;
    side.cu_rows = ragged ? cu.data() : nullptr;
  }
  /// After the copy that tests make of it: the pointers are this one's.
  const sns_align_side* bind(int64_t activation) {
    const auto of = [](std::vector<float>& v) { return v.empty() ? nullptr : v.data(); };
    side.rows = rows.data();
    if (side.cu_rows) side.cu_rows = cu.data();
    side.activation = activation;
    side.weight = of(values[0]), side.bias = of(values[1]);
    side.down_weight = of(values[2]), side.down_bias = of(values[3]);
    side.up_weight = of(values[4]), side.up_bias = of(values[5]);
    side.d_weight = of(gradients[0]), side.d_bias = of(gradients[1]);
    side.d_down_weight = of(gradients[2]), side.d_down_bias = of(gradients[3]);
    side.d_up_weight = of(gradients[4]), side.d_up_bias = of(gradients[5]);
    return &side;
  }
  void descend(float rate) {
    for (int i = 0; i < 6; ++i) {
      for (size_t k = 0; k < values[i].size(); ++k) values[i][k] -= rate * gradients[i][k];
    }
  }
  std::vector<int64_t> cu;
  std::vector<float> rows, values[6], gradients[6];
  sns_align_side side;
};

sns_align_config align_config(int64_t n, int64_t dim, int32_t loss) {
  auto c = sized<sns_align_config>();
  c.n = n, c.dim = dim, c.loss = loss;
  c.logit_scale = 1.5f, c.logit_bias = -1;
  return c;
}

/// Both engines go down their own gradients, and stay together: those of a step are as far apart as those of
/// the CPU may be from central differences (pipeline_align_test).
TEST(CudaAlign, TrainsAsTheCpuDoes) {
  const Engine engines[] = {make_engine(2), cuda_engine()};
  uint64_t seed = 1;
  for (int32_t loss : {SNS_LOSS_CLIP, SNS_LOSS_SIGLIP}) {
    for (int64_t activation = SNS_ACTIVATION_NONE; activation <= SNS_ACTIVATION_TANH; ++activation) {
      ++seed;
      // Sizes on both sides of a tile's, the largest first so that the device's memory is used again.
      const bool large = activation == SNS_ACTIVATION_NONE;
      const int64_t n = large ? 37 : 6, dim = large ? 70 : 5;
      const bool ragged = activation != SNS_ACTIVATION_RELU, biases = activation != SNS_ACTIVATION_SILU;
      const Tower x(n, 19, dim, 3 + activation, ragged, biases, seed);
      const Tower y(n, 8, dim, activation == SNS_ACTIVATION_GELU ? 4 : 0, false, biases, seed + 100);
      Tower xs[] = {x, x}, ys[] = {y, y};
      auto c = align_config(n, dim, loss);
      double first = 0, last = 0;
      for (int step = 0; step < 4; ++step) {
        sns_align_result r[] = {sized<sns_align_result>(), sized<sns_align_result>()};
        for (int i = 0; i < 2; ++i) {
          ASSERT_SNS_OK(
              sns_align_step(engines[i].get(), &c, xs[i].bind(activation), ys[i].bind(activation), &r[i]));
        }
        const double loss_size = std::max(1.0, r[0].loss);
        EXPECT_NEAR(r[0].loss, r[1].loss, 1e-6 * loss_size);
        EXPECT_NEAR(r[0].d_logit_scale, r[1].d_logit_scale, 1e-6 * loss_size);
        EXPECT_NEAR(r[0].d_logit_bias, r[1].d_logit_bias, 1e-6 * loss_size);
        for (Tower* side : {xs, ys}) {
          for (int t = 0; t < 6; ++t) {
            const auto &want = side[0].gradients[t], &got = side[1].gradients[t];
            EXPECT_LE(nmse(got.data(), want.data(), static_cast<int64_t>(want.size())), 1e-9)
                << "tensor " << t << ", activation " << activation << ", step " << step;
            EXPECT_TRUE(std::none_of(got.begin(), got.end(), [](float v) { return std::isnan(v); }));
          }
        }
        (step == 0 ? first : last) = r[1].loss;
        for (Tower* side : {&xs[0], &xs[1], &ys[0], &ys[1]}) side->descend(0.3f);
      }
      EXPECT_LT(last, first);
    }
  }
}

/// What an adapter made after a step holds is what the step left, in a session that captured the one before.
TEST(CudaAlign, SessionsFollowTheTrainedAdapter) {
  const Engine engines[] = {make_engine(), cuda_engine()};
  const Model models[] = {text_model(engines[0].get()), text_model(engines[1].get())};
  const Session sessions[] = {make_session(models[0].get()), make_session(models[1].get())};
  const Samples samples;
  const std::vector<sns_item> items = text_items(samples);
  const int64_t n = 8, dim = 6;
  const Tower x(n, 16, dim, 5, true, true, 1), y(n, 7, dim, 0, false, true, 2);
  Tower xs[] = {x, x}, ys[] = {y, y};
  const auto c = align_config(n, dim, SNS_LOSS_CLIP);
  std::vector<float> before;
  for (int step = 0; step < 3; ++step) {
    sns_result r[2] = {};
    for (int i = 0; i < 2; ++i) {
      auto told = sized<sns_align_result>();
      ASSERT_SNS_OK(sns_align_step(engines[i].get(), &c, xs[i].bind(SNS_ACTIVATION_GELU),
                                   ys[i].bind(SNS_ACTIVATION_GELU), &told));
      xs[i].descend(1), ys[i].descend(1);
      auto config = sized<sns_adapter_config>();
      config.d = 16, config.bottleneck = 5, config.activation = SNS_ACTIVATION_GELU, config.scale = 0.7f;
      sns_adapter adapter = nullptr;
      const auto& v = xs[i].values;
      ASSERT_SNS_OK(sns_adapter_create(engines[i].get(), &config, v[2].data(), v[3].data(), v[4].data(),
                                       v[5].data(), &adapter));
      ASSERT_SNS_OK(sns_session_set_adapter(sessions[i].get(), adapter));
      sns_adapter_destroy(adapter);
      for (int run = 0; run < 3; ++run) {  // plain, captured, replayed
        ASSERT_SNS_OK(sns_session_run(sessions[i].get(), items.data(), 3, &r[i]));
      }
    }
    const int64_t count = r[0].tokens_count * 16;
    EXPECT_LE(nmse(r[1].tokens, r[0].tokens, count), 1e-9);
    const std::vector<float> now(r[1].tokens, r[1].tokens + count);
    if (step > 0) {
      EXPECT_GE(nmse(now.data(), before.data(), count), 1e-6);  // the step was one
    }
    before = now;
  }
}

TEST(CudaAlign, OnlyWhatIsWanted) {
  const Engine engine = cuda_engine();
  Tower x(6, 9, 5, 4, true, true, 1), y(6, 7, 5, 0, false, true, 2), all = x, other = y;
  const auto c = align_config(6, 5, SNS_LOSS_SIGLIP);
  auto result = sized<sns_align_result>();
  ASSERT_SNS_OK(sns_align_step(engine.get(), &c, all.bind(1), other.bind(1), &result));
  for (int wanted = -1; wanted < 6; ++wanted) {
    x.bind(1), y.bind(1);
    float** const gradients[] = {&x.side.d_weight,    &x.side.d_bias,      &x.side.d_down_weight,
                                 &x.side.d_down_bias, &x.side.d_up_weight, &x.side.d_up_bias};
    for (int t = 0; t < 6; ++t) {
      x.gradients[t].assign(x.gradients[t].size(), -7.0f);
      if (t != wanted) *gradients[t] = nullptr;
    }
    ASSERT_SNS_OK(sns_align_step(engine.get(), &c, &x.side, &y.side, &result));
    for (int t = 0; t < 6; ++t) {
      if (t == wanted) {
        EXPECT_EQ(all.gradients[t], x.gradients[t]);  // the same bits again
      } else {
        EXPECT_EQ(std::vector<float>(x.gradients[t].size(), -7.0f), x.gradients[t]);
      }
    }
  }
}

TEST(CudaAlign, RejectsWhatTheCpuRejectsAndWritesNothing) {
  const Engine engine = cuda_engine();
  Tower x(6, 9, 5, 4, true, true, 1), y(6, 7, 5, 0, false, true, 2);
  auto result = sized<sns_align_result>();
  result.loss = -7;
  const auto expect = [&](int32_t code, const char* field, auto change) {
    auto c = align_config(6, 5, SNS_LOSS_CLIP);
    x.bind(1), y.bind(1);
    change(c);
    expect_error(code, field, sns_align_step(engine.get(), &c, &x.side, &y.side, &result));
    EXPECT_EQ(-7, result.loss);
    for (const auto& g : x.gradients) {
      EXPECT_TRUE(std::all_of(g.begin(), g.end(), [](float v) { return std::isnan(v); }));
    }
  };
  using C = sns_align_config;
  expect(SNS_ERROR_INVALID_ARGUMENT, "n", [](C& c) { c.n = 0; });
  expect(SNS_ERROR_INVALID_ARGUMENT, "logit_scale", [](C& c) { c.logit_scale = 21; });
  expect(SNS_ERROR_INVALID_SHAPE, "y.rows_count", [&](C&) { --y.side.rows_count; });
  y.side.rows_count = 6;
  expect(SNS_ERROR_OUT_OF_RANGE, "x.rows", [&](C&) { x.rows[3] = std::nanf(""); });
  x.rows[3] = 0;
  expect(SNS_ERROR_OUT_OF_MEMORY, "device", [](C&) { control("memory", 0); });
  control("reset", 0);
  for (int64_t at : {2, 9, 30}) {  // a kernel of the way there or back, after which the device is lost
    const Engine lost = cuda_engine();
    control("fail", at);
    const auto c = align_config(6, 5, SNS_LOSS_CLIP);
    expect_error(SNS_ERROR_DEVICE_FATAL, "device",
                 sns_align_step(lost.get(), &c, x.bind(1), y.bind(1), &result));
    EXPECT_EQ(-7, result.loss);
    EXPECT_TRUE(std::isnan(x.gradients[0][0]));
    float z = -7;
    const float one = 1;
    expect_error(SNS_ERROR_DEVICE_FATAL, "device",
                 sns_contrastive_logits(lost.get(), &one, 1, &one, 1, 1, 0, 0, &z));
    EXPECT_EQ(-7, z);
  }
}

/// In turns where there are many.
TEST(CudaAlign, Logits) {
  const Engine engines[] = {make_engine(), cuda_engine()};
  struct Case {
    int64_t n, m, dim;
  };
  for (const Case& t : {Case{9, 4, 6}, Case{70, 130, 33}, Case{2, 140000, 1}, Case{1, 1, 1}}) {
    const auto a = normal(t.n * t.dim, 1), b = normal(t.m * t.dim, 2);
    std::vector<float> out[] = {std::vector<float>(static_cast<size_t>(t.n * t.m)),
                                std::vector<float>(static_cast<size_t>(t.n * t.m))};
    for (int i = 0; i < 2; ++i) {
      ASSERT_SNS_OK(sns_contrastive_logits(engines[i].get(), a.data(), t.n, b.data(), t.m, t.dim, 1.5f, -3,
                                           out[i].data()));
    }
    EXPECT_LE(nmse(out[1].data(), out[0].data(), t.n * t.m), 1e-10);
  }
  float z = -7;
  const float one = 1;
  ASSERT_SNS_OK(sns_contrastive_logits(engines[1].get(), nullptr, 0, &one, 1, 1, 0, 0, &z));
  ASSERT_SNS_OK(sns_contrastive_logits(engines[1].get(), &one, 1, nullptr, 0, 1, 0, 0, &z));
  expect_error(SNS_ERROR_INVALID_ARGUMENT, "logit_bias",
               sns_contrastive_logits(engines[1].get(), &one, 1, &one, 1, 1, 0, INFINITY, &z));
  EXPECT_EQ(-7, z);
}

TEST(CudaAlign, NeedsTensorCores) {
  const Engine engine = cuda_engine(SNS_PRECISION_STRICT, 75);
  Tower x(6, 9, 5, 4, true, true, 1), y(6, 7, 5, 0, false, true, 2);
  const auto c = align_config(6, 5, SNS_LOSS_CLIP);
  auto result = sized<sns_align_result>();
  expect_error(SNS_ERROR_UNAVAILABLE, "device",
               sns_align_step(engine.get(), &c, x.bind(1), y.bind(1), &result));
}

}  // namespace
}  // namespace sns_test
