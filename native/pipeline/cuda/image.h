#pragma once

#include <array>
#include <vector>

#include "pipeline/cuda/compressor.h"
#include "pipeline/cuda/positions.h"
#include "pipeline/sequence.h"

namespace sns {

/// ImageTokenizer's weights on the GPU.
class CudaImage {
 public:
  CudaImage(const CudaDevicePtr& device, const ImageTokenizer& host, const ImageTensors& tensors,
            int64_t d_model);
  const ImageTokenizer& host() const { return host_; }
  /// The parts of the patch embedding, one after the other.
  const std::vector<PatchEmbedCudaWeights>& patch(Format format) const {
    return format == Format::kF32Chw ? floats_ : bytes_;
  }
  /// Learned positions of the model's own grid with the modality, or null.
  const float* position() const { return position_.data(); }
  /// Projects Fourier features that are added.
  const CudaLinear& fourier() const { return fourier_; }
  /// [d_model] what tokens with concatenated Fourier features carry, zeros if nothing.
  const float* concat() const { return concat_.data(); }

 private:
  const ImageTokenizer& host_;
  std::vector<CudaBlock> blocks_;
  std::vector<PatchEmbedCudaWeights> bytes_, floats_;
  CudaArray<float> position_, concat_;
  CudaLinear fourier_;
};

/// Where one picture of a request is and what it needs on its way.
struct CudaPicture {
  const ItemPlan* plan = nullptr;
  const void* data = nullptr;  ///< on the device
  float* y = nullptr;          ///< its patches' tokens
  uint8_t* pixels = nullptr;   ///< the resized bytes, frame by frame
  void* tables = nullptr;      ///< its extra bytes on the device
  ResizeU8Cuda resize;
  const float* position = nullptr;
  // How its positions are made, if it is the first of its grid in a row of pictures.
  bool makes_position = false;
  ResizeF32Cuda interpolation;
  FourierTables fourier;
};

/// Pictures → tokens, many at once: every picture is resized, then one launch embeds all their patches.
class CudaPictures {
 public:
  CudaPictures(const CudaImage& image, const CudaDevicePtr& device, const SessionLimits& limits,
               const float* modality);
  void lay_out(Carver& carver);
  /// Whether the session's memory is enough for the picture's resize: see Session::check_resize.
  bool fits(const ItemPlan& plan) const;

  /// Bytes that travel with the picture (tables of its resize and positions); `before` is the picture before
  /// it in the batch, or null.
  int64_t extra_bytes(const ItemPlan& plan, const ItemPlan* before) const;
  int64_t most_extra_bytes() const;
  /// Whether the batch so far leaves room for one more picture in the session's memory.
  bool room(int64_t pixel_bytes, const ItemPlan& plan) const;
  /// Of the resized picture and of what is between the passes.
  int64_t pixel_bytes(const ItemPlan& plan) const;
  int64_t parcel_bytes() const;
  /// Whether all such pictures become the same number of tokens.
  bool fixed(const ItemPlan& plan) const;

  struct Batch {
    Format format = Format::kU8Hwc;
    CudaPicture* pictures = nullptr;
    int64_t count = 0;
    PatchEmbedCudaItem* host = nullptr;
    PatchEmbedCudaArgs args;
    // Of the resizes: [kResizePasses, count], or null if there is none; at least the blocks of any first and
    // second pass; and of the pixels what must be zero around pictures that are padded.
    ResizeU8Pass* passes_host = nullptr;
    const ResizeU8Pass* passes = nullptr;
    int64_t most[kResizePasses] = {}, cleared = 0;
    // Of the positions: grids, or interpolations [count] of at most so many floats.
    SinCosGrids grids;
    FourierGrids fourier;
    PackSegment* channels_host = nullptr;  ///< the patch's own channels, which no features fill: one segment
    const PackSegment* channels = nullptr;
    ResizeF32Pass* interpolations_host = nullptr;
    const ResizeF32Pass* interpolations = nullptr;
    int64_t most_interpolated = 0;
    /// All that decides which work the batch is.
    std::array<int64_t, 9> key() const {
      return {args.max_rows, grids.count, grids.longest, fourier.count,    fourier.longest,
              most[0],       most[1],     cleared,       most_interpolated};
    }
  };
  /// Room for the batch's arrays.
  void reserve(DeviceBlock& parcel, Batch& batch) const;
  /// Fills them, once every picture's data, y and tables are known.
  void fill(Batch& batch) const;
  /// Fills the pictures' extra bytes.
  void stage(Batch& batch, DeviceBlock* extra) const;
  void run(const CudaStream& stream, const Batch& batch) const;

 private:
  bool resized(const ItemPlan& plan) const;
  /// Pictures that follow each other in the item.
  int64_t frames(Format format) const {
    return format == Format::kU8Thwc ? image_.host().config().geometry.frames : 1;
  }
  int64_t frame_bytes(const ResizePlan& plan) const;
  int64_t workspace(const ResizePlan& plan) const;
  void put_extra(CudaPicture& picture, const CudaPicture* before, float* positions, DeviceBlock& block) const;
  void add_position(Batch& batch, int64_t picture) const;
  void put_passes(const CudaPicture& picture, Format format, void* workspace, ResizeU8Pass* first,
                  ResizeU8Pass* second) const;
  void make_positions(const CudaStream& stream, const Batch& batch) const;

  const CudaImage& image_;
  SessionLimits limits_;
  int64_t pixel_capacity_ = 0, d_model_ = 0;
  const float* modality_;  ///< what sine-cosine positions carry, on the device
  CudaArray<float> axis_;
  uint8_t* pixels_ = nullptr;   ///< [pixel_capacity_] resized; from its end on down what is between passes
  float* positions_ = nullptr;  ///< [max_tokens, d_model]
  float* features_ = nullptr;   ///< [max_tokens, feature_width] Fourier features that are added
};

}  // namespace sns
