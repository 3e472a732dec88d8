#include "ops/pack/pack.h"

namespace sns {

void pack_ref(const PackArgs& a, double* y) {
  for (int64_t s = 0; s < a.segment_count; ++s) {
    const PackSegment& segment = a.segments[s];
    for (int64_t i = 0; i < segment.count; ++i, y += a.dim) {
      for (int64_t c = 0; c < a.dim; ++c) {
        y[c] = segment.rows[i * segment.ld + c];
        if (segment.modality) y[c] += segment.modality[c];
        if (segment.position) y[c] += segment.position[i * a.dim + c];
      }
    }
  }
}

}  // namespace sns
