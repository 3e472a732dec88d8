// Self-check and search of a CUDA engine on the host SIMT executor.

#include "abi_cuda_support.h"

namespace sns_test {
namespace {

TEST(CudaCheck, EveryOpIsCheckedOnTheDevice) {
  const Engine engine = cuda_engine();
  int64_t ops = 0;
  ASSERT_SNS_OK(sns_check_op_count(&ops));
  for (int64_t i = 0; i < ops; ++i) {
    auto report = sized<sns_check_report>();
    ASSERT_SNS_OK(sns_check_parity(engine.get(), i, 12345 + i, &report));
    EXPECT_STREQ(sns_check_op_name(i), report.op);
    EXPECT_EQ(1, report.ok) << report.op << ": " << report.shape << ", " << report.measure << " "
                            << report.error;
  }
}

TEST(CudaCheck, TimingIsTheCpus) {
  const Engine engine = cuda_engine();
  auto report = sized<sns_timing_report>();
  expect_error(SNS_ERROR_UNAVAILABLE, "timing", sns_check_timing(engine.get(), 0, 0, 1, &report));
  double a, b, c;
  expect_error(SNS_ERROR_UNAVAILABLE, "timing", sns_check_ceiling(engine.get(), &a, &b, &c));
}

TEST(CudaIndex, FindsWhatTheCpuFinds) {
  const Engine cuda = cuda_engine(), cpu = make_engine();
  sns::Random random(4);
  for (const int64_t count : {0, 40, 500}) {
    SCOPED_TRACE(count);
    const int64_t dim = 9, n = 300, k = 5;  // more queries than one turn takes
    std::vector<float> v(static_cast<size_t>(count * dim)), q(static_cast<size_t>(n * dim));
    random.fill_normal(v.begin(), v.end());
    random.fill_normal(q.begin(), q.end());
    std::vector<int64_t> ids[2];
    std::vector<float> scores[2];
    for (const bool device : {false, true}) {
      sns_index index = nullptr;
      ASSERT_SNS_OK(sns_index_create(device ? cuda.get() : cpu.get(), v.data(), count, dim, &index));
      ids[device].resize(static_cast<size_t>(n * k));
      scores[device].resize(ids[device].size());
      ASSERT_SNS_OK(sns_index_search(index, q.data(), n, k, ids[device].data(), scores[device].data()));
      ASSERT_SNS_OK(sns_index_search(index, q.data(), 2, 9, ids[device].data(), scores[device].data()));
      sns_index_destroy(index);
    }
    EXPECT_EQ(ids[0], ids[1]);
    EXPECT_EQ(scores[0], scores[1]);
  }
}

}  // namespace
}  // namespace sns_test
