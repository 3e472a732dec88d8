#include "ops/attention/attention.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "check/guarded.h"
#include "parity.h"

namespace sns {
OpCheck attention_check();
namespace {

/// Dense q, k, v of several sequences.
struct Problem {
  Problem(std::vector<int64_t> queries, std::vector<int64_t> keys, int64_t heads, int64_t kv_heads,
          int64_t dim, uint64_t seed = 1) {
    for (size_t s = 0; s < queries.size(); ++s) {
      cu_q.push_back(cu_q.back() + queries[s]);
      cu_k.push_back(cu_k.back() + keys[s]);
    }
    args.batch = static_cast<int64_t>(queries.size());
    args.heads = heads;
    args.kv_heads = kv_heads;
    args.qk_dim = args.v_dim = dim;
    args.ldq = args.ldy = heads * dim;
    args.ldk = args.ldv = kv_heads * dim;
    args.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(dim)));
    q.resize(static_cast<size_t>(cu_q.back() * args.ldq));
    k.resize(static_cast<size_t>(cu_k.back() * args.ldk));
    v.resize(static_cast<size_t>(cu_k.back() * args.ldv));
    Random r(seed);
    r.fill_normal(q.begin(), q.end());
    r.fill_normal(k.begin(), k.end());
    r.fill_normal(v.begin(), v.end());
  }

  std::vector<float> run(Parallel& parallel) {
    std::vector<float> y(q.size(), std::numeric_limits<float>::quiet_NaN());
    args.q = q.data();
    args.k = k.data();
    args.v = v.data();
    args.y = y.data();
    args.cu_q = cu_q.data();
    args.cu_k = cu_k.data();
    args.key_mask = mask.empty() ? nullptr : mask.data();
    Guarded<std::byte> scratch(static_cast<int64_t>(attention_scratch(args, parallel.threads())));
    attention_cpu(args, scratch.data(), parallel);
    EXPECT_TRUE(scratch.intact());
    return y;
  }
  std::vector<float> run() {
    Serial serial;
    return run(serial);
  }
  double error(const std::vector<float>& y) const {
    std::vector<double> ref(y.size());
    attention_ref(args, ref.data());
    return nmse(y.data(), args.ldy, ref.data(), cu_q.back(), args.ldy);
  }

  AttentionArgs args;
  std::vector<int64_t> cu_q{0}, cu_k{0};
  std::vector<float> q, k, v;
  std::vector<uint8_t> mask;
};

/// Sequence s of p as a problem of its own.
Problem alone(const Problem& p, size_t s) {
  const AttentionArgs& a = p.args;
  Problem one({p.cu_q[s + 1] - p.cu_q[s]}, {p.cu_k[s + 1] - p.cu_k[s]}, a.heads, a.kv_heads, a.qk_dim);
  std::copy(p.q.begin() + p.cu_q[s] * a.ldq, p.q.begin() + p.cu_q[s + 1] * a.ldq, one.q.begin());
  std::copy(p.k.begin() + p.cu_k[s] * a.ldk, p.k.begin() + p.cu_k[s + 1] * a.ldk, one.k.begin());
  std::copy(p.v.begin() + p.cu_k[s] * a.ldv, p.v.begin() + p.cu_k[s + 1] * a.ldv, one.v.begin());
  if (!p.mask.empty()) one.mask.assign(p.mask.begin() + p.cu_k[s], p.mask.begin() + p.cu_k[s + 1]);
  return one;
}

TEST(Attention, MatchesOracle) { expect_parity(attention_check(), 300); }

// The shapes of published models, whole.
TEST(Attention, MatchesOracleOnPublishedShapes) {
  ThreadPool pool(2);
  for (auto [queries, keys, heads, kv_heads, dim] : {std::array<int64_t, 5>{256, 1500, 2, 2, 96},
                                                     {197, 197, 3, 3, 64},
                                                     {64, 1100, 4, 1, 96},
                                                     {1, 4096, 2, 2, 96},
                                                     {577, 577, 16, 16, 64},
                                                     {40, 2100, 1, 1, 512}}) {
    Problem p({queries}, {keys}, heads, kv_heads, dim);
    EXPECT_LE(p.error(p.run(pool)), kAttentionNmse)
        << queries << "×" << keys << ", " << heads << "/" << kv_heads << " heads of " << dim;
  }
}

