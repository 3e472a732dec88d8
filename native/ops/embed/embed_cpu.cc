#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/embed/embed_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/embed/embed.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void EmbedRows(const EmbedArgs& a, int64_t begin, int64_t end) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = begin; i < end; ++i) {
    const float* row = a.table + a.ids[i] * a.dim;
    float* y = a.y + i * a.ldy;
    if (i + 2 < end) {  // the next rows are anywhere in the table
      const float* next = a.table + a.ids[i + 2] * a.dim;
      for (int64_t c = 0; c < a.dim; c += 16) __builtin_prefetch(next + c);
    }
    int64_t c = 0;
    if (a.position) {
      const float* position = a.position + i * a.dim;
      for (; c + lanes <= a.dim; c += lanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, row + c), hn::LoadU(d, position + c)), d, y + c);
      }
      for (; c < a.dim; ++c) y[c] = row[c] + position[c];
    } else {
      for (; c + lanes <= a.dim; c += lanes) hn::StoreU(hn::LoadU(d, row + c), d, y + c);
      for (; c < a.dim; ++c) y[c] = row[c];
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

int64_t embed_first_invalid(const EmbedArgs& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    if (a.ids[i] < 0 || a.ids[i] >= a.vocabulary) return i;
  }
  return -1;
}

void embed_cpu(const EmbedArgs& a, Parallel& parallel) {
  const auto kernel = SNS_DISPATCH(EmbedRows);
  const int64_t chunk = std::max<int64_t>(1, (int64_t{1} << 15) / std::max<int64_t>(1, a.dim));  // 128 KiB
  parallel_for(parallel, ceil_div(a.count, chunk),
               [&](int64_t i, int) { kernel(a, i * chunk, std::min(a.count, (i + 1) * chunk)); });
}

}  // namespace sns
#endif
