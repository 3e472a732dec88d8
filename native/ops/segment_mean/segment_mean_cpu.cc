#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/segment_mean/segment_mean_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/segment_mean/segment_mean.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;
constexpr int64_t kLanes = hn::MaxLanes(Floats());
constexpr int64_t kRowBlock = 64;

/// Vectors of columns whose sums stay in registers.
constexpr int kVecs = HWY_TARGET == HWY_AVX3 ? 8 : 4;

int64_t MeanColumns() { return kVecs * kLanes; }

// kVecs·kLanes columns of one mean. Sums of 64 rows are summed, 64 of them again, then those.
void MeanTile(const float* x, int64_t ldx, int64_t rows, float* y) {
  const Floats d;
  Vec total[kVecs];
  for (int i = 0; i < kVecs; ++i) total[i] = hn::Zero(d);
  for (int64_t outer = 0; outer < rows; outer += kRowBlock * kRowBlock) {
    const int64_t outer_end = HWY_MIN(rows, outer + kRowBlock * kRowBlock);
    Vec middle[kVecs];
    for (int i = 0; i < kVecs; ++i) middle[i] = hn::Zero(d);
    for (int64_t block = outer; block < outer_end; block += kRowBlock) {
      const int64_t end = HWY_MIN(outer_end, block + kRowBlock);
      Vec sum[kVecs];
      for (int i = 0; i < kVecs; ++i) sum[i] = hn::Zero(d);
      for (int64_t r = block; r < end; ++r) {
        for (int i = 0; i < kVecs; ++i) sum[i] = hn::Add(sum[i], hn::LoadU(d, x + r * ldx + i * kLanes));
      }
      for (int i = 0; i < kVecs; ++i) middle[i] = hn::Add(middle[i], sum[i]);
    }
    for (int i = 0; i < kVecs; ++i) total[i] = hn::Add(total[i], middle[i]);
  }
  const Vec n = hn::Set(d, static_cast<float>(rows));
  for (int i = 0; i < kVecs; ++i) hn::StoreU(hn::Div(total[i], n), d, y + i * kLanes);
}

// The same for any number of columns.
void MeanSome(const float* x, int64_t ldx, int64_t rows, int64_t columns, float* y) {
  for (int64_t c = 0; c < columns; ++c) {
    float total = 0;
    for (int64_t outer = 0; outer < rows; outer += kRowBlock * kRowBlock) {
      const int64_t outer_end = HWY_MIN(rows, outer + kRowBlock * kRowBlock);
      float middle = 0;
      for (int64_t block = outer; block < outer_end; block += kRowBlock) {
        const int64_t end = HWY_MIN(outer_end, block + kRowBlock);
        float sum = 0;
        for (int64_t r = block; r < end; ++r) sum += x[r * ldx + c];
        middle += sum;
      }
      total += middle;
    }
    y[c] = total / static_cast<float>(rows);
  }
}

void MeanTask(const SegmentMeanArgs& a, int64_t segment, int64_t column, int64_t columns) {
  const Segment& s = a.segments[segment];
  const float* x = a.x + s.first * a.ldx + column;
  float* y = a.y + segment * a.ldy + column;
  if (s.count <= 0) {
    for (int64_t c = 0; c < columns; ++c) y[c] = 0;
  } else if (columns == kVecs * kLanes) {
    MeanTile(x, a.ldx, s.count, y);
  } else {
    MeanSome(x, a.ldx, s.count, columns, y);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "backend/cpu/dispatch.h"
#include "core/checked.h"

namespace sns {

void segment_mean_cpu(const SegmentMeanArgs& a, Parallel& parallel) {
  if (a.dim == 0) return;
  const auto task = SNS_DISPATCH(MeanTask);
  const int64_t width = SNS_DISPATCH(MeanColumns)();
  const int64_t tiles = ceil_div(a.dim, width);
  parallel_for(parallel, a.segment_count * tiles, [&](int64_t i, int) {
    const int64_t column = i % tiles * width;
    task(a, i / tiles, column, std::min(width, a.dim - column));
  });
}

}  // namespace sns
#endif
