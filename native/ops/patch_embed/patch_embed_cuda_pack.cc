#include <algorithm>
#include <cmath>
#include <vector>

#include "core/device_block.h"
#include "ops/patch_embed/patch_embed_cuda.h"

namespace sns {
namespace {

constexpr int64_t kMaxSide = 4096;  // of a patch: 12 bits of `element`

struct Element {
  int64_t t, c, dy, dx;
  /// Of the caller's weights; t counts from the part's first frame.
  int64_t column(const PatchGeometry& g, int64_t first_frame) const {
    const int64_t f = first_frame + t;
    return g.order == PatchOrder::kChannelFirst ? ((c * g.frames + f) * g.patch_h + dy) * g.patch_w + dx
                                                : ((f * g.patch_h + dy) * g.patch_w + dx) * g.channels + c;
  }
};

PatchGeometry part_of(PatchGeometry g, int64_t part) {
  g.frames = std::min(kPatchEmbedCudaFrames, g.frames - part * kPatchEmbedCudaFrames);
  return g;
}

/// Frame by frame, and a frame as it lies in memory.
Element element(const PatchGeometry& g, PixelSource source, int64_t column) {
  const int64_t frame = g.channels * g.patch_h * g.patch_w, t = column / frame, k = column % frame;
  switch (source) {
    case PixelSource::kU8Interleaved:
      return {t, k % g.channels, k / g.channels / g.patch_w, k / g.channels % g.patch_w};
    case PixelSource::kF32Transposed:
      return {t, k / g.patch_h / g.patch_w, k % g.patch_h, k / g.patch_h % g.patch_w};
    default:
      return {t, k / g.patch_w / g.patch_h, k / g.patch_w % g.patch_h, k % g.patch_w};
  }
}

struct Places {
  int32_t* element;
  float* centre;
  void *host, *device;  ///< of the linear part
};

Places lay_out(const PatchGeometry& g, int64_t out, DeviceBlock& block, PatchEmbedCudaWeights* w) {
  const int64_t padded = LinearTiles::padded(g.patch_size());
  Places p;
  const std::byte* device;
  p.element = block.take(padded, &w->element);
  p.centre = block.take(padded, &w->centre);
  p.host = block.take(static_cast<int64_t>(linear_cuda_bytes(out, g.patch_size())), &device);
  p.device = const_cast<std::byte*>(device);
  return p;
}

}  // namespace

size_t patch_embed_cuda_bytes(const PatchGeometry& geometry, int64_t out, int64_t part) {
  DeviceBlock block(nullptr, nullptr);
  PatchEmbedCudaWeights w;
  lay_out(part_of(geometry, part), out, block, &w);
  return block.bytes();
}

PatchEmbedCudaWeights pack_patch_embed_cuda(const PatchGeometry& whole, PixelSource source,
                                            const float* weight, const float* bias, int64_t out,
                                            const float* scale, const float* shift, int64_t part, void* host,
                                            void* device) {
  const PatchGeometry g = part_of(whole, part);
  if (g.patch_h > kMaxSide || g.patch_w > kMaxSide || g.channels > PatchEmbedWeights::kMaxChannels) {
    throw Error(Code::kInvalidArgument, "patch_h", "patches have at most 4096 rows and columns", kMaxSide);
  }
  DeviceBlock block(host, device);
  PatchEmbedCudaWeights w;
  const Places places = lay_out(g, out, block, &w);
  w.geometry = g, w.source = source;
  w.first_frame = part * kPatchEmbedCudaFrames;
  const int64_t in = g.patch_size(), padded = LinearTiles::padded(in);
  w.run = static_cast<int32_t>(source == PixelSource::kU8Interleaved   ? g.patch_w * g.channels
                               : source == PixelSource::kF32Transposed ? g.patch_h
                                                                       : g.patch_w);
  const bool bytes = source == PixelSource::kU8Interleaved;
  const bool finished = source == PixelSource::kF32PlanarFinished;
  double centre[PatchEmbedWeights::kMaxChannels], offset[PatchEmbedWeights::kMaxChannels];
  for (int64_t c = 0; c < g.channels; ++c) {  // pixel·scale + shift = (pixel − centre)·scale + offset
    const double zero = scale[c] != 0 ? -static_cast<double>(shift[c]) / scale[c] : 0.0;
    centre[c] = bytes ? std::clamp(std::nearbyint(zero), 0.0, 255.0) : 0.0;
    offset[c] = finished ? 0.0 : centre[c] * scale[c] + static_cast<double>(shift[c]);
  }
  for (int64_t k = 0; k < padded; ++k) {
    const Element e = element(g, source, std::min(k, in - 1));
    places.element[k] =
        static_cast<int32_t>(static_cast<uint32_t>(e.dx | e.dy << 12 | e.c << 24 | e.t << 28));
    places.centre[k] = static_cast<float>(centre[e.c]);
  }
  std::vector<float> folded(static_cast<size_t>(out * in)), sums(static_cast<size_t>(out));
  for (int64_t o = 0; o < out; ++o) {
    double sum = bias && part == 0 ? static_cast<double>(bias[o]) : 0.0;
    for (int64_t k = 0; k < in; ++k) {
      const Element e = element(g, source, k);
      const double v = weight[o * whole.patch_size() + e.column(whole, w.first_frame)];
      folded[static_cast<size_t>(o * in + k)] =
          static_cast<float>(finished ? v : v * static_cast<double>(scale[e.c]));
      sum += v * offset[e.c];
    }
    sums[static_cast<size_t>(o)] = static_cast<float>(sum);
  }
  w.linear = pack_linear_cuda(folded.data(), sums.data(), out, in, places.host, places.device);
  return w;
}

}  // namespace sns
