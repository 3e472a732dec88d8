#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/device_block.h"
#include "ops/vector_quantize/exact.h"
#include "ops/vector_quantize/vector_quantize_cuda.h"

namespace sns {
namespace {

struct Places {
  float *codes, *quantized, *mean, *max_norm;
  double* scale;
  void *host, *device;  ///< of the screen
};

Places lay_out(int64_t size, int64_t dim, CodeMetric metric, DeviceBlock& block, CodebookCuda* c) {
  const int64_t count = checked_mul(size, dim, "codebook");
  const bool cosine = metric == CodeMetric::kCosine;
  Places p{};
  p.codes = block.take(count, &c->codes);
  if (cosine) {
    p.quantized = block.take(count, &c->quantized);
    p.scale = block.take(size, &c->scale);
  } else {
    c->quantized = c->codes;
  }
  p.mean = block.take(dim, &c->mean);
  p.max_norm = block.take(1, &c->max_norm);
  const std::byte* device;
  p.host = block.take(static_cast<int64_t>(linear_cuda_bytes(size, dim)), &device);
  p.device = const_cast<std::byte*>(device);
  return p;
}

}  // namespace

size_t codebook_cuda_bytes(int64_t size, int64_t dim, CodeMetric metric) {
  DeviceBlock block(nullptr, nullptr);
  CodebookCuda c;
  lay_out(size, dim, metric, block, &c);
  return block.bytes();
}

CodebookCuda pack_codebook_cuda(const float* codes, int64_t size, int64_t dim, CodeMetric metric, void* host,
                                void* device) {
  DeviceBlock block(host, device);
  CodebookCuda c;
  c.size = size, c.dim = dim, c.metric = metric;
  const Places p = lay_out(size, dim, metric, block, &c);
  std::copy(codes, codes + size * dim, p.codes);
  std::vector<double> scale(static_cast<size_t>(size), 1.0);
  if (p.scale) {
    for (int64_t j = 0; j < size; ++j) {
      scale[static_cast<size_t>(j)] = p.scale[j] = inverse_norm(codes + j * dim, dim);
      for (int64_t i = 0; i < dim; ++i) {
        p.quantized[j * dim + i] = static_cast<float>(codes[j * dim + i] * p.scale[j]);
      }
    }
  }
  for (int64_t i = 0; i < dim; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < size; ++j) sum += codes[j * dim + i] * scale[static_cast<size_t>(j)];
    p.mean[i] = static_cast<float>(sum / static_cast<double>(size));
  }
  std::vector<float> centred(static_cast<size_t>(size * dim)), minus_half(static_cast<size_t>(size));
  double most = 0;
  for (int64_t j = 0; j < size; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < dim; ++i) {
      const double v = codes[j * dim + i] * scale[static_cast<size_t>(j)] - static_cast<double>(p.mean[i]);
      centred[static_cast<size_t>(j * dim + i)] = static_cast<float>(v);
      sum += v * v;
    }
    minus_half[static_cast<size_t>(j)] = static_cast<float>(-0.5 * sum);
    most = std::isfinite(sum) ? std::max(most, sum) : std::numeric_limits<double>::infinity();
  }
  // Magnitudes between these bounds neither overflow nor lose products to subnormals.
  const double norm = std::sqrt(most) * (1 + 1e-6);
  const bool screenable = norm < 1e15 && (norm > 1e-15 || norm == 0);
  *p.max_norm = screenable ? static_cast<float>(norm) : std::numeric_limits<float>::infinity();
  c.screen = pack_linear_cuda(centred.data(), minus_half.data(), size, dim, p.host, p.device);
  return c;
}

}  // namespace sns
