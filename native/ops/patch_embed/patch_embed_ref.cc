#include <vector>

#include "ops/patch_embed/patch_embed.h"

namespace sns {

void patch_embed_ref(const PatchGeometry& geometry, const float* weight, const float* bias, int64_t out,
                     const float* scale, const float* shift, const PatchEmbedArgs& args, double* y) {
  const PatchGeometry& g = geometry;
  const ImageView& image = args.image;
  const int64_t grid_h = g.grid_h(image.height), grid_w = g.grid_w(image.width);
  std::vector<double> patch(static_cast<size_t>(g.patch_size()));
  for (int64_t gy = 0; gy < grid_h; ++gy) {
    for (int64_t gx = 0; gx < grid_w; ++gx) {
      for (int64_t i = 0; i < g.patch_size(); ++i) {  // (c t py px)
        const int64_t px = i % g.patch_w, py = i / g.patch_w % g.patch_h;
        const int64_t t = i / (g.patch_w * g.patch_h) % g.frames, c = i / (g.patch_w * g.patch_h * g.frames);
        const int64_t at = t * image.stride_t + c * image.stride_c + (gy * g.stride_h + py) * image.stride_y +
                           (gx * g.stride_w + px) * image.stride_x;
        const double raw = image.u8 ? static_cast<double>(static_cast<const uint8_t*>(image.data)[at])
                                    : static_cast<double>(static_cast<const float*>(image.data)[at]);
        const int64_t to = g.order == PatchOrder::kChannelFirst
                               ? i
                               : ((t * g.patch_h + py) * g.patch_w + px) * g.channels + c;
        patch[static_cast<size_t>(to)] =
            args.normalised ? raw : raw * static_cast<double>(scale[c]) + static_cast<double>(shift[c]);
      }
      const int64_t row = gy * grid_w + gx;
      for (int64_t o = 0; o < out; ++o) {
        double sum = bias ? bias[o] : 0.0;
        for (int64_t i = 0; i < g.patch_size(); ++i) {
          sum += patch[static_cast<size_t>(i)] * static_cast<double>(weight[o * g.patch_size() + i]);
        }
        if (args.position) sum += args.position[row * out + o];
        y[row * out + o] = sum;
      }
    }
  }
}

}  // namespace sns
