#include "core/memory.h"

#include <gtest/gtest.h>

#include <limits>

namespace sns {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

template <class F>
void expect_invalid_shape(F&& f, const char* field) {
  try {
    f();
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidShape);
    EXPECT_EQ(e.field(), field);
    EXPECT_EQ(e.limit(), -1);
    EXPECT_NE(std::string(e.what()).find(field), std::string::npos);
  }
}

TEST(Checked, Multiplies) {
  EXPECT_EQ(checked_mul(0, kMax, "n"), 0);
  EXPECT_EQ(checked_mul(kMax, 1, "n"), kMax);
  EXPECT_EQ(checked_mul(3, 5, "n"), 15);
  expect_invalid_shape([] { checked_mul(kMax, 2, "width"); }, "width");
  expect_invalid_shape([] { checked_mul(int64_t{1} << 32, int64_t{1} << 32, "width"); }, "width");
  expect_invalid_shape([] { checked_mul(-1, 3, "width"); }, "width");
  expect_invalid_shape([] { checked_mul(3, -1, "width"); }, "width");
  expect_invalid_shape([] { checked_mul(-1, -1, "width"); }, "width");
}

TEST(Checked, Adds) {
  EXPECT_EQ(checked_add(kMax, 0, "n"), kMax);
  EXPECT_EQ(checked_add(3, 5, "n"), 8);
  expect_invalid_shape([] { checked_add(kMax, 1, "rows"); }, "rows");
  expect_invalid_shape([] { checked_add(-1, 5, "rows"); }, "rows");
  expect_invalid_shape([] { checked_add(5, -1, "rows"); }, "rows");
}

TEST(Checked, RoundsUp) {
  EXPECT_EQ(ceil_div(0, 4), 0);
  EXPECT_EQ(ceil_div(1, 4), 1);
  EXPECT_EQ(ceil_div(8, 4), 2);
  EXPECT_EQ(round_up(9, 4), 12);
}

TEST(AlignedArray, IsAlignedAndMoves) {
  AlignedArray<float> a(3);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % kAlign, 0u);
  a[0] = 1;
  a[2] = 3;
  float* const where = a.data();
  AlignedArray<float> b(std::move(a));
  EXPECT_EQ(b.data(), where);
  EXPECT_EQ(a.data(), nullptr);
  EXPECT_EQ(a.size(), 0);
  AlignedArray<float> c(5);
  c = std::move(b);
  EXPECT_EQ(c.data(), where);
  EXPECT_EQ(c.size(), 3);
  EXPECT_EQ(c.end() - c.begin(), 3);
  EXPECT_EQ(c[2], 3);
  AlignedArray<float> empty(0);
  EXPECT_EQ(empty.size(), 0);
}

TEST(AlignedArray, RefusesSizesThatOverflow) {
  expect_invalid_shape([] { AlignedArray<double> a(kMax / 4); }, "allocation");
  expect_invalid_shape([] { AlignedArray<char> a(-1); }, "allocation");
  EXPECT_THROW(aligned_malloc(std::numeric_limits<size_t>::max()), std::bad_alloc);
  EXPECT_THROW(aligned_malloc(std::numeric_limits<size_t>::max() - kAlign + 1), std::bad_alloc);
}

TEST(AlignedArray, FailsOnRequest) {
  set_alloc_failure(1);
  AlignedArray<float> first(1);
  EXPECT_THROW(AlignedArray<float>(1), std::bad_alloc);
  AlignedArray<float> third(1);  // only the one that was asked for
  set_alloc_failure(-1);
  EXPECT_NE(third.data(), nullptr);
}

TEST(Carver, CountsAndCutsAlike) {
  const auto lay_out = [](Carver& c, float** f, int64_t** i, char** s) {
    *f = c.take<float>(5);
    *i = c.take<int64_t>(9);
    *s = c.take<char>(0);
  };
  float* f;
  int64_t* i;
  char* s;
  Carver counting(nullptr);
  lay_out(counting, &f, &i, &s);
  EXPECT_EQ(counting.bytes(), 64u + 128u);
  EXPECT_EQ(f, nullptr);
  AlignedArray<std::byte> block(static_cast<int64_t>(counting.bytes()));
  Carver cutting(block.data());
  lay_out(cutting, &f, &i, &s);
  EXPECT_EQ(cutting.bytes(), counting.bytes());
  EXPECT_EQ(reinterpret_cast<std::byte*>(f), block.data());
  EXPECT_EQ(reinterpret_cast<std::byte*>(i), block.data() + 64);
  EXPECT_EQ(reinterpret_cast<std::byte*>(s), block.data() + 192);
}

TEST(Carver, RefusesSizesThatOverflow) {
  expect_invalid_shape([] { Carver(nullptr).take<float>(kMax / 2); }, "scratch");
  expect_invalid_shape([] { Carver(nullptr).take<float>(-1); }, "scratch");
  // Each piece fits 64 bits, the last rounding or the sum does not.
  expect_invalid_shape([] { Carver(nullptr).take<char>(kMax); }, "scratch");
  expect_invalid_shape(
      [] {
        Carver c(nullptr);
        c.take<char>(kMax - 64);
        c.take<char>(kMax - 64);
      },
      "scratch");
}

}  // namespace
}  // namespace sns
