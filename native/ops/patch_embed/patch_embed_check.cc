#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "backend/cpu/isa.h"
#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/patch_embed/patch_embed.h"

namespace sns {
namespace {

/// Strides of an image whose axes lie in memory in a random order, now and then with gaps or running
/// backwards; `first` is where element (0, 0, 0) is, `span` how many elements there are from the lowest to
/// the highest.
struct Layout {
  int64_t stride_c, stride_y, stride_x, first = 0, span = 1;
  /// As the GPU takes them.
  Layout(Random& rng, PixelSource source, int64_t channels, int64_t height, int64_t width) {
    const int64_t gap = rng.coin() ? rng.integer(1, 9) : 0;
    if (source == PixelSource::kU8Interleaved) {
      stride_c = 1, stride_x = channels, stride_y = channels * width + gap;
    } else if (source == PixelSource::kF32Transposed) {
      stride_y = 1, stride_x = height + gap, stride_c = stride_x * width;
    } else {
      stride_x = 1, stride_y = width + gap, stride_c = stride_y * height;
    }
    span += (channels - 1) * stride_c + (height - 1) * stride_y + (width - 1) * stride_x;
  }
  Layout(Random& rng, int64_t channels, int64_t height, int64_t width) {
    int64_t* const strides[3] = {&stride_c, &stride_y, &stride_x};
    const int64_t extents[3] = {channels, height, width};
    static constexpr int kOrders[6][3] = {{0, 2, 1}, {0, 2, 1}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}, {1, 0, 2}};
    const auto& order = kOrders[rng.integer(0, 5)];  // innermost first; HWC twice: it has the most paths
    int64_t step = rng.integer(0, 7) == 0 ? 2 : 1;
    for (const int axis : order) {
      *strides[axis] = step;
      step = step * extents[axis] + (rng.integer(0, 3) == 0 ? rng.integer(1, 9) : 0);
    }
    for (int axis = 0; axis < 3; ++axis) {
      const int64_t reach = (extents[axis] - 1) * *strides[axis];
      span += reach;
      if (rng.integer(0, 9) == 0) {
        *strides[axis] = -*strides[axis];
        first += reach;
      }
    }
  }
};

int64_t patch_side(Random& rng) {
  static constexpr int64_t kPublished[] = {4, 8, 14, 16, 32};
  return rng.coin() ? kPublished[rng.integer(0, 4)] : rng.integer(1, 19);
}

/// Pictures whose neighbouring pixels are alike or at the ends of the range: errors of the weights can add
/// up.
enum class Picture { kNoise, kFlat, kBlackAndWhite, kHalves };

void paint(Random& rng, Picture picture, const PatchGeometry& g, const ImageView& image, uint8_t* first) {
  uint8_t colour[PatchEmbedWeights::kMaxChannels];
  for (auto& c : colour) c = static_cast<uint8_t>(rng.next());
  const int64_t edge = rng.integer(0, g.patch_h), from = rng.coin() ? 255 : 0;
  for (int64_t t = 0; t < (image.stride_t ? g.frames : 1); ++t) {
    for (int64_t c = 0; c < g.channels; ++c) {
      for (int64_t y = 0; y < image.height; ++y) {
        for (int64_t x = 0; x < image.width; ++x) {
          uint8_t& v =
              first[t * image.stride_t + c * image.stride_c + y * image.stride_y + x * image.stride_x];
          if (picture == Picture::kFlat) v = colour[c];
          if (picture == Picture::kBlackAndWhite) v = rng.coin() ? 255 : 0;
          if (picture == Picture::kHalves) v = static_cast<uint8_t>(y % g.patch_h < edge ? from : 255 - from);
        }
      }
    }
  }
}

struct Operands {
  PatchGeometry geometry;
  const float *weight, *bias;  ///< bias may be null
  int64_t out;
  const float *scale, *shift;
  PixelSource source;   ///< of the GPU's cases
  const void* pixels;   ///< lowest address of the image
  int64_t pixel_count;  ///< elements from there
};
/// Runs one case; false if something around its scratch was touched.
using Kernel = std::function<bool(const Operands& w, const PatchEmbedArgs& args)>;

/// Any picture, or one as the GPU takes them. tiles: 0, or of 128 × 128 that the outputs make.
Parity random_case(uint64_t seed, bool gpu, int64_t tiles, const Kernel& kernel) {
  Random rng(seed);
  PatchGeometry g;
  g.channels = rng.coin() ? 3 : rng.integer(1, rng.coin() ? 4 : PatchEmbedWeights::kMaxChannels);
  g.patch_h = patch_side(rng);
  g.patch_w = rng.coin() ? g.patch_h : patch_side(rng);
  g.stride_h = rng.coin() ? g.patch_h : rng.integer(1, 20);
  g.stride_w = rng.coin() ? g.patch_w : rng.integer(1, 20);
  g.order = rng.coin() ? PatchOrder::kChannelFirst : PatchOrder::kChannelLast;
  g.frames = rng.integer(0, 2) == 0 ? rng.integer(2, 4) : 1;
  if (rng.integer(0, 7) == 0 && g.patch_size() <= 1024) g.frames = rng.integer(15, 35);
  // Remainders on both sides; now and then an image smaller than a patch.
  int64_t height = std::max<int64_t>(1, g.patch_h + g.stride_h * rng.integer(0, 6) + rng.integer(-1, 3));
  int64_t width = std::max<int64_t>(1, g.patch_w + g.stride_w * rng.integer(0, 6) + rng.integer(-1, 3));
  // From 192 outputs on FAST may take spares.
  const bool many = rng.integer(0, 5) == 0;
  int64_t out = many                     ? rng.integer(192, 330)
                : rng.integer(0, 4) == 0 ? rng.integer(100, 200)
                                         : rng.integer(1, 70);
  if (tiles > 0) {
    const int64_t across = rng.integer(1, std::min<int64_t>(tiles, 12)), grid_w = rng.integer(9, 40);
    const int64_t patches = 128 * ceil_div(tiles, across) - rng.integer(0, 127);
    out = 128 * across - rng.integer(0, 127);
    g.channels = 3, g.frames = 1;
    g.patch_h = rng.integer(6, 9), g.patch_w = rng.integer(8, 9);
    g.stride_h = g.patch_h, g.stride_w = g.patch_w;
    height = g.patch_h * ceil_div(patches, grid_w), width = g.patch_w * grid_w;
  }
  const int64_t rows = g.grid_h(height) * g.grid_w(width);

  std::vector<float> weight(static_cast<size_t>(out * g.patch_size())), bias(static_cast<size_t>(out));
  rng.fill_normal(weight.begin(), weight.end(), 1.0 / std::sqrt(static_cast<double>(g.patch_size())));
  if (rng.integer(0, 2) == 0) {  // heavy tails
    for (float& f : weight) f *= static_cast<float>(std::exp(rng.normal()));
  }
  rng.fill_normal(bias.begin(), bias.end());
  // Over few outputs, or without a bias, a flat picture's Σref² can come out near zero.
  const Picture picture = many && rng.coin() ? static_cast<Picture>(rng.integer(1, 3)) : Picture::kNoise;
  const float* b = picture != Picture::kNoise || rng.coin() ? bias.data() : nullptr;
  const auto source = static_cast<PixelSource>(rng.integer(0, 3));
  const Layout layout =
      gpu ? Layout(rng, source, g.channels, height, width) : Layout(rng, g.channels, height, width);
  PatchEmbedArgs args;
  args.image.u8 = gpu ? source == PixelSource::kU8Interleaved : rng.coin();
  args.image.height = height;
  args.image.width = width;
  args.image.stride_c = layout.stride_c;
  args.image.stride_y = layout.stride_y;
  args.image.stride_x = layout.stride_x;
  // Frames one after the other; now and then the same picture in all of them.
  args.image.stride_t = g.frames > 1 && rng.coin() ? layout.span + rng.integer(0, 5) : 0;
  const int64_t span = layout.span + (g.frames - 1) * args.image.stride_t;
  args.normalised = gpu ? source == PixelSource::kF32PlanarFinished : rng.integer(0, 3) == 0;
  std::vector<uint8_t> bytes(static_cast<size_t>(args.image.u8 ? span : 0));
  std::vector<float> floats(static_cast<size_t>(args.image.u8 ? 0 : span));
  for (auto& v : bytes) v = static_cast<uint8_t>(rng.next());
  rng.fill_normal(floats.begin(), floats.end());
  if (args.image.u8) {
    args.image.data = bytes.data() + layout.first;
    if (picture != Picture::kNoise) paint(rng, picture, g, args.image, bytes.data() + layout.first);
  } else {
    args.image.data = floats.data() + layout.first;
  }
  float scale[PatchEmbedWeights::kMaxChannels] = {}, shift[PatchEmbedWeights::kMaxChannels] = {};
  for (int64_t c = 0; c < g.channels; ++c) {
    const double deviation = 0.2 + 0.1 * rng.uniform(), mean = 0.4 + 0.1 * rng.uniform();
    scale[c] = static_cast<float>(1.0 / (deviation * (args.image.u8 ? 255.0 : 1.0)));
    shift[c] = static_cast<float>(-mean / deviation);
  }
  std::vector<float> position(static_cast<size_t>(rng.coin() ? rows * out : 0));
  rng.fill_normal(position.begin(), position.end());
  args.position = position.empty() ? nullptr : position.data();
  args.ldy = out + (rng.coin() ? rng.integer(0, 40) : 0);
  Guarded<float> y(rows > 0 ? (rows - 1) * args.ldy + out : 0);
  args.y = y.data();

  if (rows * out < 32) {
    // With a handful of outputs Σref² can come out near zero by cancellation, and NMSE then says nothing of
    // the kernel.
    for (auto* v : {&weight, &bias, &floats, &position}) {
      for (float& f : *v) f = std::abs(f);
    }
    for (float& f : shift) f = std::abs(f);
  }

  std::vector<double> reference(static_cast<size_t>(rows * out));
  patch_embed_ref(g, weight.data(), b, out, scale, shift, args, reference.data());
  const void* pixels = args.image.u8 ? static_cast<const void*>(bytes.data()) : floats.data();
  const bool scratch_ok = kernel({g, weight.data(), b, out, scale, shift, source, pixels, span}, args);

  Parity p;
  char shape[256];
  const auto n = [](int64_t v) { return static_cast<long long>(v); };
  std::snprintf(
      shape, sizeof(shape),
      "%s %lldx%lldx%lldx%lld, strides t %lld c %lld y %lld x %lld%s, patch %lldx%lld every %lldx%lld, %s → "
      "%lld%s%s",
      args.image.u8 ? "bytes" : "floats", n(g.frames), n(g.channels), n(height), n(width),
      n(args.image.stride_t), n(layout.stride_c), n(layout.stride_y), n(layout.stride_x),
      args.normalised ? ", normalised" : "", n(g.patch_h), n(g.patch_w), n(g.stride_h), n(g.stride_w),
      g.order == PatchOrder::kChannelFirst ? "(c t p1 p2)" : "(t p1 p2 c)", n(out), b ? ", bias" : "",
      args.position ? ", position" : "");
  p.shape = shape;
  p.measure = "NMSE";
  p.error = nmse(y.data(), args.ldy, reference.data(), rows, out);
  p.limit = kPatchEmbedNmse;
  p.guards_ok = y.rows_intact(rows, out, args.ldy) && scratch_ok;
  return p;
}

/// A case whose operands were rounded to bfloat16, if they were.
Parity rounded(Parity p, bool fast) {
  if (fast) {
    p.shape += ", fast";
    p.limit = kLinearFastNmse;
  }
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  const Precision precision = Random(~seed).coin() ? Precision::kFast : Precision::kStrict;
  bool fast = false;
  const Parity p = random_case(seed, false, 0, [&](const Operands& o, const PatchEmbedArgs& args) {
    const PatchEmbedWeights w(o.geometry, o.weight, o.bias, o.out, o.scale, o.shift, precision);
    const bool bytes_path = args.image.u8 && !args.normalised && w.bytes().usable();
    fast = bytes_path ? precision == Precision::kFast : w.linear().precision() == Precision::kFast;
    Guarded<unsigned char> scratch(static_cast<int64_t>(
        patch_embed_scratch(w, args.image.height, args.image.width, parallel.threads())));
    patch_embed_cpu(w, args, scratch.data(), parallel);
    return scratch.intact();
  });
  return rounded(p, fast);
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  Random rng(~seed);
  const bool fast = rng.coin();
  // Kernels that need a full device are seen by no small case.
  const int64_t tiles = rng.integer(0, 11) == 0 ? device->multiprocessors() : 0;
  const Parity p = random_case(seed, true, tiles, [&](const Operands& o, const PatchEmbedArgs& args) {
    CudaCase c(device);
    const PatchGeometry& g = o.geometry;
    const ImageView& image = args.image;
    const int64_t rows = g.grid_h(image.height) * g.grid_w(image.width);
    if (image.u8) {
      c.in(static_cast<const uint8_t*>(o.pixels), o.pixel_count);
    } else {
      c.in(static_cast<const float*>(o.pixels), o.pixel_count);
    }
    PatchEmbedCudaItem item;
    item.data = c.in(static_cast<const uint8_t*>(image.data), 0);
    item.stride_y = image.stride_y, item.stride_x = image.stride_x, item.stride_c = image.stride_c;
    item.stride_t = image.stride_t;
    item.grid_w = g.grid_w(image.width);
    item.position = c.in(args.position, rows * o.out);
    item.y = c.out(args.y, rows, o.out, args.ldy);
    item.ldy = args.ldy;
    const PatchEmbedCudaArgs a{c.in(&item, 1), 1, c.in(&rows, 1), rows};
    const Precision precision = fast ? Precision::kFast : Precision::kStrict;
    for (int64_t part = 0; part < patch_embed_cuda_parts(g); ++part) {
      const auto w = c.packed(patch_embed_cuda_bytes(g, o.out, part), [&](void* host, void* on_device) {
        return pack_patch_embed_cuda(g, o.source, o.weight, o.bias, o.out, o.scale, o.shift, part, host,
                                     on_device);
      });
      c.check(c.ops().patch_embed(w, a, precision, c.stream()), "patch_embed");
    }
    return c.done();
  });
  return rounded(p, fast);
}

struct State {
  PatchEmbedWeights w;
  std::vector<uint8_t> bytes;
  std::vector<float> floats, position;
  AlignedArray<float> y;
  AlignedArray<unsigned char> scratch;
  PatchEmbedArgs args;
  int threads = 0;
};

Work work(const char* name, const PatchGeometry& g, ImageView image, int64_t out,
          Precision precision = Precision::kStrict) {
  auto state = std::make_shared<State>();
  Random rng(1);
  const int64_t rows = g.grid_h(image.height) * g.grid_w(image.width);
  const int64_t elements = g.frames * g.channels * image.height * image.width;
  std::vector<float> weight(static_cast<size_t>(out * g.patch_size())), bias(static_cast<size_t>(out));
  rng.fill_normal(weight.begin(), weight.end(), 0.05);
  rng.fill_normal(bias.begin(), bias.end());
  const std::vector<float> scale(static_cast<size_t>(g.channels), image.u8 ? 1 / 127.5f : 0.5f);
  const std::vector<float> shift(static_cast<size_t>(g.channels), image.u8 ? -1.0f : 0.25f);
  state->w = PatchEmbedWeights(g, weight.data(), bias.data(), out, scale.data(), shift.data(), precision);
  if (image.u8) {
    state->bytes.resize(static_cast<size_t>(elements));
    for (auto& v : state->bytes) v = static_cast<uint8_t>(rng.next());
    image.data = state->bytes.data();
  } else {
    state->floats.resize(static_cast<size_t>(elements));
    rng.fill_normal(state->floats.begin(), state->floats.end());
    image.data = state->floats.data();
  }
  state->position.resize(static_cast<size_t>(rows * out));
  rng.fill_normal(state->position.begin(), state->position.end());
  state->y = AlignedArray<float>(rows * out);
  state->args.image = image;
  state->args.position = state->position.data();
  state->args.y = state->y.data();
  state->args.ldy = out;
  Work w;
  w.bf16 = precision == Precision::kFast && has_avx512_bf16();
  w.shape = name;
  w.flops = 2.0 * static_cast<double>(rows) * static_cast<double>(g.patch_size()) * static_cast<double>(out);
  w.bytes = static_cast<double>(elements) * (image.u8 ? 1.0 : 4.0) +
            4.0 * static_cast<double>(out * g.patch_size() + out + 2 * rows * out);
  w.run = [state](Parallel& parallel) {
    if (state->threads != parallel.threads()) {  // the first, untimed run
      state->threads = parallel.threads();
      state->scratch = AlignedArray<unsigned char>(static_cast<int64_t>(
          patch_embed_scratch(state->w, state->args.image.height, state->args.image.width, state->threads)));
    }
    patch_embed_cpu(state->w, state->args, state->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() {
  const ImageView rgb224{nullptr, true, 224, 224, 224 * 3, 3, 1};
  const ImageView frames224{nullptr, true, 224, 224, 224 * 3, 3, 1, 224 * 224 * 3};
  const ImageView planes224{nullptr, false, 224, 224, 224, 1, 224 * 224};
  // [1024 frames, 128 mel] read as (frequency, time).
  const ImageView spectrogram{nullptr, false, 128, 1024, 1, 128, 0};
  PatchGeometry vit16, vit14, naflex, qwen, ast;
  vit14.patch_h = vit14.patch_w = vit14.stride_h = vit14.stride_w = 14;
  qwen = vit14;
  qwen.frames = 2;
  naflex.order = PatchOrder::kChannelLast;
  ast.channels = 1;
  ast.stride_h = ast.stride_w = 10;
  return {
      work("ViT-B/16, 224×224 bytes HWC, 196 tokens, 768", vit16, rgb224, 768),
      work("ViT-B/16, 224×224 floats CHW, 196 tokens, 768", vit16, planes224, 768),
      work("SigLIP2 (p1 p2 c), 224×224 bytes HWC, 196 tokens, 768", naflex, rgb224, 768),
      work("ViT-L/14, 224×224 bytes HWC, 256 tokens, 1024", vit14, rgb224, 1024),
      work("Qwen2-VL 2×14×14, two frames of 224×224 bytes HWC, 256 tokens, 1280", qwen, frames224, 1280),
      work("AST, 128×1024 floats, 16×16 every 10, 1212 tokens, 768", ast, spectrogram, 768),
      work("ViT-B/16, 224×224 bytes HWC, 196 tokens, 768, fast", vit16, rgb224, 768, Precision::kFast),
      work("AST, 128×1024 floats, 16×16 every 10, 1212 tokens, 768, fast", ast, spectrogram, 768,
           Precision::kFast),
  };
}

}  // namespace

OpCheck patch_embed_check() { return {"patch_embed", &parity, &works, &cuda_parity}; }

}  // namespace sns
