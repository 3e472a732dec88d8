#include "backend/cuda/tuning.h"
#include "ops/patch_embed/patch_embed_cuda.h"
#include "simt_support.h"

namespace sns {
namespace {

struct Picture {
  Guarded<uint8_t> bytes;
  Guarded<float> floats, position, y;
  PatchEmbedArgs args;
};

/// A picture of `rows` patches in the layout of `source`, at any alignment.
Picture make_picture(Random& random, PixelSource source, const PatchGeometry& g, int64_t out, bool positive) {
  const int64_t height = g.patch_h + g.stride_h * random.integer(0, 3) + random.integer(0, 2);
  const int64_t width = g.patch_w + g.stride_w * random.integer(0, 3) + random.integer(0, 2);
  const int64_t count = g.frames * g.channels * height * (width + 3) + 3, shift = random.integer(0, 3);
  const int64_t patches = g.grid_h(height) * g.grid_w(width), ldy = out + random.integer(0, 3);
  Picture p{Guarded<uint8_t>(count),
            normal(random, count, 1, positive),
            normal(random, patches * out, 1, positive),
            Guarded<float>(patches * ldy),
            {}};
  for (int64_t i = 0; i < count; ++i) p.bytes[i] = static_cast<uint8_t>(random.integer(0, 255));
  ImageView& view = p.args.image;
  view.height = height, view.width = width;
  view.u8 = source == PixelSource::kU8Interleaved;
  p.args.normalised = source == PixelSource::kF32PlanarFinished;
  switch (source) {
    case PixelSource::kU8Interleaved:
      view.stride_c = 1, view.stride_x = g.channels, view.stride_y = round_up(g.channels * width, 4);
      if (random.coin()) view.stride_y = g.channels * width;
      break;
    case PixelSource::kF32Transposed:
      view.stride_y = 1, view.stride_x = height, view.stride_c = height * width;
      break;
    default:
      view.stride_x = 1, view.stride_y = width, view.stride_c = height * width;
  }
  if (g.frames > 1 && random.coin()) {
    view.stride_t = view.u8 ? view.stride_y * height : g.channels * height * width;
  }
  view.data = view.u8 ? static_cast<const void*>(p.bytes.data() + shift) : p.floats.data() + shift;
  if (random.coin()) p.args.position = p.position.data();
  p.args.y = p.y.data(), p.args.ldy = ldy;
  return p;
}

PatchGeometry random_geometry(Random& random) {
  PatchGeometry g;
  g.channels = random.integer(1, 4), g.patch_h = random.integer(1, 9), g.patch_w = random.integer(1, 9);
  if (random.coin()) g.patch_h = g.patch_w = 8;
  g.stride_h = random.integer(1, g.patch_h), g.stride_w = random.integer(1, g.patch_w);
  g.order = random.coin() ? PatchOrder::kChannelFirst : PatchOrder::kChannelLast;
  if (random.coin()) g.frames = random.integer(2, 4);
  if (random.integer(0, 5) == 0 && g.patch_size() <= 300) g.frames = random.integer(15, 35);
  return g;
}

void expect_patches(Random& random, const PatchGeometry& g, PixelSource source, int64_t pictures, int64_t out,
                    Precision precision) {
  // A picture may be one patch: of few outputs most may cancel, and NMSE would measure that.
  const bool positive = few(1, g.patch_size(), out);
  auto weight = normal(random, out * g.patch_size(), 0.05, positive), bias = normal(random, out, 1, positive);
  float scale[4], shift[4];
  for (int c = 0; c < 4; ++c) {
    scale[c] = static_cast<float>((1 + random.uniform()) / (source == PixelSource::kU8Interleaved ? 64 : 2));
    shift[c] = static_cast<float>((positive ? 2 : -2) * random.uniform());
  }
  const float* b = random.coin() ? bias.data() : nullptr;
  std::vector<Picture> batch;
  std::vector<PatchEmbedCudaItem> items;
  int64_t rows = 0;
  for (int64_t i = 0; i < pictures; ++i) {
    batch.push_back(make_picture(random, source, g, out, positive));
    const PatchEmbedArgs& a = batch.back().args;
    const ImageView& v = a.image;
    items.push_back({v.data, v.stride_y, v.stride_x, v.stride_c, g.grid_w(v.width), a.position, a.y, a.ldy,
                     rows, v.stride_t});
    rows += g.grid_h(v.height) * g.grid_w(v.width);
  }
  const PatchEmbedCudaArgs args{items.data(), pictures, &rows, rows + random.integer(0, 70)};
  for (int64_t part = 0; part < patch_embed_cuda_parts(g); ++part) {
    PackedBlock block(patch_embed_cuda_bytes(g, out, part));
    const auto w = pack_patch_embed_cuda(g, source, weight.data(), b, out, scale, shift, part, block.data(),
                                         block.data());
    ASSERT_EQ(0, patch_embed_cuda(w, args, precision, nullptr));
  }
  for (const Picture& p : batch) {
    const int64_t patches = g.grid_h(p.args.image.height) * g.grid_w(p.args.image.width);
    Guarded<double> ref(patches * out);
    patch_embed_ref(g, weight.data(), b, out, scale, shift, p.args, ref.data());
    EXPECT_LE(nmse(p.args.y, p.args.ldy, ref.data(), patches, out),
              precision == Precision::kStrict ? kPatchEmbedNmse : kLinearFastNmse)
        << "source " << static_cast<int>(source) << ", patch " << g.frames << "x" << g.channels << "x"
        << g.patch_h << "x" << g.patch_w;
    EXPECT_TRUE(p.y.intact());
  }
}

TEST(SimtPatchEmbed, MatchesOracle) {
  under_every_schedule("patch_embed", 8, [](Random& random) {
    expect_patches(random, random_geometry(random), static_cast<PixelSource>(random.integer(0, 3)),
                   random.integer(1, 9), random.integer(1, 80),
                   random.coin() ? Precision::kStrict : Precision::kFast);
  });
}

/// Columns that only pad W take nothing of the memory behind the patch, wherever that begins: what lies there
/// may be NaN.
TEST(SimtPatchEmbed, ReadsNothingBehindThePatches) {
  under_every_schedule("patch_embed, behind the patches", 1, [](Random& random) {
    PatchGeometry g;
    g.channels = 1, g.patch_h = g.stride_h = random.integer(1, 3), g.patch_w = g.stride_w = 4;
    for (const auto source :
         {PixelSource::kU8Interleaved, PixelSource::kF32Planar, PixelSource::kF32Transposed}) {
      if (source == PixelSource::kF32Transposed) std::swap(g.patch_h, g.patch_w);
      const int64_t out = 40, size = g.patch_size();
      const float scale = 0.5f, shift = -1;
      auto weight = normal(random, out * size);
      PackedBlock block(patch_embed_cuda_bytes(g, out, 0));
      const auto w = pack_patch_embed_cuda(g, source, weight.data(), nullptr, out, &scale, &shift, 0,
                                           block.data(), block.data());
      for (int64_t at = 0; at < 4; ++at) {
        Guarded<float> floats(size + 8), y(out);
        Guarded<uint8_t> bytes(size + at);  // ends where the patch does
        for (int64_t i = 0; i < size + 8; ++i) {
          floats[i] = i < at || i >= at + size ? NAN : static_cast<float>(random.normal());
        }
        for (int64_t i = 0; i < size + at; ++i) bytes[i] = static_cast<uint8_t>(random.integer(0, 255));
        PatchEmbedArgs a;
        ImageView& v = a.image;
        v.height = g.patch_h, v.width = g.patch_w;
        v.u8 = source == PixelSource::kU8Interleaved;
        const bool across = source != PixelSource::kF32Transposed;
        v.stride_x = across ? 1 : g.patch_h, v.stride_y = across ? g.patch_w : 1,
        v.stride_c = v.u8 ? 1 : size;
        v.data = v.u8 ? static_cast<const void*>(bytes.data() + at) : floats.data() + at;
        a.y = y.data(), a.ldy = out;
        const PatchEmbedCudaItem item{v.data, v.stride_y, v.stride_x, v.stride_c, 1, nullptr, y.data(), out};
        const int64_t rows = 1;
        ASSERT_EQ(0, patch_embed_cuda(w, {&item, 1, &rows, 1}, Precision::kStrict, nullptr));
        Guarded<double> ref(out);
        patch_embed_ref(g, weight.data(), nullptr, out, &scale, &shift, a, ref.data());
        EXPECT_LE(nmse(y.data(), out, ref.data(), 1, out), kPatchEmbedNmse)
            << "source " << static_cast<int>(source) << ", " << at << " behind an aligned address";
      }
    }
  });
}

TEST(SimtPatchEmbed, LargeTilesMatchOracle) {
  Random random(5);
  simt::set_compute_capability(80);
  simt::set_schedule(simt::schedules(5)[3]);
  for (const auto source : {PixelSource::kU8Interleaved, PixelSource::kF32Planar}) {
    PatchGeometry g;
    g.patch_h = g.patch_w = g.stride_h = g.stride_w = 4;
    expect_patches(random, g, source, 3, 64 * 132 - 5, Precision::kStrict);
  }
  simt::set_schedule({});
  simt::set_compute_capability(90);
}

TEST(SimtPatchEmbed, WgmmaMatchesOracle) {
  under_every_schedule("patch_embed, wgmma", 1, [](Random& random) {
    for (const auto source :
         {PixelSource::kU8Interleaved, PixelSource::kF32Planar, PixelSource::kF32Transposed}) {
      PatchGeometry g;
      g.channels = random.integer(2, 4), g.patch_h = g.patch_w = random.integer(8, 9);
      g.stride_h = g.stride_w = random.integer(7, 8);
      const int64_t pictures = random.integer(9, 40),
                    out = 128 * simt::kMultiprocessors - random.integer(0, 100);
      ASSERT_TRUE(gpu::gemm_wgmma(pictures, out, g.patch_size(), simt::kMultiprocessors));
      expect_patches(random, g, source, pictures, out, Precision::kStrict);
      expect_patches(random, g, source, pictures, out, Precision::kFast);
    }
  });
}

}  // namespace
}  // namespace sns
