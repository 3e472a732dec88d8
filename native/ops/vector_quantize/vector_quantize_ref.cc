#include <limits>

#include "ops/vector_quantize/exact.h"
#include "ops/vector_quantize/vector_quantize.h"

namespace sns {

void vector_quantize_ref(const float* codes, int64_t size, int64_t dim, CodeMetric metric, const float* x,
                         int64_t rows, int64_t ldx, int64_t* ids) {
  const bool cosine = metric == CodeMetric::kCosine;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * ldx;
    const double x_scale = cosine ? inverse_norm(row, dim) : 1.0;
    double best = std::numeric_limits<double>::infinity();
    ids[r] = 0;
    for (int64_t j = 0; j < size; ++j) {
      const float* code = codes + j * dim;
      const double distance = exact_distance(row, x_scale, code, cosine ? inverse_norm(code, dim) : 1.0, dim);
      if (distance < best) {
        best = distance;
        ids[r] = j;
      }
    }
  }
}

}  // namespace sns