TEST(Attention, BitsDoNotDependOnThreadsOrBatch) {
  // Lengths that are split over keys, that fill one block, that are empty, and more tasks than one wave
  // holds.
  Problem p({3, 256, 0, 40, 1, 300, 33}, {5000, 1300, 10, 0, 700, 300, 2048}, 8, 4, 40);
  for (const bool masked : {false, true}) {
    if (masked) {
      Random r(5);
      p.mask.resize(static_cast<size_t>(p.cu_k.back()));
      for (uint8_t& m : p.mask) m = r.coin();
    }
    const std::vector<float> y = p.run();
    EXPECT_LE(p.error(y), kAttentionNmse);
    for (int threads : {2, 3, 7}) {
      ThreadPool pool(threads);
      EXPECT_EQ(p.run(pool), y) << threads << " threads";
    }
    for (size_t s = 0; s + 1 < p.cu_q.size(); ++s) {
      const std::vector<float> expected(y.begin() + p.cu_q[s] * p.args.ldy,
                                        y.begin() + p.cu_q[s + 1] * p.args.ldy);
      EXPECT_EQ(alone(p, s).run(), expected) << "sequence " << s;
    }
  }
}

TEST(Attention, BitsDoNotDependOnWhetherRowsAreCopied) {
  Problem p({100}, {300}, 2, 2, 64);
  const std::vector<float> in_place = p.run();
  p.mask.assign(300, 1);  // masks go through the packed copy
  EXPECT_EQ(p.run(), in_place);
}

TEST(Attention, ManySmallSequencesPassThroughSeveralWaves) {
  std::vector<int64_t> queries(700, 2), keys(700, 3);
  keys[13] = 2000;  // one of them is split
  Problem p(queries, keys, 2, 2, 8);
  ThreadPool pool(3);
  const std::vector<float> y = p.run(pool);
  EXPECT_LE(p.error(y), kAttentionNmse);
  EXPECT_EQ(p.run(), y);
}

TEST(Attention, RowsWithoutKeysAreExactlyZero) {
  for (const int64_t keys : {5, 2000}) {  // whole and split
    Problem p({4, 3, 2}, {keys, 0, keys}, 2, 1, 24);
    p.mask.assign(static_cast<size_t>(2 * keys), 1);
    for (int64_t j = keys; j < 2 * keys; ++j) {
      p.mask[static_cast<size_t>(j)] = 0;
      for (int64_t d = 0; d < 24; ++d) {
        p.k[static_cast<size_t>(j * 24 + d)] = std::numeric_limits<float>::quiet_NaN();
        p.v[static_cast<size_t>(j * 24 + d)] = std::numeric_limits<float>::infinity();
      }
    }
    const std::vector<float> y = p.run();
    for (size_t i = 0; i < 4 * 48; ++i) ASSERT_NE(y[i], 0);
    for (size_t i = 4 * 48; i < y.size(); ++i) {
      ASSERT_EQ(y[i], 0);
      ASSERT_FALSE(std::signbit(y[i]));
    }
  }
}

TEST(Attention, OneLiveKeyGivesItsValue) {
  Problem p({40}, {1500}, 1, 1, 16);
  p.mask.assign(1500, 0);
  p.mask[777] = 1;
  const std::vector<float> y = p.run();
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], p.v[777 * 16 + i % 16], 1e-6);
}

TEST(Attention, ExtremeScoresStayFinite) {
  for (const float size : {1e-20f, 100.f, 1e4f}) {
    for (const int64_t keys : {300, 1500}) {
      Problem p({37}, {keys}, 2, 2, 32);
      for (float& x : p.q) x *= size;
      const std::vector<float> y = p.run();
      for (const float x : y) ASSERT_TRUE(std::isfinite(x));
      // From 100 on one key takes nearly all: a wrong maximum or a lost rescale would show.
      EXPECT_LE(p.error(y), size > 1000 ? 1e-6 : kAttentionNmse) << size;
    }
  }
}

// The maximum grows from block to block, so every block rescales what was summed before it.
TEST(Attention, RisingScores) {
  Problem p({20}, {900}, 1, 1, 16);
  for (int64_t j = 0; j < 900; ++j) {
    for (int64_t d = 0; d < 16; ++d) p.k[static_cast<size_t>(j * 16 + d)] = 0.01f * static_cast<float>(j);
  }
  for (float& x : p.q) x = std::abs(x);
  EXPECT_LE(p.error(p.run()), kAttentionNmse);
}

TEST(Attention, NanInAQueryReachesItsRowAndNoOther) {
  for (const int64_t keys : {300, 1500}) {
    Problem p({50}, {keys}, 1, 1, 16);
    p.q[7 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> y = p.run();
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(std::isnan(y[i]), i / 16 == 7) << i / 16;
  }
}

TEST(Attention, ScratchDoesNotGrowWithTheSequences) {
  Problem small({1}, {1}, 8, 8, 96), large({5000}, {50}, 8, 8, 96);
  EXPECT_EQ(attention_scratch(small.args, 2), attention_scratch(large.args, 2));
  EXPECT_LT(attention_scratch(large.args, 2), size_t{4} << 20);
}

}  // namespace
}  // namespace sns
