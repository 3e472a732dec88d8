#include <cstdlib>

#include "abi_support.h"

namespace sns_test {
namespace {

sns_device_info query(int32_t index = 0) {
  auto info = sized<sns_device_info>();
  EXPECT_EQ(SNS_OK, sns_device_query(SNS_DEVICE_CUDA, index, &info)) << sns_last_error();
  return info;
}

void expect_refused(const std::string& cause) {
  auto config = engine_config();
  config.device = SNS_DEVICE_CUDA;
  sns_engine e = nullptr;
  expect_error(SNS_ERROR_UNAVAILABLE, "device", sns_engine_create(&config, &e));
  EXPECT_NE(std::string::npos, std::string(sns_last_error()).find(cause)) << sns_last_error();
  EXPECT_EQ(nullptr, e);
}

void expect_unavailable(const std::string& cause) {
  const sns_device_info info = query();
  EXPECT_EQ(0, info.available);
  EXPECT_NE(std::string::npos, std::string(info.cause).find(cause)) << info.cause;
  expect_refused(cause);
}

// In this order: a library that was opened with success stays open.
TEST(CudaLoader, SaysWhyThereIsNoCuda) {
  setenv("SENSORIUM_CUDA_LIBRARY", "/nowhere/libsensorium_cuda.so", 1);
  expect_unavailable("/nowhere/libsensorium_cuda.so");
  setenv("SENSORIUM_CUDA_LIBRARY", FAKE_DIRECTORY "/libfake_cuda_foreign.so", 1);
  expect_unavailable("is not Sensorium's CUDA backend");
  setenv("SENSORIUM_CUDA_LIBRARY", FAKE_DIRECTORY "/libfake_cuda_newer.so", 1);
  expect_unavailable("has interface version 999");
  setenv("SENSORIUM_CUDA_LIBRARY", FAKE_DIRECTORY "/libfake_cuda_none.so", 1);
  expect_unavailable("no CUDA device");
  setenv("SENSORIUM_CUDA_LIBRARY", "/nowhere/again", 1);
  expect_unavailable("no CUDA device");
}

// In a process of its own (EXPECT_EXIT forks), and first: gtest runs *DeathTest suites before the others.
TEST(CudaLoaderDeathTest, ReportsADevice) {
  EXPECT_EXIT(
      {
        setenv("SENSORIUM_CUDA_LIBRARY", FAKE_DIRECTORY "/libfake_cuda_device.so", 1);
        const sns_device_info info = query();
        EXPECT_EQ(1, info.available) << info.cause;
        EXPECT_STREQ("Imaginary 1", info.name);
        EXPECT_STREQ("sm_90", info.isa);
        EXPECT_EQ(7, info.units);
        EXPECT_EQ(int64_t{1} << 34, info.memory_bytes);
        EXPECT_EQ(0, query(1).available);
        EXPECT_STRNE("", query(1).cause);
        std::_Exit(::testing::Test::HasFailure() ? 1 : 0);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sns_test
