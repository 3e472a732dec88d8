#include "pipeline/image_resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sns {
namespace {

struct Size {
  int64_t height, width;
};

/// transformers' get_resize_output_image_size with default_to_square=False: the long side is truncated.
Size shortest_edge(int64_t edge, int64_t height, int64_t width) {
  const int64_t low = std::min(height, width), high = std::max(height, width);
  const int64_t side = static_cast<int64_t>(static_cast<double>(edge * high) / static_cast<double>(low));
  return width <= height ? Size{side, edge} : Size{edge, side};
}

/// transformers' get_size_with_aspect_ratio: the longer side at most `longest`.
Size shortest_longest(const ResizeConfig& c, int64_t height, int64_t width) {
  const double low = static_cast<double>(std::min(height, width));
  const double high = static_cast<double>(std::max(height, width));
  const double longest = static_cast<double>(c.width);
  double edge = static_cast<double>(c.height), exact = edge;
  if (high / low * edge > longest) {
    exact = longest * low / high;
    edge = std::nearbyint(exact);
  }
  if (low == edge) return {height, width};
  const auto side = [](double x) { return std::max<int64_t>(1, static_cast<int64_t>(x)); };
  const int64_t other = side(exact * high / low);
  return width < height ? Size{other, side(edge)} : Size{side(edge), other};
}

/// transformers' get_image_size_for_max_height_width.
Size fit(const ResizeConfig& c, int64_t height, int64_t width) {
  const double h = static_cast<double>(height), w = static_cast<double>(width);
  const double scale = std::min(static_cast<double>(c.height) / h, static_cast<double>(c.width) / w);
  const auto side = [scale](double x) { return std::max<int64_t>(1, static_cast<int64_t>(x * scale)); };
  return {side(h), side(w)};
}

/// Qwen2-VL's smart_resize; Python's round() and nearbyint() both take halves to even.
Size smart(const ResizeConfig& c, int64_t height, int64_t width) {
  const double h = static_cast<double>(height), w = static_cast<double>(width);
  if (std::max(h, w) / std::min(h, w) > 200) {
    throw Error(
        Code::kInvalidShape, height > width ? "height" : "width",
        std::to_string(height) + "x" + std::to_string(width) + ": one side is more than 200 times the other");
  }
  const double factor = static_cast<double>(c.factor);
  const auto multiple = [&](double x) { return static_cast<int64_t>(x) * c.factor; };
  Size s = {multiple(std::nearbyint(h / factor)), multiple(std::nearbyint(w / factor))};
  if (s.height * s.width > c.max_pixels) {
    const double beta = std::sqrt(static_cast<double>(height * width) / static_cast<double>(c.max_pixels));
    s = {std::max(c.factor, multiple(std::floor(h / beta / factor))),
         std::max(c.factor, multiple(std::floor(w / beta / factor)))};
  } else if (s.height * s.width < c.min_pixels) {
    const double beta = std::sqrt(static_cast<double>(c.min_pixels) / static_cast<double>(height * width));
    s = {multiple(std::ceil(h * beta / factor)), multiple(std::ceil(w * beta / factor))};
  }
  return s;
}

/// SigLIP2's get_image_size_for_max_num_patches, eps = 1e-5.
Size naflex(const ResizeConfig& c, int64_t height, int64_t width) {
  const double patch = static_cast<double>(c.factor);
  const auto patches = [&](double scale, int64_t size) {
    return std::max(std::ceil(static_cast<double>(size) * scale / patch), 1.0);
  };
  double low = 1e-5 / 10, high = 100.0;
  while (high - low >= 1e-5) {
    const double scale = (low + high) / 2;
    (patches(scale, height) * patches(scale, width) <= static_cast<double>(c.max_patches) ? low : high) =
        scale;
  }
  return {static_cast<int64_t>(patches(low, height)) * c.factor,
          static_cast<int64_t>(patches(low, width)) * c.factor};
}

Size resized(const ResizeConfig& c, int64_t height, int64_t width) {
  switch (c.mode) {
    case ResizeMode::kNone:
      return {height, width};
    case ResizeMode::kSquash:
      return {c.height, c.width};
    case ResizeMode::kShortestEdge:
      return shortest_edge(c.height, height, width);
    case ResizeMode::kSmart:
      return smart(c, height, width);
    case ResizeMode::kNaflex:
      return naflex(c, height, width);
    case ResizeMode::kShortestLongest:
      return shortest_longest(c, height, width);
    case ResizeMode::kFit:
      return fit(c, height, width);
  }
  return {height, width};
}

/// One axis of transformers' center_crop: where the window begins, and where black begins around it.
void centre(int64_t size, int64_t crop, int64_t* begin, int64_t* pad, int64_t* kept, int64_t* result) {
  *begin = crop < size ? (size - crop) / 2 : 0;
  *pad = crop > size ? (crop - size + 1) / 2 : 0;
  *kept = std::min(size, crop);
  *result = crop;
}

}  // namespace

