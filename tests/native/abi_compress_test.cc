#include <gtest/gtest.h>

#include "abi_support.h"

namespace sns_test {
namespace {

constexpr int32_t kInvalid = SNS_ERROR_INVALID_ARGUMENT;

Builder sequence_builder(sns_engine engine) {
  sns_builder b = nullptr;
  EXPECT_EQ(SNS_OK, sns_builder_create(engine, &b)) << sns_last_error();
  const auto sequence = sequence_config();
  EXPECT_EQ(SNS_OK, sns_builder_sequence(b, &sequence));
  return Builder(b);
}

sns_perceiver_decoder_config decoder_config() {
  auto c = sized<sns_perceiver_decoder_config>();
  c.num_queries = 3;
  c.d_queries = c.qk = c.v = 4;
  c.heads = 2;
  c.widening = 1;
  return c;
}
sns_latent_resampler_config resampler_config() {
  auto c = sized<sns_latent_resampler_config>();
  c.num_latents = 3;
  c.layers = 1;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 2;
  c.mlp_hidden = 8;
  return c;
}
sns_qformer_config qformer_config() {
  auto c = sized<sns_qformer_config>();
  c.num_latents = 3;
  c.d_latents = 4;
  c.layers = 1;
  c.heads = 2;
  c.cross_frequency = 1;
  c.mlp_hidden = 8;
  return c;
}
sns_pool_config pool_config() {
  auto c = sized<sns_pool_config>();
  c.kind = SNS_POOL_MEAN;
  c.count = 4;
  return c;
}
sns_merge_config merge_config() {
  auto c = sized<sns_merge_config>();
  c.num_latents = 4;
  return c;
}

#define REJECT(function, part, make, member, value)                                       \
  {                                                                                       \
    auto c = make();                                                                      \
    c.member = value;                                                                     \
    SCOPED_TRACE(#part "." #member " = " #value);                                         \
    expect_error(kInvalid, #part "." #member, sns_builder_##function(builder.get(), &c)); \
  }

TEST(Compressors, EveryFieldIsChecked) {
  const Engine engine = make_engine();
  {
    const Builder builder = sequence_builder(engine.get());
    REJECT(latent_resampler, resampler, resampler_config, num_latents, 0);
    REJECT(latent_resampler, resampler, resampler_config, layers, 0);
    REJECT(latent_resampler, resampler, resampler_config, heads, 0);
    REJECT(latent_resampler, resampler, resampler_config, kv_heads, 3);
    REJECT(latent_resampler, resampler, resampler_config, kv_heads, 8);
    REJECT(latent_resampler, resampler, resampler_config, head_dim, 0);
    REJECT(latent_resampler, resampler, resampler_config, mlp_hidden, -1);
    REJECT(latent_resampler, resampler, resampler_config, rms_norm, 2);
    REJECT(latent_resampler, resampler, resampler_config, gated_mlp, 2);
    REJECT(latent_resampler, resampler, resampler_config, activation, 7);
    REJECT(latent_resampler, resampler, resampler_config, norm_eps, -1.0f);
    REJECT(qformer, qformer, qformer_config, num_latents, 0);
    REJECT(qformer, qformer, qformer_config, d_latents, 5);
    REJECT(qformer, qformer, qformer_config, layers, 0);
    REJECT(qformer, qformer, qformer_config, heads, 0);
    REJECT(qformer, qformer, qformer_config, cross_frequency, 0);
    REJECT(qformer, qformer, qformer_config, mlp_hidden, 0);
    REJECT(qformer, qformer, qformer_config, activation, -1);
    REJECT(qformer, qformer, qformer_config, norm_eps, NAN);
    REJECT(pool, pool, pool_config, kind, 4);
    REJECT(pool, pool, pool_config, norm, 2);
    REJECT(pool, pool, pool_config, count, 0);
    REJECT(pool, pool, pool_config, heads, 1);
    REJECT(pool, pool, pool_config, mlp_hidden, 1);
    REJECT(pool, pool, pool_config, activation, 1);
    REJECT(pool, pool, pool_config, norm_eps, INFINITY);
    REJECT(merge, merge, merge_config, num_latents, 0);
    REJECT(merge, merge, merge_config, protect_first, 2);
    REJECT(merge, merge, merge_config, reserved, 1);
  }
  const Builder builder = sequence_builder(engine.get());
  auto decoder = decoder_config();
  expect_error(kInvalid, "perceiver_decoder", sns_builder_perceiver_decoder(builder.get(), &decoder));
  const auto perceiver = perceiver_config();
  ASSERT_SNS_OK(sns_builder_perceiver(builder.get(), &perceiver));
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, num_queries, 0);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, d_queries, 0);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, heads, 0);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, qk, 3);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, v, 0);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, widening, 0);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, activation, 7);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, query_residual, 2);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, norm_eps, -1.0f);
  REJECT(perceiver_decoder, perceiver_decoder, decoder_config, reserved, 1);
  ASSERT_SNS_OK(sns_builder_perceiver_decoder(builder.get(), &decoder));
  decoder.struct_size = 8;
  expect_error(kInvalid, "config.struct_size", sns_builder_perceiver_decoder(builder.get(), &decoder));
  expect_error(kInvalid, "config", sns_builder_perceiver_decoder(builder.get(), nullptr));
  expect_error(kInvalid, "builder", sns_builder_perceiver_decoder(nullptr, &decoder));
}

