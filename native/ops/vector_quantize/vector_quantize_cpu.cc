#include <algorithm>
#include <cstring>

#include "ops/vector_quantize/exact.h"
#include "ops/vector_quantize/vector_quantize.h"

namespace sns {

Codebook::Codebook(const float* codes, int64_t size, int64_t dim, CodeMetric metric) {
  Serial serial;
  *this = Codebook(codes, size, dim, metric, serial);
}

Codebook::Codebook(const float* codes, int64_t size, int64_t dim, CodeMetric metric, Parallel& parallel)
    : size_(size), dim_(dim), metric_(metric) {
  if (size < 1) throw Error(Code::kInvalidArgument, "size", "a codebook needs at least one code", 1);
  if (dim < 1) throw Error(Code::kInvalidArgument, "dim", "codes need at least one dimension", 1);
  const int64_t count = checked_mul(size, dim, "codebook");
  codes_ = AlignedArray<float>(count);
  std::copy(codes, codes + count, codes_.data());
  packed_.normalise = metric == CodeMetric::kCosine;
  if (packed_.normalise) {
    given_ = AlignedArray<float>(count);
    std::copy(codes, codes + count, given_.data());
    for (int64_t j = 0; j < size; ++j) {
      float* code = codes_.data() + j * dim;
      const double scale = inverse_norm(code, dim);
      for (int64_t i = 0; i < dim; ++i) code[i] = static_cast<float>(code[i] * scale);
    }
  }
  packed_.size = size;
  packed_.dim = packed_.ld = dim;
  packed_.codes = packed_.normalise ? given_.data() : codes_.data();
  Carver count_bytes(nullptr);
  lay_out_codes(packed_, count_bytes);
  block_ = AlignedArray<std::byte>(static_cast<int64_t>(count_bytes.bytes()));
  Carver carver(block_.data());
  lay_out_codes(packed_, carver);
  pack_codes(packed_, parallel);
}

size_t vector_quantize_scratch(const Codebook& codebook, int64_t rows, int threads) {
  Carver c(nullptr);
  c.take<double>(rows);
  return c.bytes() + nearest_scratch(codebook.packed(), threads);
}

void vector_quantize_cpu(const Codebook& codebook, const VectorQuantizeArgs& args, void* scratch,
                         Parallel& parallel) {
  Carver c(scratch);
  double* value = c.take<double>(args.rows);
  NearestArgs nearest;
  nearest.x = args.x;
  nearest.rows = args.rows;
  nearest.ldx = args.ldx;
  nearest.ids = args.ids;
  nearest.value = args.distance ? value : nullptr;
  find_nearest(codebook.packed(), nearest, static_cast<std::byte*>(scratch) + c.bytes(), parallel);
  if (args.distance) {
    for (int64_t r = 0; r < args.rows; ++r) args.distance[r] = static_cast<float>(value[r]);
  }
  if (args.quantized)
    residual_decode_cpu(&codebook, 1, args.ids, args.rows, args.quantized, codebook.dim(), parallel);
}

}  // namespace sns
