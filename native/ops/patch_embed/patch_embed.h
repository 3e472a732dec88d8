#pragma once

#include "ops/linear/linear.h"
#include "ops/patch_embed/patch_embed_bytes.h"

namespace sns {

/// Order in which a patch is flattened; it must match the weights.
enum class PatchOrder : int32_t {
  /// (c t p1 p2): a Conv3d weight [d, c, t, p1, p2], or with one frame a Conv2d weight [d, c, p1, p2];
  /// Qwen2-VL
  kChannelFirst = 0,
  /// (t p1 p2 c): einops 'b c (h p1) (w p2) -> b (h w) (p1 p2 c)', SigLIP2-NaFlex; frames follow each other
  kChannelLast = 1,
};

/// A Conv2d without padding: grid = ⌊(size − patch)/stride⌋ + 1, remainders at the right and bottom are
/// dropped. With several frames a Conv3d whose kernel covers all frames of the image.
struct PatchGeometry {
  int64_t channels = 3;
  int64_t patch_h = 16, patch_w = 16;
  int64_t stride_h = 16, stride_w = 16;
  PatchOrder order = PatchOrder::kChannelFirst;
  int64_t frames = 1;
  int64_t grid_h(int64_t height) const { return height < patch_h ? 0 : (height - patch_h) / stride_h + 1; }
  int64_t grid_w(int64_t width) const { return width < patch_w ? 0 : (width - patch_w) / stride_w + 1; }
  int64_t patch_size() const { return channels * frames * patch_h * patch_w; }
};

/// An image anywhere in memory: element (t, c, y, x) is data[t·stride_t + c·stride_c + y·stride_y +
/// x·stride_x], t < geometry.frames; stride_t = 0 shows one picture in every frame. One description serves
/// HWC bytes, CHW floats and a [time, mel] spectrogram read as (frequency, time).
struct ImageView {
  const void* data = nullptr;
  bool u8 = true;  ///< else float
  int64_t height = 0, width = 0;
  int64_t stride_y = 0, stride_x = 0, stride_c = 0, stride_t = 0;
};

/// Projection and per-channel normalisation v ↦ v·scale[c] + shift[c]; for bytes with mean μ and deviation σ
/// of the [0,1] range: scale = 1/(255σ), shift = −μ/σ.
class PatchEmbedWeights {
 public:
  static constexpr int64_t kMaxChannels = 16;
  PatchEmbedWeights() = default;
  /// `weight` is [out, patch_size] in geometry.order, `bias` [out] or null, scale/shift [channels]. All
  /// copied.
  PatchEmbedWeights(const PatchGeometry& geometry, const float* weight, const float* bias, int64_t out,
                    const float* scale, const float* shift, Precision precision = Precision::kStrict);
  const PatchGeometry& geometry() const { return geometry_; }
  const LinearWeights& linear() const { return linear_; }
  const float* scale() const { return scale_; }
  const float* shift() const { return shift_; }
  const PatchEmbedBytes& bytes() const { return bytes_; }

 private:
  PatchGeometry geometry_;
  LinearWeights linear_;
  PatchEmbedBytes bytes_;
  float scale_[kMaxChannels] = {}, shift_[kMaxChannels] = {};
};

/// y[gy·grid_w + gx, :] = W·flatten(normalise(patch)) + b + position[gy·grid_w + gx, :]
struct PatchEmbedArgs {
  ImageView image;
  const float* position = nullptr;  ///< [grid_h·grid_w, out] dense, or null
  float* y = nullptr;               ///< [grid_h·grid_w, out], row stride ldy
  int64_t ldy = 0;
  bool normalised = false;  ///< the image holds finished pixel values: scale and shift are not applied
};

/// kStrict's bound; kFast's is kLinearFastNmse.
constexpr double kPatchEmbedNmse = 1e-10;

size_t patch_embed_scratch(const PatchEmbedWeights& w, int64_t height, int64_t width, int threads);
void patch_embed_cpu(const PatchEmbedWeights& w, const PatchEmbedArgs& args, void* scratch,
                     Parallel& parallel);

/// float64 oracle; y is dense [grid_h·grid_w, out].
void patch_embed_ref(const PatchGeometry& geometry, const float* weight, const float* bias, int64_t out,
                     const float* scale, const float* shift, const PatchEmbedArgs& args, double* y);

}  // namespace sns
