#include "ops/resample/resample.h"

#include <cstring>
#include <vector>

#include "check/guarded.h"
#include "core/status.h"
#include "parity.h"

namespace sns {
OpCheck resample_check();
namespace {

TEST(Resample, MatchesOracle) { expect_parity(resample_check(), 200); }

std::vector<float> run(const ResampleFilter& filter, const std::vector<float>& x, Parallel& parallel) {
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<float> y(static_cast<size_t>(filter.output_length(n)), std::nanf(""));
  resample_cpu(filter, x.data(), n, y.data(), parallel);
  return y;
}

std::vector<float> noise(int64_t n) {
  Random random(3);
  std::vector<float> x(static_cast<size_t>(n));
  random.fill_normal(x.begin(), x.end());
  return x;
}

double error(int64_t orig, int64_t target, int64_t n) {
  const ResampleFilter filter(orig, target);
  const std::vector<float> x = noise(n);
  Serial serial;
  const std::vector<float> y = run(filter, x, serial);
  std::vector<double> want(y.size());
  resample_ref(orig, target, x.data(), n, want.data());
  return nmse(y.data(), 1, want.data(), static_cast<int64_t>(y.size()), 1);
}

// Long filters and long, coprime periods take the way along the taps.
TEST(Resample, LongFiltersAndCoprimeRates) {
  EXPECT_LE(error(192000, 1000, 20000), kResampleNmse);
  EXPECT_LE(error(48000, 17, 100000), kResampleNmse);
  EXPECT_LE(error(4410, 1601, 3000), kResampleNmse);
  EXPECT_LE(error(1601, 4410, 1100), kResampleNmse);
  EXPECT_LE(error(1999, 2003, 2500), kResampleNmse);
}

TEST(Resample, SmallTableForCoprimeRates) {
  const ResampleFilter filter(44100, 16001);
  EXPECT_EQ(filter.orig(), 44100);
  EXPECT_EQ(filter.target(), 16001);
  EXPECT_LT(filter.taps_per_phase(), 40);
  EXPECT_EQ(filter.half_width(), 17);
}

TEST(Resample, LengthIsRoundedUp) {
  EXPECT_EQ(ResampleFilter(44100, 16000).output_length(32000), 11610);
  EXPECT_EQ(ResampleFilter(48000, 16000).output_length(32000), 10667);
  EXPECT_EQ(ResampleFilter(48000, 16000).output_length(1), 1);
  EXPECT_EQ(ResampleFilter(48000, 16000).output_length(0), 0);
  EXPECT_EQ(ResampleFilter(8000, 16000).output_length(int64_t{1} << 61), int64_t{1} << 62);
  EXPECT_THROW(ResampleFilter(8000, 48000).output_length(int64_t{1} << 61), Error);
}

TEST(Resample, EqualRatesCopy) {
  const std::vector<float> x = noise(1001);
  Serial serial;
  EXPECT_EQ(run(ResampleFilter(16000, 16000), x, serial), x);
  EXPECT_EQ(run(ResampleFilter(2147483647, 2147483647), x, serial), x);
}

TEST(Resample, ThreadsDoNotChangeABit) {
  const std::vector<float> x = noise(40001);
  Serial serial;
  ThreadPool pool(3);
  for (auto rates : {std::pair{44100, 16000}, {48000, 16000}, {16000, 22050}, {4410, 1601}, {24000, 16000}}) {
    const ResampleFilter filter(rates.first, rates.second);
    const std::vector<float> one = run(filter, x, serial), three = run(filter, x, pool);
    EXPECT_EQ(std::memcmp(one.data(), three.data(), one.size() * sizeof(float)), 0);
  }
}

// Whole periods later in the signal, the same samples give the same output whatever lane computes it.
TEST(Resample, OutputsDoNotDependOnTheirPlace) {
  Serial serial;
  for (auto rates : {std::pair{44100, 16000}, {48000, 16000}, {8000, 16000}}) {
    const ResampleFilter filter(rates.first, rates.second);
    const std::vector<float> x = noise(60000);
    const std::vector<float> all = run(filter, x, serial);
    for (int64_t periods : {1, 7, 50}) {
      const std::vector<float> part =
          run(filter, std::vector<float>(x.begin() + periods * filter.orig(), x.end()), serial);
      const size_t skip = static_cast<size_t>(periods * filter.target());
      const size_t edge = 100;  // outputs that reach before the cut
      ASSERT_EQ(part.size() + skip, all.size());
      for (size_t i = edge; i < part.size(); ++i) ASSERT_EQ(part[i], all[i + skip]) << i;
    }
  }
}

TEST(Resample, RefusesHostileRates) {
  auto fails = [](int64_t orig, int64_t target, Code code, const char* field) {
    try {
      ResampleFilter filter(orig, target);
      ADD_FAILURE() << orig << " -> " << target;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code);
      EXPECT_EQ(e.field(), field);
      if (code == Code::kLimitExceeded) {
        EXPECT_EQ(e.limit(), ResampleFilter::kMaxTaps);
      }
    }
  };
  fails(0, 16000, Code::kInvalidArgument, "orig_rate");
  fails(-1, 16000, Code::kInvalidArgument, "orig_rate");
  fails(16000, 0, Code::kInvalidArgument, "target_rate");
  fails(int64_t{1} << 31, 16000, Code::kInvalidArgument, "orig_rate");
  fails(16000, INT64_MAX, Code::kInvalidArgument, "target_rate");
  fails(1, 2147483647, Code::kLimitExceeded, "target_rate");
  fails(2147483647, 1, Code::kLimitExceeded, "target_rate");
  fails(2147483647, 2147483646, Code::kLimitExceeded, "target_rate");
}

}  // namespace
}  // namespace sns
