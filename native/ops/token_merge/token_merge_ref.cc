#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "ops/token_merge/token_merge.h"
#include "ops/vector_quantize/exact.h"

namespace sns {

void token_merge_ref(const TokenMergeArgs& args, double* y, double* y_size, int32_t* y_index) {
  const int64_t a_rows = (args.rows + 1) / 2, b_rows = args.rows / 2, kept = a_rows - args.merge;
  const auto metric = [&](int64_t row) { return args.metric + row * args.ld_metric; };

  std::vector<double> similarity(static_cast<size_t>(a_rows), -std::numeric_limits<double>::infinity());
  std::vector<int64_t> target(static_cast<size_t>(a_rows), 0), order;
  for (int64_t a = 0; a < a_rows && args.merge > 0; ++a) {
    if (2 * a < args.protect) continue;
    order.push_back(a);
    const double a_scale = inverse_norm(metric(2 * a), args.metric_dim);
    target[static_cast<size_t>(a)] = args.protect / 2;  // the first that is not protected
    for (int64_t b = args.protect / 2; b < b_rows; ++b) {
      const float* key = metric(2 * b + 1);
      const double s =
          exact_dot(metric(2 * a), a_scale, key, inverse_norm(key, args.metric_dim), args.metric_dim);
      if (s > similarity[static_cast<size_t>(a)]) {
        similarity[static_cast<size_t>(a)] = s;
        target[static_cast<size_t>(a)] = b;
      }
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](int64_t p, int64_t q) {
    return similarity[static_cast<size_t>(p)] > similarity[static_cast<size_t>(q)];
  });
  std::vector<bool> merged(static_cast<size_t>(a_rows), false);
  for (int64_t i = 0; i < args.merge; ++i) merged[static_cast<size_t>(order[static_cast<size_t>(i)])] = true;

  const auto size = [&](int64_t row) { return args.size ? static_cast<double>(args.size[row]) : 1.0; };
  std::fill(y, y + (args.rows - args.merge) * args.dim, 0.0);
  std::fill(y_size, y_size + (args.rows - args.merge), 0.0);
  int64_t next = 0;
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t pair = row / 2;
    int64_t to = kept + pair;  // a B row
    if (row % 2 == 0) {
      to = merged[static_cast<size_t>(pair)] ? kept + target[static_cast<size_t>(pair)] : next++;
    }
    for (int64_t i = 0; i < args.dim; ++i) y[to * args.dim + i] += size(row) * args.x[row * args.ldx + i];
    y_size[to] += size(row);
    if (y_index) y_index[row] = static_cast<int32_t>(to);
  }
  for (int64_t r = 0; r < args.rows - args.merge; ++r) {
    for (int64_t i = 0; i < args.dim; ++i) y[r * args.dim + i] /= y_size[r];
  }
}

}  // namespace sns
