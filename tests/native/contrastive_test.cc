#include "ops/contrastive/contrastive.h"

#include <cmath>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck contrastive_check();
namespace {

TEST(Contrastive, EqualsTheOracle) { expect_parity(contrastive_check(), 300); }

struct Pairs {
  std::vector<float> a, b, da, db;
  ContrastiveArgs args;
  Pairs(int64_t n, int64_t dim, uint64_t seed) : a(n * dim), b(n * dim), da(n * dim), db(n * dim) {
    Random r(seed);
    r.fill_normal(a.begin(), a.end(), 0.3);
    r.fill_normal(b.begin(), b.end(), 0.3);
    args.n = n;
    args.dim = dim;
    args.a = a.data();
    args.b = b.data();
    args.da = da.data();
    args.db = db.data();
  }
  ContrastiveResult run(Parallel& parallel) {
    AlignedArray<unsigned char> scratch(
        static_cast<int64_t>(contrastive_scratch(args.n, args.dim, parallel.threads())));
    return contrastive_cpu(args, scratch.data(), parallel);
  }
};

/// The oracle's gradients are the loss's slopes.
TEST(Contrastive, GradientsOfTheOracleAreCentralDifferences) {
  for (ContrastiveLoss kind : {ContrastiveLoss::kClip, ContrastiveLoss::kSigLip}) {
    Pairs p(5, 3, 3);
    p.args.kind = kind;
    p.args.logit_scale = 0.7f;
    p.args.logit_bias = -0.4f;
    std::vector<double> da(15), db(15), no(15);
    const ContrastiveResult r = contrastive_ref(p.args, da.data(), db.data());
    const auto slope = [&](float* at) {
      const float x = *at, h = 0x1p-9f;
      *at = x + h;
      const double above = *at, high = contrastive_ref(p.args, no.data(), no.data()).loss;
      *at = x - h;
      const double low = contrastive_ref(p.args, no.data(), no.data()).loss, width = above - *at;
      *at = x;
      return (high - low) / width;
    };
    for (size_t i = 0; i < 15; ++i) {
      EXPECT_NEAR(slope(&p.a[i]), da[i], 1e-5);
      EXPECT_NEAR(slope(&p.b[i]), db[i], 1e-5);
    }
    EXPECT_NEAR(slope(&p.args.logit_scale), r.d_logit_scale, 1e-5);
    EXPECT_NEAR(slope(&p.args.logit_bias), r.d_logit_bias, 1e-5);
  }
}

TEST(Contrastive, NumbersDoNotDependOnThreads) {
  for (ContrastiveLoss kind : {ContrastiveLoss::kClip, ContrastiveLoss::kSigLip}) {
    Pairs one(77, 33, 4), many(77, 33, 4);
    one.args.kind = many.args.kind = kind;
    Serial serial;
    ThreadPool pool(3);
    const ContrastiveResult a = one.run(serial), b = many.run(pool);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.d_logit_scale, b.d_logit_scale);
    EXPECT_EQ(a.d_logit_bias, b.d_logit_bias);
    EXPECT_EQ(one.da, many.da);
    EXPECT_EQ(one.db, many.db);
  }
}

/// Logits far apart neither overflow nor lose the loss; a perfect match loses nothing.
TEST(Contrastive, ExtremeLogits) {
  Serial serial;
  for (ContrastiveLoss kind : {ContrastiveLoss::kClip, ContrastiveLoss::kSigLip}) {
    for (float sign : {1.0f, -1.0f}) {
      Pairs p(4, 4, 1);
      for (int i = 0; i < 16; ++i) p.a[i] = p.b[i] = i % 5 == 0 ? 1.0f : 0.0f;
      for (float& x : p.b) x *= sign;
      p.args.kind = kind;
      p.args.logit_scale = std::log(5000.0f);
      std::vector<double> da(16), db(16);
      const ContrastiveResult ref = contrastive_ref(p.args, da.data(), db.data()), got = p.run(serial);
      EXPECT_NEAR(ref.loss, got.loss, 1e-6 * std::max(1e-30, std::abs(ref.loss)));
      for (size_t i = 0; i < 16; ++i) {
        EXPECT_TRUE(std::isfinite(p.da[i]) && std::isfinite(p.db[i]));
        EXPECT_NEAR(da[i], p.da[i], 1e-3);
      }
    }
  }
}

TEST(Contrastive, OnePairAndNone) {
  Serial serial;
  Pairs one(1, 7, 2);
  EXPECT_EQ(0, one.run(serial).loss);
  for (float g : one.da) EXPECT_EQ(0, g);
  Pairs none(0, 7, 2);
  EXPECT_EQ(0, none.run(serial).loss);
}

TEST(Contrastive, LogitsAlone) {
  Pairs p(9, 6, 5);
  std::vector<float> out(9 * 4);
  Serial serial;
  AlignedArray<unsigned char> scratch(static_cast<int64_t>(contrastive_logits_scratch(9, 4, 6, 1)));
  contrastive_logits_cpu(p.a.data(), 9, p.b.data(), 4, 6, 1.5f, -3, out.data(), scratch.data(), serial);
  for (int64_t i = 0; i < 9; ++i) {
    for (int64_t j = 0; j < 4; ++j) {
      double dot = 0;
      for (int64_t k = 0; k < 6; ++k) dot += static_cast<double>(p.a[i * 6 + k]) * p.b[j * 6 + k];
      EXPECT_NEAR(std::exp(1.5) * dot - 3, out[i * 4 + j], 1e-5);
    }
  }
}

}  // namespace
}  // namespace sns
