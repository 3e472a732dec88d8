#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/pack/pack_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/pack/pack.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <bool kModality, bool kPosition>
void PackRow(const float* row, const float* modality, const float* position, int64_t dim, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= dim; c += lanes) {
    auto v = hn::LoadU(d, row + c);
    if constexpr (kModality) v = hn::Add(v, hn::LoadU(d, modality + c));
    if constexpr (kPosition) v = hn::Add(v, hn::LoadU(d, position + c));
    hn::StoreU(v, d, y + c);
  }
  for (; c < dim; ++c) {
    float v = row[c];
    if constexpr (kModality) v += modality[c];
    if constexpr (kPosition) v += position[c];
    y[c] = v;
  }
}

// Rows [begin, end) of one segment, whose first row lands at y.
void PackRows(const PackSegment& s, int64_t dim, int64_t begin, int64_t end, float* y, int64_t ldy) {
  if (s.rows == y && !s.modality && !s.position) return;  // in place, nothing to add
  for (int64_t i = begin; i < end; ++i) {
    const float* row = s.rows + i * s.ld;
    const float* position = s.position ? s.position + i * dim : nullptr;
    float* to = y + i * ldy;
    if (s.modality && position) {
      PackRow<true, true>(row, s.modality, position, dim, to);
    } else if (s.modality) {
      PackRow<true, false>(row, s.modality, position, dim, to);
    } else if (position) {
      PackRow<false, true>(row, s.modality, position, dim, to);
    } else {
      PackRow<false, false>(row, s.modality, position, dim, to);
    }
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

void pack_cpu(const PackArgs& a, Parallel& parallel) {
  const auto kernel = SNS_DISPATCH(PackRows);
  const int64_t chunk = std::max<int64_t>(1, (int64_t{1} << 15) / std::max<int64_t>(1, a.dim));  // 128 KiB
  int64_t total = 0;
  for (int64_t s = 0; s < a.segment_count; ++s) total += a.segments[s].count;
  // Tasks are runs of output rows, so that many one-row segments and one long one are cut alike.
  parallel_for(parallel, ceil_div(total, chunk), [&](int64_t i, int) {
    const int64_t begin = i * chunk, end = std::min(total, begin + chunk);
    int64_t first = 0;  // of segment s
    for (int64_t s = 0; s < a.segment_count && first < end; first += a.segments[s].count, ++s) {
      const int64_t from = std::max<int64_t>(0, begin - first);
      const int64_t to = std::min(a.segments[s].count, end - first);
      float* const y = a.y ? a.y + first * a.ldy : a.segments[s].y;
      if (from < to) kernel(a.segments[s], a.dim, from, to, y, a.ldy);
    }
  });
}

}  // namespace sns
#endif
