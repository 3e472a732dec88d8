#include <cstdio>
#include <memory>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/resize/resize_check.h"

namespace sns {
namespace {

const char* filter_name(ResizeFilter filter) {
  switch (filter) {
    case ResizeFilter::kNearest:
      return "nearest";
    case ResizeFilter::kLanczos:
      return "lanczos";
    case ResizeFilter::kBilinear:
      return "bilinear";
    case ResizeFilter::kBox:
      return "box";
    case ResizeFilter::kHamming:
      return "Hamming";
    case ResizeFilter::kBicubic:
      return "bicubic";
  }
  return "?";
}

std::string describe(const char* what, const ResizeGeometry& g, int64_t channels, ResizeFilter filter) {
  char text[200];
  std::snprintf(text, sizeof text, "%s %s, %lldx%lldx%lld to %lldx%lld, window %lldx%lld at %lld, %lld", what,
                filter_name(filter), static_cast<long long>(g.in_height), static_cast<long long>(g.in_width),
                static_cast<long long>(channels), static_cast<long long>(g.out_height),
                static_cast<long long>(g.out_width), static_cast<long long>(g.crop_h),
                static_cast<long long>(g.crop_w), static_cast<long long>(g.crop_y),
                static_cast<long long>(g.crop_x));
  return text;
}

/// Mostly small sizes, with 1 and a few hundred among them.
int64_t random_size(Random& random, int64_t large) {
  switch (random.integer(0, 7)) {
    case 0:
      return random.integer(1, 4);
    case 1:
      return random.integer(1, large);
    default:
      return random.integer(1, 64);
  }
}

ResizeGeometry random_geometry(Random& random, int64_t large) {
  ResizeGeometry g;
  g.in_height = random_size(random, large);
  g.in_width = random_size(random, large);
  if (random.integer(0, 15) == 0) {  // around the ratio where PIL swaps its passes
    g.in_width = random.integer(1, 3);
    g.in_height = 100 * g.in_width + random.integer(-1, 2);
  }
  g.out_height = random.integer(0, 9) == 0 ? g.in_height : random_size(random, large);
  g.out_width = random.integer(0, 9) == 0 ? g.in_width : random_size(random, large);
  g.crop_h = g.out_height;
  g.crop_w = g.out_width;
  if (random.coin()) {
    g.crop_y = random.integer(0, g.out_height - 1);
    g.crop_x = random.integer(0, g.out_width - 1);
    const int64_t least = random.integer(0, 15) == 0 ? 0 : 1;  // sometimes nothing at all
    g.crop_h = random.integer(least, g.out_height - g.crop_y);
    g.crop_w = random.integer(least, g.out_width - g.crop_x);
  }
  return g;
}

Parity u8_parity(Random& random, const ResizeKernels& kernels) {
  ResizeU8Args args;
  const ResizeGeometry g = args.geometry = random_geometry(random, 400);
  args.filter = static_cast<ResizeFilter>(random.integer(0, 5));
  args.channels = random.integer(1, 4);
  args.ldx = g.in_width * args.channels + (random.coin() ? random.integer(1, 40) : 0);
  args.ldy = g.crop_w * args.channels + (random.coin() ? random.integer(1, 40) : 0);
  // The last row ends where its pixels end, so that a read beyond them is one beyond the allocation.
  AlignedArray<uint8_t> x((g.in_height - 1) * args.ldx + g.in_width * args.channels);
  const bool extreme = random.coin();  // 0 and 255 only: drives the lobes of the filters beyond both bounds
  for (uint8_t& v : x)
    v = static_cast<uint8_t>(extreme ? 255 * random.integer(0, 1) : random.integer(0, 255));
  Guarded<uint8_t> y(g.crop_h * args.ldy), before(g.crop_h * args.ldy);
  args.x = x.data();
  args.y = y.data();
  const bool scratch_ok = kernels.u8(args);

  const int64_t width = g.crop_w * args.channels;
  AlignedArray<uint8_t> ref(g.crop_h * width);
  resize_u8_ref(args, ref.data());
  Parity p;
  p.shape = describe("bytes", g, args.channels, args.filter);
  p.measure = "mismatches";
  p.guards_ok = y.intact() && scratch_ok;
  for (int64_t row = 0; row < g.crop_h; ++row) {
    for (int64_t i = 0; i < args.ldy; ++i) {
      const uint8_t got = y[row * args.ldy + i];
      if (i < width) {
        p.error += got != ref[row * width + i];
      } else if (got != before[row * args.ldy + i]) {
        p.guards_ok = false;
      }
    }
  }
  return p;
}

int64_t extent(int64_t c, int64_t h, int64_t w, int64_t stride_c, int64_t stride_y, int64_t stride_x) {
  return h == 0 || w == 0 ? 0 : (c - 1) * stride_c + (h - 1) * stride_y + (w - 1) * stride_x + 1;
}
int64_t input_extent(const ResizeF32Args& a) {
  return extent(a.channels, a.geometry.in_height, a.geometry.in_width, a.x_stride_c, a.x_stride_y,
                a.x_stride_x);
}
int64_t output_extent(const ResizeF32Args& a) {
  return extent(a.channels, a.geometry.crop_h, a.geometry.crop_w, a.y_stride_c, a.y_stride_y, a.y_stride_x);
}

Parity f32_parity(Random& random, const ResizeKernels& kernels) {
  ResizeF32Args args;
  const ResizeGeometry g = args.geometry = random_geometry(random, 200);
  args.filter = random.coin() ? ResizeFilter::kBilinear : ResizeFilter::kBicubic;
  args.antialias = random.coin();
  if (random.integer(0, 3) == 0) {
    args.scale_y = static_cast<double>(g.in_height) / (static_cast<double>(g.out_height) + 0.1);
    args.scale_x = static_cast<double>(g.in_width) / (static_cast<double>(g.out_width) + 0.1);
  }
  const bool channels_last = random.coin();
  args.channels = channels_last ? random.integer(1, 70) : random.integer(1, 4);
  if (channels_last && random.integer(0, 9) == 0) args.channels = random.integer(257, 600);
  const int64_t gap = random.coin() ? random.integer(1, 5) : 0;
  const int64_t c = args.channels;
  if (channels_last) {
    args.x_stride_c = args.y_stride_c = 1;
    args.x_stride_x = args.y_stride_x = c + gap;
    args.x_stride_y = g.in_width * args.x_stride_x;
    args.y_stride_y = g.crop_w * args.y_stride_x;
  } else {
    args.x_stride_x = random.integer(1, 3);
    args.y_stride_x = random.integer(1, 3);
    args.x_stride_y = g.in_width * args.x_stride_x + gap;
    args.y_stride_y = g.crop_w * args.y_stride_x + gap;
    args.x_stride_c = g.in_height * args.x_stride_y;
    args.y_stride_c = g.crop_h * args.y_stride_y;
  }
  // Everything between the elements stays NaN. The mean is not 0, or a single output of a large window would
  // be the rest of a cancellation and its relative error no measure of the kernel.
  Guarded<float> x(input_extent(args)), y(output_extent(args));
  // Of few outputs most may cancel, and NMSE would measure that; positive inputs do not.
  const bool few = c * g.crop_h * g.crop_w < 64;
  for (int64_t k = 0; k < c; ++k) {
    for (int64_t i = 0; i < g.in_height * g.in_width; ++i) {
      x[k * args.x_stride_c + i / g.in_width * args.x_stride_y + i % g.in_width * args.x_stride_x] =
          static_cast<float>(1.0 + (few ? random.uniform() : random.normal()));
    }
  }
  args.x = x.data();
  args.y = y.data();
  const bool scratch_ok = kernels.f32(args);

  const int64_t outputs = c * g.crop_h * g.crop_w;
  AlignedArray<double> ref(outputs);
  AlignedArray<float> dense(outputs);
  resize_f32_ref(args, ref.data());
  int64_t at = 0;
  for (int64_t k = 0; k < c; ++k) {
    for (int64_t row = 0; row < g.crop_h; ++row) {
      for (int64_t column = 0; column < g.crop_w; ++column) {
        float& v = y[k * args.y_stride_c + row * args.y_stride_y + column * args.y_stride_x];
        dense[at++] = v;
        v = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }
  Parity p;
  p.shape = describe(args.antialias ? "floats, antialiased," : "floats,", g, c, args.filter);
  p.measure = "NMSE";
  p.limit = kResizeNmse;
  p.error = nmse(dense.data(), outputs, ref.data(), 1, outputs);
  p.guards_ok = y.intact() && scratch_ok;
  for (int64_t i = 0; i < y.size(); ++i) p.guards_ok = p.guards_ok && std::isnan(y[i]);
  return p;
}

}  // namespace

Parity resize_parity(uint64_t seed, const ResizeKernels& kernels) {
  Random random(seed);
  return random.integer(0, 2) == 0 ? f32_parity(random, kernels) : u8_parity(random, kernels);
}

namespace {

Parity parity(uint64_t seed, Parallel& parallel) {
  const auto u8 = [&](const ResizeU8Args& args) {
    Guarded<unsigned char> scratch(static_cast<int64_t>(resize_u8_scratch(args, parallel.threads())));
    resize_u8_cpu(args, scratch.data(), parallel);
    return scratch.intact();
  };
  const auto f32 = [&](const ResizeF32Args& args) {
    Guarded<float> scratch(
        static_cast<int64_t>(resize_f32_scratch(args, parallel.threads()) / sizeof(float)));
    resize_f32_cpu(args, scratch.data(), parallel);
    return scratch.intact();
  };
  return resize_parity(seed, {u8, f32});
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  const auto u8 = [&](ResizeU8Args a) {
    CudaCase c(device);
    const ResizeGeometry& g = a.geometry;
    const auto tables = c.packed(resize_u8_cuda_bytes(a), [&](void* host, void* on_device) {
      return pack_resize_u8_cuda(a, host, on_device);
    });
    a.y = c.out(a.y, g.crop_h * a.ldy);
    a.x = c.in(a.x, g.in_height, g.in_width * a.channels, a.ldx);
    ResizeU8Pass passes[kResizePasses][2];  // of which one has nothing to do
    resize_u8_cuda_passes(tables, a, 0, 0, c.workspace(resize_u8_cuda_workspace(a)), &passes[0][1],
                          &passes[1][1]);
    for (const auto& pass : passes) {
      c.check(c.ops().resize_u8(c.in(pass, 2), 2, pass[1].blocks() + 2, 1, c.stream()), "resize");
    }
    return c.done();
  };
  const auto f32 = [&](ResizeF32Args a) {
    CudaCase c(device);
    ResizeF32Pass passes[2];  // of which one has nothing to do
    ResizeF32Pass& pass = passes[1];
    pass.tables = c.packed(resize_f32_cuda_bytes(a), [&](void* host, void* on_device) {
      return pack_resize_f32_cuda(a, host, on_device);
    });
    a.y = c.out(a.y, output_extent(a));
    a.x = c.in(a.x, input_extent(a));
    pass.args = a;
    c.check(c.ops().resize_f32(c.in(passes, 2), 2, pass.elements() + 200, c.stream()), "resize");
    return c.done();
  };
  return resize_parity(seed, {u8, f32});
}

/// Buffers of one timed shape; the scratch grows to the number of threads at the first run.
struct U8Work {
  ResizeU8Args args;
  AlignedArray<uint8_t> x, y, scratch;
  int threads = 0;
};

Work u8_work(const ResizeGeometry& g, ResizeFilter filter) {
  auto work = std::make_shared<U8Work>();
  ResizeU8Args& args = work->args;
  args.geometry = g;
  args.filter = filter;
  args.ldx = g.in_width * args.channels;
  args.ldy = g.crop_w * args.channels;
  work->x = AlignedArray<uint8_t>(g.in_height * args.ldx);
  work->y = AlignedArray<uint8_t>(g.crop_h * args.ldy);
  Random random(1);
  for (uint8_t& v : work->x) v = static_cast<uint8_t>(random.next());
  args.x = work->x.data();
  args.y = work->y.data();
  Work w;
  w.shape = describe("bytes", g, args.channels, filter);
  // Only the part of the source under the window is needed.
  w.bytes = static_cast<double>(work->x.size()) * static_cast<double>(g.crop_h * g.crop_w) /
                static_cast<double>(g.out_height * g.out_width) +
            static_cast<double>(work->y.size());
  w.run = [work](Parallel& parallel) {
    if (work->threads < parallel.threads()) {
      work->threads = parallel.threads();
      work->scratch =
          AlignedArray<uint8_t>(static_cast<int64_t>(resize_u8_scratch(work->args, work->threads)));
    }
    resize_u8_cpu(work->args, work->scratch.data(), parallel);
  };
  return w;
}

struct F32Work {
  ResizeF32Args args;
  AlignedArray<float> x, y;
  AlignedArray<uint8_t> scratch;
  int threads = 0;
};

/// A table of learned positions [h, w, d] to another grid.
Work positions_work(int64_t in, int64_t h, int64_t w, int64_t d) {
  auto work = std::make_shared<F32Work>();
  ResizeF32Args& args = work->args;
  args.geometry = {in, in, h, w, 0, 0, h, w};
  args.filter = ResizeFilter::kBicubic;
  args.antialias = false;
  args.channels = d;
  args.x_stride_c = args.y_stride_c = 1;
  args.x_stride_x = args.y_stride_x = d;
  args.x_stride_y = in * d;
  args.y_stride_y = w * d;
  work->x = AlignedArray<float>(in * in * d);
  work->y = AlignedArray<float>(h * w * d);
  Random(1).fill_normal(work->x.begin(), work->x.end());
  args.x = work->x.data();
  args.y = work->y.data();
  Work result;
  result.shape = describe("floats,", args.geometry, d, args.filter);
  result.flops = 2.0 * 4 * static_cast<double>(d) * static_cast<double>(in * h + h * w);
  result.bytes = 4.0 * static_cast<double>(work->x.size() + work->y.size());
  result.run = [work](Parallel& parallel) {
    if (work->threads < parallel.threads()) {
      work->threads = parallel.threads();
      work->scratch =
          AlignedArray<uint8_t>(static_cast<int64_t>(resize_f32_scratch(work->args, work->threads)));
    }
    resize_f32_cpu(work->args, work->scratch.data(), parallel);
  };
  return result;
}

std::vector<Work> works() {
  return {
      u8_work({480, 640, 224, 224, 0, 0, 224, 224}, ResizeFilter::kBilinear),
      u8_work({480, 640, 224, 224, 0, 0, 224, 224}, ResizeFilter::kBicubic),
      u8_work({1080, 1920, 224, 398, 0, 87, 224, 224}, ResizeFilter::kBicubic),
      positions_work(14, 24, 32, 768),
  };
}

}  // namespace

OpCheck resize_check() { return {"resize", parity, works, cuda_parity}; }

}  // namespace sns
