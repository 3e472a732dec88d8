#include <memory>

#include "abi/guard.h"
#include "abi/handles.h"
#include "ops/finite/finite.h"

namespace sns {
namespace {

void check_rows(const char* name, const float* values, const char* count_name, int64_t rows, int64_t dim) {
  if (rows < 0) invalid(count_name, std::to_string(rows) + " is negative");
  const int64_t count = checked_mul(rows, dim, count_name);
  if (count == 0) return;
  check_finite(name, not_null(values, name), count);
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_index_create(sns_engine engine, const float* vectors, int64_t count, int64_t dim,
                         sns_index* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(out, "out");
    if (dim < 1) sns::invalid("dim", std::to_string(dim) + " is below 1");
    sns::check_rows("vectors", vectors, "count", count, dim);
    auto index = std::make_unique<sns_index_t>();
    index->engine = engine->engine;
    index->dim = dim;
    if (const auto& cuda = engine->engine->cuda()) {
      index->cuda = std::make_unique<sns::CudaSearch>(cuda, vectors, count, dim);
    } else {
      index->vectors = std::make_unique<const sns::TopKVectors>(vectors, count, dim);
    }
    *out = index.release();
  });
}

int32_t sns_index_search(sns_index index, const float* queries, int64_t n, int64_t k, int64_t* ids,
                         float* scores) {
  return sns::guard([&] {
    sns::not_null(index, "index");
    if (k < 1 || k > sns::kMaxTopK) {
      sns::invalid("k", std::to_string(k) + " is not in [1, " + std::to_string(sns::kMaxTopK) + "]");
    }
    sns::check_rows("queries", queries, "n", n, index->dim);
    sns::checked_mul(n, k, "n");
    if (n == 0) return;
    sns::TopKArgs a;
    a.queries = queries;
    a.n = n;
    a.k = k;
    a.ids = sns::not_null(ids, "ids");
    a.scores = sns::not_null(scores, "scores");
    if (index->cuda) {
      index->cuda->run(a);
      return;
    }
    sns::Engine& e = *index->engine;
    auto scratch = e.lease(sns::top_k_scratch(*index->vectors, a, e.threads()));
    sns::top_k_cpu(*index->vectors, a, scratch.data(), e.parallel());
  });
}

void sns_index_destroy(sns_index index) { delete index; }

}  // extern "C"
