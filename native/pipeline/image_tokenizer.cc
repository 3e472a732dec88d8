#include "pipeline/image_tokenizer.h"

#include <algorithm>

#include "pipeline/fold.h"
#include "pipeline/positions.h"

namespace sns {
namespace {

/// Rows [given, dim], filled up with rows of zeros; null stays empty.
AlignedArray<float> extended(const float* rows, int64_t given, int64_t dim, int64_t count) {
  if (!rows) return {};
  AlignedArray<float> out(checked_mul(count, dim, "table"));
  std::copy(rows, rows + given * dim, out.data());
  std::fill(out.data() + given * dim, out.end(), 0.0f);
  return out;
}

}  // namespace

int64_t patch_width(const ImageConfig& config, int64_t d_model) {
  return config.position == Position::kFourierConcat ? d_model - fourier_width(config.fourier_bands)
                                                     : d_model;
}

AlignedArray<float> patch_weight(const ImageConfig& config, int64_t d_model, const ImageTensors& tensors) {
  return extended(tensors.weight, patch_width(config, d_model), config.geometry.patch_size(), d_model);
}

ImageTensors take_image(const ImageConfig& config, int64_t d_model, WeightReader& reader) {
  const PatchGeometry& g = config.geometry;
  ImageTensors t;
  t.precision = reader.precision();
  const int64_t patch = checked_mul(
      checked_mul(checked_mul(g.channels, g.frames, "image.temporal_patch"), g.patch_h, "image.patch_h"),
      g.patch_w, "image.patch_w");
  const int64_t width = patch_width(config, d_model);
  if (width < 1) {
    throw Error(Code::kInvalidShape, "image.fourier_bands",
                "image.fourier_bands: " + std::to_string(fourier_width(config.fourier_bands)) +
                    " features leave a patch no channel of " + std::to_string(d_model));
  }
  t.weight = reader.take("image.patch.weight", {width, patch});
  if (config.has_bias) t.bias = reader.take("image.patch.bias", {width});
  if (config.prefix_tokens > 0) t.prefix = reader.take("image.prefix", {config.prefix_tokens, d_model});
  if (config.position == Position::kLearned) {
    const int64_t rows = checked_mul(config.grid_h, config.grid_w, "image.grid_h");
    t.position = reader.take("image.position",
                             {checked_add(config.prefix_tokens, rows, "image.prefix_tokens"), d_model});
  }
  if (config.position == Position::kFourierAdd) {
    t.fourier_weight = reader.take("image.position.weight", {d_model, fourier_width(config.fourier_bands)});
    t.fourier_bias = reader.take("image.position.bias", {d_model});
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
  const AlignedArray<float> weight = patch_weight(config, d_model, tensors);
  AlignedArray<float> bias = extended(tensors.bias, patch_width(config, d_model), 1, d_model);
  if (none && modality) bias = folded(bias.data(), 1, d_model, modality);
  float scale[PatchEmbedWeights::kMaxChannels], shift[PatchEmbedWeights::kMaxChannels];
  for (int64_t c = 0; c < g.channels; ++c) {
    scale[c] = static_cast<float>(1.0 / (255.0 * static_cast<double>(config.std[c])));
    shift[c] = static_cast<float>(-static_cast<double>(config.mean[c]) / static_cast<double>(config.std[c]));
  }
  patch_ = PatchEmbedWeights(g, weight.data(), bias.data(), d_model, scale, shift, tensors.precision);

  const int64_t prefix_tokens = config.prefix_tokens;
  prefix_ = folded(tensors.prefix, prefix_tokens, d_model, modality);
  if (tensors.position) {
    for (int64_t i = 0; i < prefix_tokens * d_model; ++i) prefix_[i] += tensors.position[i];
    position_ =
        folded(tensors.position + prefix_tokens * d_model, config.grid_h * config.grid_w, d_model, modality);
  }
  if (tensors.fourier_weight) {
    const AlignedArray<float> fourier_bias = folded(tensors.fourier_bias, 1, d_model, modality);
    fourier_ = LinearWeights(tensors.fourier_weight, fourier_bias.data(), d_model,
                             fourier_width(config.fourier_bands));
  } else if (is_fourier(config.position) && modality) {
    concat_modality_ = folded(nullptr, 1, d_model, modality);
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
  if (feature_width() > 0) most = std::max(most, linear_scratch(fourier_, patches, threads));
  return most;
}

ResizeSpace ImageTokenizer::resize_space(int64_t max_pixels, int threads) const {
  if (config_.resize.none() || max_pixels == 0) return {};
  return sns::resize_space(config_.resize, config_.geometry.channels, max_pixels, threads);
}

bool ImageTokenizer::makes_positions() const {
  return config_.position == Position::kSinCos || is_fourier(config_.position) ||
         config_.position_resize != PositionResize::kFixed;
}

int64_t ImageTokenizer::feature_width() const {
  return config_.position == Position::kFourierAdd ? fourier_width(config_.fourier_bands) : 0;
}

void ImageTokenizer::fourier(int64_t grid_h, int64_t grid_w, float* features, float* y, void* scratch,
                             Parallel& parallel) const {
  const int64_t rows = grid_h * grid_w, bands = config_.fourier_bands;
  if (const int64_t width = feature_width()) {
    fourier_2d(grid_h, grid_w, config_.grid_h, config_.grid_w, bands, features, width);
    LinearArgs a;
    a.x = features;
    a.rows = rows;
    a.ldx = width;
    a.y = y;
    a.ldy = d_model_;
    linear_cpu(fourier_, a, scratch, parallel);
    return;
  }
  const int64_t first = patch_width(config_, d_model_);
  fourier_2d(grid_h, grid_w, config_.grid_h, config_.grid_w, bands, y + first, d_model_);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = y + r * d_model_;
    std::fill(row, row + first, 0.0f);
    for (int64_t i = 0; i < concat_modality_.size(); ++i) row[i] += concat_modality_[i];
  }
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
