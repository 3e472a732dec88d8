#include <cstdio>
#include <memory>

#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/yuv/yuv_check.h"
#include "ops/yuv/yuv_cuda.h"

namespace sns {
namespace {

std::string describe(const YuvArgs& args) {
  constexpr const char* kNames[] = {"BT.601", "BT.709", "BT.2020", "SMPTE 240M", "FCC"};
  char text[100];
  std::snprintf(text, sizeof text, "%lldx%lld 4:2:0 to RGB, %s, %s range",
                static_cast<long long>(args.height), static_cast<long long>(args.width),
                kNames[static_cast<int>(args.matrix)], args.full_range ? "full" : "limited");
  return text;
}

/// A plane that ends where its last row's bytes end, so that a read beyond them is one beyond the allocation.
struct Plane {
  AlignedArray<uint8_t> bytes;
  int64_t ld;
  Plane(Random& random, int64_t height, int64_t width, bool extreme)
      : ld(width + (random.coin() ? random.integer(1, 40) : 0)) {
    bytes = AlignedArray<uint8_t>((height - 1) * ld + width);
    for (uint8_t& v : bytes) {
      v = static_cast<uint8_t>(extreme ? 255 * random.integer(0, 1) : random.integer(0, 255));
    }
  }
};

}  // namespace

Parity yuv_parity(uint64_t seed, const std::function<bool(const YuvArgs& args)>& kernel) {
  Random random(seed);
  YuvArgs args;
  args.height = random.integer(kYuvLeast, random.integer(0, 3) == 0 ? 200 : 40);
  args.width = random.integer(kYuvLeast, random.integer(0, 3) == 0 ? 400 : 80);
  args.matrix = static_cast<YuvMatrix>(random.integer(0, 4));
  args.full_range = random.coin();
  const bool extreme = random.coin();  // drives the windows' lobes and the sums beyond both bounds
  const int64_t half_h = ceil_div(args.height, 2), half_w = ceil_div(args.width, 2);
  const Plane y(random, args.height, args.width, extreme), u(random, half_h, half_w, extreme),
      v(random, half_h, half_w, extreme);
  args.y = y.bytes.data();
  args.ldy = y.ld;
  args.u = u.bytes.data();
  args.ldu = u.ld;
  args.v = v.bytes.data();
  args.ldv = v.ld;
  const int64_t width = 3 * args.width;
  args.ldrgb = width + (random.coin() ? random.integer(1, 40) : 0);
  Guarded<uint8_t> rgb((args.height - 1) * args.ldrgb + width), before(rgb.size());
  args.rgb = rgb.data();
  const bool scratch_ok = kernel(args);

  AlignedArray<uint8_t> ref(args.height * width);
  yuv_ref(args, ref.data());
  Parity p;
  p.shape = describe(args);
  p.measure = "mismatches";
  p.guards_ok = rgb.intact() && scratch_ok;
  for (int64_t i = 0; i < rgb.size(); ++i) {
    const int64_t row = i / args.ldrgb, column = i % args.ldrgb;
    if (column < width) {
      p.error += rgb[i] != ref[row * width + column];
    } else if (rgb[i] != before[i]) {
      p.guards_ok = false;
    }
  }
  return p;
}

namespace {

Parity parity(uint64_t seed, Parallel& parallel) {
  return yuv_parity(seed, [&](const YuvArgs& args) {
    Guarded<unsigned char> scratch(static_cast<int64_t>(yuv_scratch(args, parallel.threads())));
    yuv_cpu(args, scratch.data(), parallel);
    return scratch.intact();
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return yuv_parity(seed, [&](YuvArgs a) {
    CudaCase c(device);
    const auto tables = c.packed(
        yuv_cuda_bytes(a), [&](void* host, void* on_device) { return pack_yuv_cuda(a, host, on_device); });
    const int64_t half_h = ceil_div(a.height, 2), half_w = ceil_div(a.width, 2);
    a.rgb = c.out(a.rgb, a.height, 3 * a.width, a.ldrgb);
    a.y = c.in(a.y, a.height, a.width, a.ldy);
    a.u = c.in(a.u, half_h, half_w, a.ldu);
    a.v = c.in(a.v, half_h, half_w, a.ldv);
    c.check(c.ops().yuv(tables, a, c.stream()), "yuv");
    return c.done();
  });
}

/// Buffers of one timed shape; the scratch grows to the number of threads at the first run.
struct YuvWork {
  YuvArgs args;
  AlignedArray<uint8_t> planes, rgb, scratch;
  int threads = 0;
};

Work yuv_work(int64_t height, int64_t width) {
  auto work = std::make_shared<YuvWork>();
  YuvArgs& args = work->args;
  args.height = height;
  args.width = width;
  args.ldy = width;
  args.ldu = args.ldv = width / 2;
  args.ldrgb = 3 * width;
  work->planes = AlignedArray<uint8_t>(height * width * 3 / 2);
  work->rgb = AlignedArray<uint8_t>(height * args.ldrgb);
  Random random(1);
  for (uint8_t& v : work->planes) v = static_cast<uint8_t>(random.next());
  args.y = work->planes.data();
  args.u = args.y + height * width;
  args.v = args.u + height * width / 4;
  args.rgb = work->rgb.data();
  Work w;
  w.shape = describe(args);
  w.bytes = static_cast<double>(work->planes.size() + work->rgb.size());
  w.run = [work](Parallel& parallel) {
    if (work->threads < parallel.threads()) {
      work->threads = parallel.threads();
      work->scratch = AlignedArray<uint8_t>(static_cast<int64_t>(yuv_scratch(work->args, work->threads)));
    }
    yuv_cpu(work->args, work->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() { return {yuv_work(360, 640), yuv_work(1080, 1920)}; }

}  // namespace

OpCheck yuv_check() { return {"yuv", parity, works, cuda_parity}; }

}  // namespace sns
