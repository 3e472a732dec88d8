#include "pipeline/image_tokenizer.h"

#include <algorithm>

#include "pipeline/fold.h"

namespace sns {

ImageTensors take_image(const ImageConfig& config, int64_t d_model, WeightReader& reader) {
  const PatchGeometry& g = config.geometry;
  ImageTensors t;
  const int64_t patch = checked_mul(
      checked_mul(checked_mul(g.channels, g.frames, "image.temporal_patch"), g.patch_h, "image.patch_h"),
      g.patch_w, "image.patch_w");
  t.weight = reader.take("image.patch.weight", {d_model, patch});
  if (config.has_bias) t.bias = reader.take("image.patch.bias", {d_model});
  if (config.prefix_tokens > 0) t.prefix = reader.take("image.prefix", {config.prefix_tokens, d_model});
  if (config.position == Position::kLearned) {
    const int64_t rows = checked_mul(config.grid_h, config.grid_w, "image.grid_h");
    t.position = reader.take("image.position",
                             {checked_add(config.prefix_tokens, rows, "image.prefix_tokens"), d_model});
  }
  if (config.position == Position::kSinCos && d_model % 4 != 0) {
    throw Error(Code::kInvalidArgument, "d_model", "d_model: 2-D sine-cosine positions need a multiple of 4");
  }
  return t;
}

ImageTokenizer::ImageTokenizer(const ImageConfig& config, int64_t d_model, const ImageTensors& tensors,
                               const float* modality)
    : config_(config), d_model_(d_model) {
  const PatchGeometry& g = config.geometry;
  const bool none = config.position == Position::kNone;
  AlignedArray<float> bias;
  if (tensors.bias || (none && modality)) bias = folded(tensors.bias, 1, d_model, none ? modality : nullptr);
  float scale[PatchEmbedWeights::kMaxChannels], shift[PatchEmbedWeights::kMaxChannels];
  for (int64_t c = 0; c < g.channels; ++c) {
    scale[c] = static_cast<float>(1.0 / (255.0 * static_cast<double>(config.std[c])));
    shift[c] = static_cast<float>(-static_cast<double>(config.mean[c]) / static_cast<double>(config.std[c]));
  }
  patch_ = PatchEmbedWeights(g, tensors.weight, bias.data(), d_model, scale, shift);

  const int64_t prefix_tokens = config.prefix_tokens;
  prefix_ = folded(tensors.prefix, prefix_tokens, d_model, modality);
  if (tensors.position) {
    for (int64_t i = 0; i < prefix_tokens * d_model; ++i) prefix_[i] += tensors.position[i];
    position_ =
        folded(tensors.position + prefix_tokens * d_model, config.grid_h * config.grid_w, d_model, modality);
  }
}

ImageTokenizer::Shape ImageTokenizer::shape(Format format, int64_t height, int64_t width) const {
  const PatchGeometry& g = config_.geometry;
  Shape s;
  if (format != Format::kF32Chw && !config_.resize.none()) {
    s.resize = plan_resize(config_.resize, height, width);
    height = s.resize.height;
    width = s.resize.width;
  }
  if (height < g.patch_h) {
    throw Error(Code::kInvalidShape, "height",
                "height: " + std::to_string(height) + " rows are fewer than one patch of " +
                    std::to_string(g.patch_h));
  }
  if (width < g.patch_w) {
    throw Error(Code::kInvalidShape, "width",
                "width: " + std::to_string(width) + " columns are fewer than one patch of " +
                    std::to_string(g.patch_w));
  }
  s.grid_h = g.grid_h(height);
  s.grid_w = g.grid_w(width);
  if (config_.position == Position::kLearned && config_.position_resize == PositionResize::kFixed &&
      (s.grid_h != config_.grid_h || s.grid_w != config_.grid_w)) {
    throw Error(Code::kInvalidShape, s.grid_h != config_.grid_h ? "height" : "width",
                "the image gives " + std::to_string(s.grid_h) + "x" + std::to_string(s.grid_w) +
                    " patches, the learned positions are for " + std::to_string(config_.grid_h) + "x" +
                    std::to_string(config_.grid_w));
  }
  return s;
}

int64_t ImageTokenizer::max_patches(int64_t max_pixels, int64_t max_tokens) const {
  // A resize may make a picture larger.
  if (!config_.resize.none()) return max_tokens;
  // Every patch has min(patch, stride) rows and columns of its own.
  const PatchGeometry& g = config_.geometry;
  const int64_t own = std::min(g.patch_h, g.stride_h) * std::min(g.patch_w, g.stride_w);
  return std::min(max_tokens, max_pixels / own);
}

ResizeF32Args ImageTokenizer::interpolation(int64_t grid_h, int64_t grid_w) const {
  ResizeF32Args a;
  a.geometry = {config_.grid_h, config_.grid_w, grid_h, grid_w, 0, 0, grid_h, grid_w};
  a.antialias = config_.position_resize == PositionResize::kBilinear;
  a.filter = a.antialias ? ResizeFilter::kBilinear : ResizeFilter::kBicubic;
  a.channels = d_model_;
  a.x = position_.data();
  a.x_stride_c = a.y_stride_c = 1;
  a.x_stride_x = a.y_stride_x = d_model_;
  a.x_stride_y = config_.grid_w * d_model_;
  a.y_stride_y = grid_w * d_model_;
  return a;
}

size_t ImageTokenizer::scratch(int64_t max_pixels, int64_t max_tokens, int threads) const {
  const PatchGeometry& g = config_.geometry;
  const int64_t patches = max_patches(max_pixels, max_tokens);
  if (patches == 0) return 0;
  const int64_t width = g.patch_w + (patches - 1) * g.stride_w;
  size_t most = patch_embed_scratch(patch_, g.patch_h, width, threads);
  if (config_.position_resize != PositionResize::kFixed) {
    // Windows are longest when the table shrinks to one row or column, most when it grows.
    ResizeF32Args shrunk = interpolation(1, 1);
    shrunk.geometry.crop_h = config_.grid_h;
    shrunk.geometry.crop_w = config_.grid_w;
    const int64_t side = std::max({patches, config_.grid_h, config_.grid_w});
    most = std::max(
        most, resize_f32_scratch(shrunk, threads) + resize_f32_scratch(interpolation(side, side), threads));
  }
  return most;
}

ResizeSpace ImageTokenizer::resize_space(int64_t max_pixels, int threads) const {
  if (config_.resize.none() || max_pixels == 0) return {};
  return sns::resize_space(config_.resize, config_.geometry.channels, max_pixels, threads);
}

bool ImageTokenizer::makes_positions() const {
  return config_.position == Position::kSinCos || config_.position_resize != PositionResize::kFixed;
}

const float* ImageTokenizer::own_positions(int64_t grid_h, int64_t grid_w) const {
  return grid_h == config_.grid_h && grid_w == config_.grid_w ? position_.data() : nullptr;
}

void ImageTokenizer::interpolate(int64_t grid_h, int64_t grid_w, float* y, void* scratch,
                                 Parallel& parallel) const {
  ResizeF32Args a = interpolation(grid_h, grid_w);
  a.y = y;
  resize_f32_cpu(a, scratch, parallel);
}

void ImageTokenizer::run(Format format, const void* data, const Shape& shape, int64_t height, int64_t width,
                         const float* positions, uint8_t* pixels, float* y, void* scratch,
                         Parallel& parallel) const {
  PatchEmbedArgs args;
  const int64_t channels = config_.geometry.channels;
  if (format != Format::kF32Chw) {
    const int64_t frames = format == Format::kU8Thwc ? config_.geometry.frames : 1;
    args.image.u8 = true;
    args.image.stride_c = 1;
    args.image.stride_x = channels;
    args.image.stride_t = frames > 1 ? height * width * channels : 0;
    if (config_.resize.none()) {
      args.image.data = data;
      args.image.stride_y = channels * width;
    } else {
      const ResizePlan& plan = shape.resize;
      if (plan.unchanged() && !plan.padded()) {  // at most a crop: a matter of strides
        args.image.data = static_cast<const uint8_t*>(data) + (plan.crop_y * width + plan.crop_x) * channels;
        args.image.stride_y = channels * width;
      } else {
        const int64_t bytes = plan.height * plan.width * channels;
        for (int64_t t = 0; t < frames; ++t) {
          run_resize(config_.resize, plan, channels,
                     static_cast<const uint8_t*>(data) + t * args.image.stride_t, pixels + t * bytes, scratch,
                     parallel);
        }
        if (frames > 1) args.image.stride_t = bytes;
        args.image.data = pixels;
        args.image.stride_y = channels * plan.width;
      }
      height = plan.height;
      width = plan.width;
    }
  } else {
    args.image.data = data;
    args.image.u8 = false;
    args.image.stride_x = 1;
    args.image.stride_y = width;
    args.image.stride_c = height * width;
    args.normalised = true;
  }
  args.image.height = height;
  args.image.width = width;
  args.position = positions;
  args.y = y;
  args.ldy = d_model_;
  patch_embed_cpu(patch_, args, scratch, parallel);
}

}  // namespace sns
