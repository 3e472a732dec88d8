#pragma once

#include <initializer_list>

#include "core/device_block.h"
#include "pipeline/blocks.h"
#include "pipeline/cuda/device.h"

namespace sns {

// The parts of the device pipeline: pipeline/blocks.h on the GPU. Weights are uploaded when the model is
// made; run() only gives work to a stream, and all pointers that it takes are device pointers.

/// Device memory that an op may use while it runs.
struct CudaScratch {
  void* data = nullptr;
  int64_t bytes = 0;
};

/// y = x·Wᵀ + b + residual.
class CudaLinear {
 public:
  CudaLinear() = default;
  /// `weight` [out, in] and `bias` [out] or null, on the host; parts as linear_cuda_bytes has them.
  CudaLinear(const CudaDevicePtr& device, const float* weight, const float* bias, int64_t out, int64_t in,
             int parts = 2);
  CudaLinear(const CudaDevicePtr& device, const Affine& affine, int64_t out, int64_t in, int parts = 2)
      : CudaLinear(device, affine.weight, affine.bias, out, in, parts) {}
  /// Layers that read the same input, as one: their outputs stand side by side.
  static CudaLinear side_by_side(const CudaDevicePtr& device, std::initializer_list<Affine> parts,
                                 std::initializer_list<int64_t> outs, int64_t in);
  const LinearCudaWeights& weights() const { return weights_; }
  int64_t out() const { return weights_.out; }
  int64_t in() const { return weights_.in; }
  /// `residual`: row stride ldy; may be y.
  void run(const CudaStream& stream, const float* x, int64_t ldx, int64_t rows, float* y, int64_t ldy,
           const float* residual = nullptr) const;

 private:
  CudaBlock block_;
  LinearCudaWeights weights_;
};

/// y = down(activation(up(x))) + residual, dense rows. Nothing overlaps but the residual, which may be y.
void cuda_mlp(const CudaStream& stream, const CudaLinear& up, const CudaLinear& down, Activation activation,
              const float* x, int64_t rows, float* y, const float* residual, const CudaScratch& scratch);
int64_t cuda_mlp_scratch(const CudaDevice& device, const CudaLinear& up, int64_t max_rows);

/// Layer norm or RMS norm of dense rows.
class CudaNorm {
 public:
  CudaNorm() = default;
  CudaNorm(const CudaDevicePtr& device, const Affine& affine, int64_t dim, float eps,
           Norm::Kind kind = Norm::Kind::kLayer);
  /// y may be x.
  void run(const CudaStream& stream, const float* x, int64_t rows, float* y) const;

 private:
  CudaArray<float> gamma_, beta_;
  int64_t dim_ = 0;
  float eps_ = 0;
  Norm::Kind kind_ = Norm::Kind::kLayer;
};

/// Offsets of packed sequences, on the host and on the device. Launches are made for `rows` and `longest`,
/// which are those of the request's bucket: what is computed past the last row is never read.
struct CudaOffsets {
  const int64_t* host = nullptr;
  const int64_t* device = nullptr;
  int64_t count = 0;    ///< of sequences
  int64_t rows = 0;     ///< at least host[count]
  int64_t longest = 0;  ///< at least the rows of any sequence
};
/// Copies offsets [count + 1] into the block.
CudaOffsets put_offsets(DeviceBlock& block, const int64_t* offsets, int64_t count, int64_t rows,
                        int64_t longest);

/// Which keys count, and how often (AttentionArgs).
struct CudaAttentionKeys {
  bool causal = false;
  const float* weight = nullptr;
};
/// Attention over packed sequences; keys and values stand side by side in rows of ldkv, y is dense.
void cuda_attention(const CudaStream& stream, const AttentionShape& shape, const float* q, int64_t ldq,
                    const float* kv, int64_t ldkv, float* y, const CudaOffsets& cu_q, const CudaOffsets& cu_k,
                    const CudaScratch& scratch, const CudaAttentionKeys& keys = {});
/// The same of any arguments, whose precision is the stream's; cu_q and cu_k are those of the offsets.
void cuda_attention(const CudaStream& stream, const AttentionArgs& args, const CudaOffsets& cu_q,
                    const CudaOffsets& cu_k, const CudaScratch& scratch);
/// Bytes of scratch for this shape with up to so many queries and keys in all.
int64_t cuda_attention_scratch(const CudaDevice& device, const AttentionShape& shape, int64_t max_q,
                               int64_t max_k, int64_t max_sequences);

/// Learned rows repeated for every sequence (RepeatedRows on the device): sequence s gets the first
/// cu[s+1] − cu[s] of them.
class CudaRepeat {
 public:
  void put(DeviceBlock& block, const float* table, int64_t width, const CudaOffsets& cu);
  void run(const CudaStream& stream, float* y) const;

 private:
  const PackSegment* segments_ = nullptr;
  int64_t count_ = 0, width_ = 0, longest_ = 0;
};

}  // namespace sns
