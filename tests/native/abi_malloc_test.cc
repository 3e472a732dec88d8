// Nothing on the heap during sns_session_run.

#include <chrono>
#include <thread>

#include "abi_support.h"
#include "malloc_counter.h"

namespace sns_test {
namespace {

TEST(Malloc, IsNotCalledByARun) {
  ASSERT_NE(0, installed);
  const Engine engine = make_engine(3);
  const Model model = make_model(engine.get());
  const Session session = make_session(model.get());
  const Samples samples;
  const auto items = samples.items();
  const int64_t before_any = allocations.load();
  ASSERT_GT(before_any, 100);  // the counter counts
  sns_result result;
  // A thread allocates when it starts, which on a busy machine may be after the first runs.
  for (int i = 0; i < 20; ++i) {
    ASSERT_SNS_OK(sns_session_run(session.get(), items.data(), 7, &result));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  int32_t bad = 0;
  const int64_t before = allocations.load();
  for (int i = 0; i < 50; ++i) bad |= sns_session_run(session.get(), items.data(), 7, &result);
  const int64_t after = allocations.load();
  EXPECT_EQ(0, bad);
  EXPECT_EQ(before, after);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST(Malloc, MayFailAnywhereInAnyConstruction) {
  sns_last_error();  // this thread's error is there before memory runs out
  const Samples samples;
  const auto items = samples.items();
  const Engine survivor = make_engine(2);
  const Builder builder = make_builder(survivor.get());
  const auto config = engine_config(2);
  const auto limits = session_limits();
  const auto mel_config = log_mel_config();
  int64_t n = 0;
  for (bool done = false; !done; ++n) {
    ASSERT_LT(n, 100000);
    sns_engine e = nullptr;
    sns_builder b = nullptr;
    sns_model m = nullptr;
    sns_session s = nullptr;
    sns_log_mel l = nullptr;
    sns_resampler r = nullptr;
    fail_after.store(n);
    int32_t code = sns_engine_create(&config, &e);
    if (code == SNS_OK) code = sns_builder_create(e, &b);
    if (code == SNS_OK) code = set_configs(b);
    if (code == SNS_OK) code = sns_model_create(builder.get(), &m);
    if (code == SNS_OK) code = sns_session_create(m, &limits, &s);
    if (code == SNS_OK) code = sns_log_mel_create(e, &mel_config, &l);
    if (code == SNS_OK) code = sns_resampler_create(e, 16000, 22050, &r);
    done = fail_after.exchange(-1) >= 0;
    if (done) {
      EXPECT_EQ(SNS_OK, code) << sns_last_error();
    } else {
      // A failed look at /proc or the environment is not an error; everything else is.
      EXPECT_TRUE(code == SNS_ERROR_OUT_OF_MEMORY || code == SNS_OK) << code << ": " << sns_last_error();
    }
    sns_resampler_destroy(r);
    sns_log_mel_destroy(l);
    sns_session_destroy(s);
    sns_model_destroy(m);
    sns_builder_destroy(b);
    sns_engine_destroy(e);
    if (n % 50 == 0) {
      const Model model = make_model(survivor.get());
      const Session session = make_session(model.get());
      sns_result result;
      ASSERT_SNS_OK(sns_session_run(session.get(), items.data(), 7, &result));
    }
  }
  EXPECT_GT(n, 200);
}
#endif

}  // namespace
}  // namespace sns_test
