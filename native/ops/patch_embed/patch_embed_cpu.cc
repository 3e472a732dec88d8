#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/patch_embed/patch_embed_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// foreach_target.h must come first.
#include <algorithm>
#include <cstring>

#include "backend/cpu/dispatch.h"
#include "ops/patch_embed/patch_embed.h"

#ifndef SNS_OPS_PATCH_EMBED_JOB_
#define SNS_OPS_PATCH_EMBED_JOB_
namespace sns {
/// What the row source needs to make any patch.
struct PatchJob {
  PatchGeometry geometry;
  ImageView image;
  int64_t grid_w;
  const float *scale, *shift;  ///< [channels]
};
}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using V = hn::Vec<F>;
constexpr int64_t kLanes = HWY_MAX_BYTES / sizeof(float);

HWY_INLINE V LoadFloats(const uint8_t* p) {
  const F d;
  const hn::Rebind<uint8_t, F> d8;
  const hn::RebindToSigned<F> di;
  return hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, p)));
}
HWY_INLINE V LoadFloats(const float* p) { return hn::LoadU(F(), p); }

/// The first n < kLanes lanes of v. Wide vectors have stores that leave the other lanes' memory alone.
HWY_INLINE void StoreFirst(V v, int64_t n, float* out) {
  const F d;
  if constexpr (kLanes >= 8) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(n)), d, out);
  } else {
    HWY_ALIGN float lanes[kLanes];
    hn::Store(v, d, lanes);
    for (int64_t i = 0; i < n; ++i) out[i] = lanes[i];
  }
}

/// out[i] = in[i]·scale + shift, i in [0, n). kPadded: `in` can be read to the end of its last vector.
template <bool kPadded = false, class T>
HWY_INLINE void NormaliseRow(const T* in, int64_t n, float scale, float shift, float* out) {
  const F d;
  const V s = hn::Set(d, scale), t = hn::Set(d, shift);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(hn::MulAdd(LoadFloats(in + i), s, t), d, out + i);
  if (i == n) return;
  if constexpr (kPadded) {
    StoreFirst(hn::MulAdd(LoadFloats(in + i), s, t), n - i, out + i);
  } else if constexpr (kLanes >= 8 && sizeof(T) == sizeof(float)) {
    const auto first = hn::FirstN(d, static_cast<size_t>(n - i));
    StoreFirst(hn::MulAdd(hn::MaskedLoad(first, d, in + i), s, t), n - i, out + i);
  } else {
    for (; i < n; ++i) out[i] = static_cast<float>(in[i]) * scale + shift;
  }
}

/// One channel whose rows are contiguous.
template <class T>
HWY_INLINE void FillPlane(const T* in, int64_t stride_y, const PatchGeometry& g, float scale, float shift,
                          float* out) {
  for (int64_t y = 0; y < g.patch_h; ++y)
    NormaliseRow(in + y * stride_y, g.patch_w, scale, shift, out + y * g.patch_w);
}

/// One channel of floats whose columns are contiguous, as in a [time, mel] spectrogram: 4×4 transposes.
void FillTransposed(const float* in, int64_t stride_x, const PatchGeometry& g, float scale, float shift,
                    float* out) {
  const hn::Full128<float> d;
  const auto s = hn::Set(d, scale), t = hn::Set(d, shift);
  const int64_t h4 = g.patch_h & ~int64_t{3}, w4 = g.patch_w & ~int64_t{3};
  for (int64_t x = 0; x < w4; x += 4) {
    const float* column = in + x * stride_x;
    for (int64_t y = 0; y < h4; y += 4) {
      const auto c0 = hn::MulAdd(hn::LoadU(d, column + y), s, t);
      const auto c1 = hn::MulAdd(hn::LoadU(d, column + stride_x + y), s, t);
      const auto c2 = hn::MulAdd(hn::LoadU(d, column + 2 * stride_x + y), s, t);
      const auto c3 = hn::MulAdd(hn::LoadU(d, column + 3 * stride_x + y), s, t);
      const auto even = hn::InterleaveLower(d, c0, c2), odd = hn::InterleaveLower(d, c1, c3);
      const auto even2 = hn::InterleaveUpper(d, c0, c2), odd2 = hn::InterleaveUpper(d, c1, c3);
      float* to = out + y * g.patch_w + x;
      hn::StoreU(hn::InterleaveLower(d, even, odd), d, to);
      hn::StoreU(hn::InterleaveUpper(d, even, odd), d, to + g.patch_w);
      hn::StoreU(hn::InterleaveLower(d, even2, odd2), d, to + 2 * g.patch_w);
      hn::StoreU(hn::InterleaveUpper(d, even2, odd2), d, to + 3 * g.patch_w);
    }
  }
  for (int64_t y = 0; y < g.patch_h; ++y) {
    for (int64_t x = y < h4 ? w4 : 0; x < g.patch_w; ++x)
      out[y * g.patch_w + x] = in[x * stride_x + y] * scale + shift;
  }
}

