#include "ops/attention/attention_cuda.h"

#include "ops/attention/attention_check.h"
#include "simt_support.h"

namespace sns {
namespace {

bool run(AttentionArgs a, Precision precision, int multiprocessors) {
  a.precision = precision;
  AttentionCudaArgs args;
  args.attention = a, args.multiprocessors = multiprocessors;
  args.total_q = a.cu_q[a.batch] + 3;
  for (int64_t s = 0; s < a.batch; ++s) {
    args.max_q = std::max(args.max_q, a.cu_q[s + 1] - a.cu_q[s]);
    args.max_k = std::max(args.max_k, a.cu_k[s + 1] - a.cu_k[s]);
  }
  Guarded<std::byte> workspace(static_cast<int64_t>(attention_cuda_workspace(args)));
  EXPECT_EQ(0, attention_cuda(args, workspace.data(), nullptr));
  return workspace.intact();
}

TEST(SimtAttention, MatchesOracle) {
  double worst[2] = {};
  under_every_schedule("attention", 5, [&](Random& random) {
    const uint64_t seed = random.next();
    const bool strict = random.coin();
    const int multiprocessors = random.coin() ? 132 : 4;
    const auto kernel = [&](const AttentionArgs& args) {
      return run(args, strict ? Precision::kStrict : Precision::kFast, multiprocessors);
    };
    const Parity p = attention_parity(seed, kernel, strict);
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed << ")";
    EXPECT_LE(p.error, strict ? kAttentionNmse : kAttentionFastNmse) << p.shape << " (seed " << seed << ")";
    worst[strict] = std::max(worst[strict], p.error);
  });
  std::printf("largest NMSE: strict %.2e, fast %.2e\n", worst[1], worst[0]);
}

/// One key head, keys = values, few queries.
void expect_shared_keys(Random& random, int64_t dim, int64_t keys, bool positive, int multiprocessors) {
  const int64_t queries = 5;
  const int64_t cu_q[] = {0, queries, queries}, cu_k[] = {0, keys, keys + 7};
  AttentionArgs a;
  a.heads = 3, a.kv_heads = 1, a.qk_dim = a.v_dim = dim, a.scale = 0.05f;
  a.batch = 2, a.cu_q = cu_q, a.cu_k = cu_k;
  a.ldq = a.ldy = a.heads * dim, a.ldk = a.ldv = dim;
  auto q = normal(random, queries * a.ldq), x = normal(random, cu_k[2] * dim, 1, positive);
  Guarded<float> y(queries * a.ldy);
  a.q = q.data(), a.k = a.v = x.data(), a.y = y.data();
  EXPECT_TRUE(run(a, Precision::kStrict, multiprocessors));
  Guarded<double> ref(queries * a.ldy);
  attention_ref(a, ref.data());
  EXPECT_LE(nmse(y.data(), a.ldy, ref.data(), queries, a.ldy), kAttentionNmse);
  EXPECT_TRUE(y.intact());
}

/// As absorbed cross-attention calls it, heads as wide as the input.
TEST(SimtAttention, WideHeadsMatchOracle) {
  under_every_schedule("wide attention", 1, [](Random& random) {
    expect_shared_keys(random, 8 * random.integer(20, 40), random.integer(100, 200), false, 132);
  });
}

/// Tensor cores cut off what they add: sums over many keys are where it would show.
TEST(SimtAttention, ManyKeysKeepTheBound) {
  Random random(3);
  for (const bool positive : {false, true}) expect_shared_keys(random, 32, 5000, positive, 1);
}

}  // namespace
}  // namespace sns
