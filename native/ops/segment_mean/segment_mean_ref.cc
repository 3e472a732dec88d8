#include <algorithm>

#include "ops/segment_mean/segment_mean.h"

namespace sns {

void segment_mean_ref(const SegmentMeanArgs& a, double* y) {
  std::fill(y, y + a.segment_count * a.dim, 0.0);
  for (int64_t s = 0; s < a.segment_count; ++s) {
    const Segment& segment = a.segments[s];
    double* mean = y + s * a.dim;
    for (int64_t r = segment.first; r < segment.first + segment.count; ++r) {
      for (int64_t c = 0; c < a.dim; ++c) mean[c] += a.x[r * a.ldx + c];
    }
    for (int64_t c = 0; segment.count > 0 && c < a.dim; ++c) mean[c] /= static_cast<double>(segment.count);
  }
}

}  // namespace sns