/// Three interleaved channels of bytes into three planes, `plane` floats apart. From `in` on, the image has
/// `columns` ≥ patch_w pixels a row.
void FillRgb(const uint8_t* in, int64_t columns, int64_t stride_y, const PatchGeometry& g, const float* scale,
             const float* shift, int64_t plane, float* out) {
  const hn::Full128<uint8_t> d8;
  constexpr int64_t kStep = 16;
  HWY_ALIGN uint8_t pixels[3 * kStep];
  for (int64_t y = 0; y < g.patch_h; ++y, in += stride_y, out += g.patch_w) {
    for (int64_t x = 0; x < g.patch_w; x += kStep) {
      const int64_t n = std::min(kStep, g.patch_w - x);
      const uint8_t* from = in + 3 * x;
      if (x + kStep > columns) {  // nothing beyond the image may be read
        std::memcpy(pixels, from, static_cast<size_t>(3 * n));
        from = pixels;
      }
      hn::Vec<hn::Full128<uint8_t>> r, gr, b;
      hn::LoadInterleaved3(d8, from, r, gr, b);
      hn::Store(r, d8, pixels);
      hn::Store(gr, d8, pixels + kStep);
      hn::Store(b, d8, pixels + 2 * kStep);
      for (int64_t c = 0; c < 3; ++c)
        NormaliseRow<true>(pixels + c * kStep, n, scale[c], shift[c], out + c * plane + x);
    }
  }
}

/// Interleaved channels in, interleaved channels out. The channel of an element repeats with the channels; of
/// a vector, with channels·kLanes elements.
template <class T>
HWY_INLINE void FillInterleaved(const T* in, int64_t stride_y, const PatchGeometry& g, const float* scale,
                                const float* shift, float* out) {
  const F d;
  const int64_t period = g.channels * kLanes, n = g.patch_w * g.channels;
  HWY_ALIGN float s[PatchEmbedWeights::kMaxChannels * kLanes], t[PatchEmbedWeights::kMaxChannels * kLanes];
  for (int64_t i = 0; i < period; ++i) {
    s[i] = scale[i % g.channels];
    t[i] = shift[i % g.channels];
  }
  for (int64_t y = 0; y < g.patch_h; ++y, in += stride_y, out += n) {
    int64_t i = 0, at = 0;
    for (; i + kLanes <= n; i += kLanes) {
      hn::StoreU(hn::MulAdd(LoadFloats(in + i), hn::Load(d, s + at), hn::Load(d, t + at)), d, out + i);
      if ((at += kLanes) == period) at = 0;
    }
    for (; i < n; ++i, ++at) out[i] = static_cast<float>(in[i]) * s[at] + t[at];
  }
}

/// Any strides.
template <class T>
void FillAny(const T* in, const ImageView& image, const PatchGeometry& g, const float* scale,
             const float* shift, int64_t plane, float* out) {
  const bool first = g.order == PatchOrder::kChannelFirst;
  const int64_t to_c = first ? plane : 1, to_x = first ? 1 : g.channels;
  for (int64_t c = 0; c < g.channels; ++c) {
    for (int64_t y = 0; y < g.patch_h; ++y) {
      const T* from = in + c * image.stride_c + y * image.stride_y;
      float* to = out + c * to_c + y * g.patch_w * to_x;
      for (int64_t x = 0; x < g.patch_w; ++x) {
        to[x * to_x] = static_cast<float>(from[x * image.stride_x]) * scale[c] + shift[c];
      }
    }
  }
}

/// One frame of the patch whose first pixel is `in`; the image has `columns` pixels from there to its right
/// edge.
template <class T>
HWY_INLINE void FillFrame(const T* in, int64_t columns, const PatchJob& job, float* out) {
  const PatchGeometry& g = job.geometry;
  const ImageView& image = job.image;
  const int64_t plane = g.frames * g.patch_h * g.patch_w;
  const bool planes = g.order == PatchOrder::kChannelFirst || g.channels == 1;
  if (planes && image.stride_x == 1) {
    for (int64_t c = 0; c < g.channels; ++c) {
      FillPlane(in + c * image.stride_c, image.stride_y, g, job.scale[c], job.shift[c], out + c * plane);
    }
    return;
  }
  if (!planes && image.stride_c == 1 && image.stride_x == g.channels) {
    FillInterleaved(in, image.stride_y, g, job.scale, job.shift, out);
    return;
  }
  if constexpr (sizeof(T) == 1) {
    if (planes && g.channels == 3 && image.stride_c == 1 && image.stride_x == 3) {
      FillRgb(in, columns, image.stride_y, g, job.scale, job.shift, plane, out);
      return;
    }
  } else {
    if (planes && image.stride_y == 1) {
      for (int64_t c = 0; c < g.channels; ++c) {
        FillTransposed(in + c * image.stride_c, image.stride_x, g, job.scale[c], job.shift[c],
                       out + c * plane);
      }
      return;
    }
  }
  FillAny(in, image, g, job.scale, job.shift, plane, out);
}

