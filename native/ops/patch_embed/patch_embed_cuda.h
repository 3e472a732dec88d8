#pragma once

#include "core/precision.h"
#include "ops/linear/linear_cuda.h"
#include "ops/patch_embed/patch_embed.h"

namespace sns {

/// What the pixels are; weights are folded and ordered for it.
enum class PixelSource : int32_t {
  kU8Interleaved = 0,      ///< bytes, stride_c = 1 and stride_x = channels
  kF32Planar = 1,          ///< floats still to be normalised, stride_x = 1
  kF32PlanarFinished = 2,  ///< finished floats (PatchEmbedArgs::normalised), stride_x = 1
  kF32Transposed = 3,      ///< likewise to be normalised, stride_y = 1: a [time, mel] spectrogram
};

/// The normalisation is folded into weights and bias, and the columns of W follow the pixels in memory. Bytes
/// are centred by an integer of their channel, which leaves them exact in bfloat16: two passes (hi, lo) are
/// STRICT. Floats take linear's three.
struct PatchEmbedCudaWeights {
  LinearCudaWeights linear;  ///< of W·scale; bias = b + W·(shift + centre·scale)
  const int32_t* element =
      nullptr;  ///< [in_padded] dx | dy << 12 | c << 24 | t << 28 of column k; padding repeats the last
  const float* centre = nullptr;  ///< [in_padded] what is taken from a byte of column k
  int32_t run = 0;                ///< columns of W that lie side by side in memory
  PatchGeometry geometry;         ///< its frames are those of this part
  int64_t first_frame = 0;        ///< of this part; behind the first one it adds to y
  PixelSource source = PixelSource::kU8Interleaved;
};

/// Most frames that one run of the kernel multiplies. Patches of more are made in parts: runs over so many
/// frames each, one after the other, with weights of their own.
constexpr int64_t kPatchEmbedCudaFrames = 16;
constexpr int64_t patch_embed_cuda_parts(const PatchGeometry& geometry) {
  return ceil_div(geometry.frames, kPatchEmbedCudaFrames);
}
size_t patch_embed_cuda_bytes(const PatchGeometry& geometry, int64_t out, int64_t part);
/// Arguments as PatchEmbedWeights', of the whole patch; host memory. Throws kInvalidArgument on patches of
/// more than 4096 rows or columns.
PatchEmbedCudaWeights pack_patch_embed_cuda(const PatchGeometry& geometry, PixelSource source,
                                            const float* weight, const float* bias, int64_t out,
                                            const float* scale, const float* shift, int64_t part, void* host,
                                            void* device);

/// One picture of a batch. Its patches are rows first_row, first_row + 1 … of the batch.
struct PatchEmbedCudaItem {
  const void* data = nullptr;
  int64_t stride_y = 0, stride_x = 0, stride_c = 0;  ///< elements
  int64_t grid_w = 0;
  const float* position = nullptr;  ///< [grid_h·grid_w, out] dense, or null
  float* y = nullptr;               ///< [grid_h·grid_w, out], row stride ldy
  int64_t ldy = 0;
  int64_t first_row = 0;
  int64_t stride_t = 0;  ///< elements; 0: one picture in every frame of a patch
};
struct PatchEmbedCudaArgs {
  const PatchEmbedCudaItem* items = nullptr;  ///< device array [count], first_row ascending from 0
  int64_t count = 0;
  const int64_t* rows = nullptr;  ///< device: patches of all items
  int64_t max_rows = 0;           ///< at least *rows
};

/// One part.
int patch_embed_cuda(const PatchEmbedCudaWeights& w, const PatchEmbedCudaArgs& args, Precision precision,
                     void* stream);

}  // namespace sns