ResizePlan plan_resize(const ResizeConfig& c, int64_t height, int64_t width) {
  struct {
    const char* field;
    int64_t size;
  } const sides[] = {{"height", height}, {"width", width}};
  for (const auto& side : sides) {
    if (side.size < 1) {
      throw Error(Code::kInvalidShape, side.field, std::string(side.field) + ": the picture has no pixels");
    }
    if (side.size > kMaxCount) {
      throw Error(Code::kLimitExceeded, side.field,
                  std::string(side.field) + ": " + std::to_string(side.size) + " is above " +
                      std::to_string(kMaxCount),
                  kMaxCount);
    }
  }
  ResizePlan p;
  p.in_h = height;
  p.in_w = width;
  const Size size = resized(c, height, width);
  p.resized_h = p.kept_h = p.height = size.height;
  p.resized_w = p.kept_w = p.width = size.width;
  if (c.crop_h > 0) {
    centre(size.height, c.crop_h, &p.crop_y, &p.pad_y, &p.kept_h, &p.height);
    centre(size.width, c.crop_w, &p.crop_x, &p.pad_x, &p.kept_w, &p.width);
  }
  return p;
}

ResizeU8Args resize_args(const ResizeConfig& config, const ResizePlan& p, int64_t channels) {
  ResizeU8Args a;
  a.geometry = {p.in_h, p.in_w, p.resized_h, p.resized_w, p.crop_y, p.crop_x, p.kept_h, p.kept_w};
  a.filter = config.filter;
  a.channels = channels;
  a.ldx = p.in_w * channels;
  a.ldy = p.width * channels;
  return a;
}

void run_resize(const ResizeConfig& config, const ResizePlan& p, int64_t channels, const uint8_t* x,
                uint8_t* y, void* scratch, Parallel& parallel) {
  ResizeU8Args a = resize_args(config, p, channels);
  if (p.padded()) std::memset(y, 0, static_cast<size_t>(p.height * a.ldy));
  a.x = x;
  a.y = y + p.pad_y * a.ldy + p.pad_x * channels;
  resize_u8_cpu(a, scratch, parallel);
}

std::vector<ResizePlan> extreme_resizes(const ResizeConfig& config, int64_t max_pixels) {
  std::vector<ResizePlan> plans;
  for (double ratio = 1.0 / 200; ratio <= 201; ratio *= 1.25) {
    const double area = static_cast<double>(max_pixels);
    const auto side = [](double x) {
      return std::clamp<int64_t>(static_cast<int64_t>(std::ceil(x)), 1, kMaxCount);
    };
    int64_t h = side(std::sqrt(area / ratio)), w = side(std::sqrt(area * ratio));
    if (config.mode == ResizeMode::kSmart) {  // rounding up may have passed the largest proportion
      h = std::min(h, 200 * w);
      w = std::min(w, 200 * h);
    }
    plans.push_back(plan_resize(config, h, w));
  }
  return plans;
}

ResizeSpace resize_space(const ResizeConfig& config, int64_t channels, int64_t max_pixels, int threads) {
  ResizeSpace most;
  for (const ResizePlan& p : extreme_resizes(config, max_pixels)) {
    const int64_t bytes = checked_mul(checked_mul(p.height, p.width, "max_pixels"), channels, "max_pixels");
    most.bytes = std::max(most.bytes, bytes);
    most.scratch = std::max(most.scratch, resize_u8_scratch(resize_args(config, p, channels), threads));
  }
  most.bytes += most.bytes / 4;
  most.scratch += most.scratch / 4;
  return most;
}

}  // namespace sns