template <class T>
HWY_INLINE void FillPatch(const T* in, int64_t columns, const PatchJob& job, float* out) {
  const PatchGeometry& g = job.geometry;
  const bool planes = g.order == PatchOrder::kChannelFirst || g.channels == 1;
  const int64_t step = g.patch_h * g.patch_w * (planes ? 1 : g.channels);
  for (int64_t t = 0; t < g.frames; ++t) FillFrame(in + t * job.image.stride_t, columns, job, out + t * step);
}

/// RowSource::fill: patches [row, row+count).
void FillPatches(const void* context, int64_t row, int64_t count, float* out) {
  const PatchJob& job = *static_cast<const PatchJob*>(context);
  const ImageView& image = job.image;
  for (int64_t r = row; r < row + count; ++r, out += job.geometry.patch_size()) {
    const int64_t y = r / job.grid_w * job.geometry.stride_h, x = r % job.grid_w * job.geometry.stride_w;
    const int64_t at = y * image.stride_y + x * image.stride_x;
    if (image.u8) {
      FillPatch(static_cast<const uint8_t*>(image.data) + at, image.width - x, job, out);
    } else {
      FillPatch(static_cast<const float*>(image.data) + at, image.width - x, job, out);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sns {
namespace {

const PatchGeometry& checked(const PatchGeometry& g) {
  if (g.channels < 1 || g.channels > PatchEmbedWeights::kMaxChannels) {
    throw Error(Code::kInvalidShape, "channels", "channels: 1 to 16 are supported",
                PatchEmbedWeights::kMaxChannels);
  }
  if (g.patch_h < 1 || g.patch_w < 1)
    throw Error(Code::kInvalidShape, "patch", "patch: sides must be positive");
  if (g.stride_h < 1 || g.stride_w < 1)
    throw Error(Code::kInvalidShape, "stride", "stride: must be positive");
  if (g.frames < 1) throw Error(Code::kInvalidShape, "frames", "frames: must be positive");
  checked_mul(checked_mul(checked_mul(g.patch_h, g.patch_w, "patch"), g.channels, "patch"), g.frames,
              "patch");
  return g;
}

}  // namespace

PatchEmbedWeights::PatchEmbedWeights(const PatchGeometry& geometry, const float* weight, const float* bias,
                                     int64_t out, const float* scale, const float* shift, Precision precision)
    : geometry_(checked(geometry)),
      linear_(weight, bias, out, geometry.patch_size(), precision),
      bytes_(geometry, weight, bias, out, scale, shift, precision) {
  std::copy(scale, scale + geometry.channels, scale_);
  std::copy(shift, shift + geometry.channels, shift_);
}

size_t patch_embed_scratch(const PatchEmbedWeights& w, int64_t height, int64_t width, int threads) {
  const PatchGeometry& g = w.geometry();
  return std::max(linear_scratch(w.linear(), checked_mul(g.grid_h(height), g.grid_w(width), "grid"), threads),
                  w.bytes().scratch(g, height, width));
}

void patch_embed_cpu(const PatchEmbedWeights& w, const PatchEmbedArgs& args, void* scratch,
                     Parallel& parallel) {
  static constexpr float kOnes[PatchEmbedWeights::kMaxChannels] = {1, 1, 1, 1, 1, 1, 1, 1,
                                                                   1, 1, 1, 1, 1, 1, 1, 1};
  static constexpr float kZeros[PatchEmbedWeights::kMaxChannels] = {};
  const PatchGeometry& g = w.geometry();
  if (args.image.u8 && !args.normalised && w.bytes().usable()) {
    w.bytes().run(g, args, scratch, parallel);
    return;
  }
  const int64_t grid_w = g.grid_w(args.image.width);
  const PatchJob job{g, args.image, grid_w, args.normalised ? kOnes : w.scale(),
                     args.normalised ? kZeros : w.shift()};
  LinearArgs linear;
  linear.rows = g.grid_h(args.image.height) * grid_w;
  linear.y = args.y;
  linear.ldy = args.ldy;
  linear.residual = args.position;
  linear.ld_residual = w.linear().out();
  linear_cpu(w.linear(), RowSource{SNS_DISPATCH(FillPatches), &job}, linear, scratch, parallel);
}

}  // namespace sns
#endif  // HWY_ONCE