TEST(Compressors, AModelHasOne) {
  const Engine engine = make_engine();
  const Builder builder = sequence_builder(engine.get());
  auto pool = pool_config();
  ASSERT_SNS_OK(sns_builder_pool(builder.get(), &pool));
  pool.count = 2;
  ASSERT_SNS_OK(sns_builder_pool(builder.get(), &pool));  // replaces
  const auto perceiver = perceiver_config();
  const auto resampler = resampler_config();
  const auto qformer = qformer_config();
  const auto merge = merge_config();
  expect_error(kInvalid, "perceiver", sns_builder_perceiver(builder.get(), &perceiver));
  expect_error(kInvalid, "resampler", sns_builder_latent_resampler(builder.get(), &resampler));
  expect_error(kInvalid, "qformer", sns_builder_qformer(builder.get(), &qformer));
  // Merging can come before a compressor that attends, and only there.
  ASSERT_SNS_OK(sns_builder_merge(builder.get(), &merge));
  sns_model model = nullptr;
  expect_error(kInvalid, "merge", sns_model_create(builder.get(), &model));
}

TEST(Compressors, LatentsAreLimitedCountedAndExplained) {
  const Engine engine = make_engine();
  const Builder builder = sequence_builder(engine.get());
  const auto pool = pool_config();
  ASSERT_SNS_OK(sns_builder_pool(builder.get(), &pool));
  sns::Random random(1);
  for (const NamedShape& t : all_tensors()) {
    if (t.name.rfind("sequence.", 0) != 0) continue;
    ASSERT_SNS_OK(add_tensor(builder.get(), t, random));
  }
  sns_model m = nullptr;
  ASSERT_SNS_OK(sns_model_create(builder.get(), &m));
  const Model model(m);
  const Session session = make_session(m);
  std::vector<float> data(12 * 16, 0.5f);
  std::vector<sns_item> items = {make_item(SNS_MODALITY_TEXT, SNS_FORMAT_F32_TOKENS, data, 12, 16),
                                 make_item(SNS_MODALITY_TEXT, SNS_FORMAT_F32_TOKENS, data, 12, 16)};
  items[1].sequence = 1;
  sns_result r;
  float weights[4 * 14];
  expect_error(SNS_ERROR_ILLEGAL_STATE, "session", sns_session_attention(session.get(), 0, weights, 56));
  ASSERT_SNS_OK(sns_session_run(session.get(), items.data(), 2, &r));
  EXPECT_EQ(8, r.latents_count);
  EXPECT_EQ(16, r.d_latents);
  const int64_t limits[] = {1, 3};
  ASSERT_SNS_OK(sns_session_set_sequence_latents(session.get(), limits, 2));
  ASSERT_SNS_OK(sns_session_run(session.get(), items.data(), 2, &r));
  EXPECT_EQ(0, r.cu_latents[0]);
  EXPECT_EQ(1, r.cu_latents[1]);
  EXPECT_EQ(4, r.cu_latents[2]);
  ASSERT_SNS_OK(sns_session_attention(session.get(), 1, weights, 3 * 14));
  EXPECT_FLOAT_EQ(0.25f, weights[0]);  // tokens 0 to 3 of 14
  EXPECT_EQ(0.0f, weights[4]);
  expect_error(SNS_ERROR_INVALID_SHAPE, "out_count", sns_session_attention(session.get(), 1, weights, 14));
  expect_error(kInvalid, "sequence", sns_session_attention(session.get(), 2, weights, 14));
  expect_error(kInvalid, "out", sns_session_attention(session.get(), 1, nullptr, 42));
  expect_error(kInvalid, "max_latents", sns_session_set_latents(session.get(), 0));
  expect_error(kInvalid, "max_latents", sns_session_set_sequence_latents(session.get(), nullptr, 1));
  expect_error(kInvalid, "count", sns_session_set_sequence_latents(session.get(), limits, -1));
  expect_error(SNS_ERROR_LIMIT_EXCEEDED, "count", sns_session_set_sequence_latents(session.get(), limits, 5));
  int64_t count = 0;
  ASSERT_SNS_OK(sns_model_count_latents(m, 3, 100, &count));
  EXPECT_EQ(3, count);
  expect_error(kInvalid, "tokens", sns_model_count_latents(m, -1, 1, &count));
  expect_error(kInvalid, "max_latents", sns_model_count_latents(m, 1, 0, &count));
  expect_error(kInvalid, "out", sns_model_count_latents(m, 1, 1, nullptr));
}

}  // namespace
}  // namespace sns_test
