#pragma once

#include "ops/linear/linear_cuda.h"
#include "ops/vector_quantize/vector_quantize.h"

namespace sns {

/// A codebook on the device. The screen is that of nearest.h with bfloat16 high and low parts on tensor
/// cores; what it cannot rule out is ranked in float64, so that ids are the oracle's.
struct CodebookCuda {
  int64_t size = 0, dim = 0;
  CodeMetric metric = CodeMetric::kL2;
  const float* codes = nullptr;      ///< [size, dim] as given: what float64 ranks by
  const float* quantized = nullptr;  ///< [size, dim] cosine: normalised; else as given
  const double* scale = nullptr;     ///< [size] 1/‖c‖; cosine only
  LinearCudaWeights screen;          ///< of c − μ, [size, dim]; bias = −½‖c − μ‖²
  const float* mean = nullptr;       ///< [dim] μ, taken from rows too
  const float* max_norm = nullptr;   ///< max ‖c − μ‖; infinite where floats cannot screen
};
size_t codebook_cuda_bytes(int64_t size, int64_t dim, CodeMetric metric);
/// `codes` [size, dim] is host memory.
CodebookCuda pack_codebook_cuda(const float* codes, int64_t size, int64_t dim, CodeMetric metric, void* host,
                                void* device);

size_t vector_quantize_cuda_workspace(const CodebookCuda& codebook, int64_t rows);
/// vector_quantize_cpu on the GPU.
int vector_quantize_cuda(const CodebookCuda& codebook, const VectorQuantizeArgs& args, void* workspace,
                         void* stream);

/// residual_quantize_cpu on the GPU; `stages` [count] is host memory.
size_t residual_quantize_cuda_workspace(const CodebookCuda* stages, int64_t count, int64_t rows);
int residual_quantize_cuda(const CodebookCuda* stages, int64_t count, const float* x, int64_t rows,
                           int64_t ldx, int64_t* ids, void* workspace, void* stream);
/// What codes [·, dim] leave over of rows x: left [rows, dim] = x − the row's code, ids in range; left may be
/// x.
int leave_codes_cuda(const float* codes, int64_t dim, const int64_t* ids, int64_t id_stride, const float* x,
                     int64_t rows, int64_t ldx, float* left, void* stream);
/// residual_decode_cpu on the GPU; ids must be in range.
int residual_decode_cuda(const CodebookCuda* stages, int64_t count, const int64_t* ids, int64_t rows,
                         float* y, int64_t ldy, void* stream);

/// fsq_encode_cpu and fsq_decode_cpu on the GPU; `levels` [dim] is host memory and valid.
int fsq_encode_cuda(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                    void* stream);
int fsq_decode_cuda(const int32_t* levels, int64_t dim, const int64_t* ids, int64_t rows, float* y,
                    void* stream);

}  // namespace sns
