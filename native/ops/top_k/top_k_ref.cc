#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "ops/top_k/top_k.h"

namespace sns {

void top_k_ref(const float* vectors, int64_t count, int64_t dim, const TopKArgs& a) {
  std::vector<double> score(static_cast<size_t>(count));
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t q = 0; q < a.n; ++q) {
    for (int64_t v = 0; v < count; ++v) {
      double sum = 0;
      for (int64_t i = 0; i < dim; ++i) {
        sum += static_cast<double>(a.queries[q * dim + i]) * vectors[v * dim + i];
      }
      score[static_cast<size_t>(v)] = sum;
    }
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) {
      return score[static_cast<size_t>(x)] > score[static_cast<size_t>(y)];
    });
    for (int64_t r = 0; r < a.k; ++r) {
      const bool there = r < count;
      const int64_t id = there ? order[static_cast<size_t>(r)] : -1;
      a.ids[q * a.k + r] = id;
      a.scores[q * a.k + r] = there ? static_cast<float>(score[static_cast<size_t>(id)])
                                    : -std::numeric_limits<float>::infinity();
    }
  }
}

}  // namespace sns
