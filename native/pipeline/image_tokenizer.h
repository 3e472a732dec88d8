#pragma once

#include "pipeline/config.h"
#include "pipeline/image_resize.h"
#include "pipeline/weights.h"

namespace sns {

struct ImageTensors {
  const float *weight = nullptr, *bias = nullptr, *prefix = nullptr, *position = nullptr;
  const float *fourier_weight = nullptr, *fourier_bias = nullptr;
  Precision precision = Precision::kStrict;
};
ImageTensors take_image(const ImageConfig& config, int64_t d_model, WeightReader& reader);

/// Channels of a token that the patch itself fills: concatenated positions fill the others.
int64_t patch_width(const ImageConfig& config, int64_t d_model);
/// The patch's weight [d_model, patch]; of the channels that it does not fill zeros.
AlignedArray<float> patch_weight(const ImageConfig& config, int64_t d_model, const ImageTensors& tensors);

/// Resize → normalise → patches → projection → positions. The modality embedding is folded into whatever is
/// added anyway (position table, else bias; prefix tokens), so that it costs no pass of its own.
class ImageTokenizer {
 public:
  struct Shape {
    ResizePlan resize;  ///< of bytes; finished pixel values are taken as they are
    int64_t grid_h = 0, grid_w = 0;
  };

  /// `modality` [d_model] or null.
  ImageTokenizer(const ImageConfig& config, int64_t d_model, const ImageTensors& tensors,
                 const float* modality);
  const ImageConfig& config() const { return config_; }
  const PatchEmbedWeights& patch() const { return patch_; }
  /// Finished prefix tokens [prefix_tokens, d_model].
  const float* prefix() const { return prefix_.data(); }
  /// Patches of an image; throws kInvalidShape when it is smaller than one, or has another grid than learned
  /// positions that are not interpolated.
  Shape shape(Format format, int64_t height, int64_t width) const;
  /// Upper bound of the patches of any image within the limits.
  int64_t max_patches(int64_t max_pixels, int64_t max_tokens) const;
  size_t scratch(int64_t max_pixels, int64_t max_tokens, int threads) const;
  /// What a session holds for resized bytes.
  ResizeSpace resize_space(int64_t max_pixels, int threads) const;

  /// Whether positions are made for each grid: interpolated, sine-cosine or Fourier.
  bool makes_positions() const;
  /// Learned positions of the model's own grid [grid, d_model] with the modality, or null.
  const float* own_positions(int64_t grid_h, int64_t grid_w) const;
  /// The resize that makes learned positions of another grid: only its y is still to be set.
  ResizeF32Args interpolation(int64_t grid_h, int64_t grid_w) const;
  /// Learned positions of another grid into y [grid_h*grid_w, d_model].
  void interpolate(int64_t grid_h, int64_t grid_w, float* y, void* scratch, Parallel& parallel) const;

  /// Fourier positions of a grid into y [grid_h*grid_w, d_model]; `features` has room for as many rows of
  /// feature_width().
  void fourier(int64_t grid_h, int64_t grid_w, float* features, float* y, void* scratch,
               Parallel& parallel) const;
  /// Fourier features that are projected before they are added; 0 with other positions.
  int64_t feature_width() const;
  /// The layer that projects them.
  const LinearWeights& fourier_layer() const { return fourier_; }
  /// [d_model] what concatenated positions carry; null: nothing.
  const float* concat_modality() const { return concat_modality_.data(); }

  /// `format` is an image's. `positions` [grid, d_model] already carry the modality, or null. `pixels` has
  /// room for the resized bytes of all frames of a patch. Writes y [grid, d_model], row stride d_model.
  void run(Format format, const void* data, const Shape& shape, int64_t height, int64_t width,
           const float* positions, uint8_t* pixels, float* y, void* scratch, Parallel& parallel) const;

 private:
  ImageConfig config_;
  int64_t d_model_;
  PatchEmbedWeights patch_;
  AlignedArray<float> prefix_, position_;
  LinearWeights fourier_;                ///< of features that are added
  AlignedArray<float> concat_modality_;  ///< [d_model] or empty: of features that are concatenated
};

}  // namespace sns
