#include "pipeline/cuda/image.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "pipeline/cuda/bucket.h"
#include "pipeline/fold.h"
#include "pipeline/positions.h"

namespace sns {
namespace {

/// Resized pictures of a batch are kept side by side, with what is between their passes, up to this much, or
/// at least one.
constexpr int64_t kMostPixels = int64_t{128} << 20;

std::vector<PatchEmbedCudaWeights> packed(const CudaDevicePtr& device, const ImageTokenizer& host,
                                          PixelSource source, const ImageTensors& tensors, int64_t d,
                                          std::vector<CudaBlock>& blocks) {
  const PatchEmbedWeights& patch = host.patch();
  const PatchGeometry& g = patch.geometry();
  std::vector<PatchEmbedCudaWeights> parts;
  const AlignedArray<float> weight = patch_weight(host.config(), d, tensors);
  for (int64_t part = 0; part < patch_embed_cuda_parts(g); ++part) {
    blocks.push_back(
        CudaBlock::packed(device, patch_embed_cuda_bytes(g, d, part), [&](void* memory, void* on_device) {
          parts.push_back(pack_patch_embed_cuda(g, source, weight.data(), patch.linear().bias(), d,
                                                patch.scale(), patch.shift(), part, memory, on_device));
        }));
  }
  return parts;
}

}  // namespace

CudaImage::CudaImage(const CudaDevicePtr& device, const ImageTokenizer& host, const ImageTensors& tensors,
                     int64_t d)
    : host_(host),
      bytes_(packed(device, host, PixelSource::kU8Interleaved, tensors, d, blocks_)),
      floats_(packed(device, host, PixelSource::kF32PlanarFinished, tensors, d, blocks_)) {
  const ImageConfig& c = host.config();
  if (c.position == Position::kFourierAdd) {
    fourier_ =
        CudaLinear(device, tensors.fourier_weight, host.fourier_layer().bias(), d, host.feature_width());
  }
  if (c.position == Position::kFourierConcat) {
    const AlignedArray<float> concat = folded(host.concat_modality(), 1, d, nullptr);
    const std::vector<float> zeros(static_cast<size_t>(d));
    concat_ = CudaArray<float>(device, concat.data() ? concat.data() : zeros.data(), d);
  }
  if (c.position != Position::kLearned) return;
  position_ = CudaArray<float>(device, host.own_positions(c.grid_h, c.grid_w), c.grid_h * c.grid_w * d);
}

CudaPictures::CudaPictures(const CudaImage& image, const CudaDevicePtr& device, const SessionLimits& limits,
                           const float* modality)
    : image_(image),
      limits_(limits),
      d_model_(image.patch(Format::kU8Hwc).front().linear.out),
      modality_(modality) {
  const ResizeConfig& resize = image.host().config().resize;
  int64_t between = 0;
  if (!resize.none() && limits.max_pixels > 0) {
    for (const ResizePlan& p : extreme_resizes(resize, limits.max_pixels)) {
      between = std::max(between, workspace(p));
    }
    between = round_up(between + between / 4, kAlign);
  }
  const int64_t pixels = round_up(image.host().resize_space(limits.max_pixels, 1).bytes, kAlign);
  const int64_t one = checked_mul(checked_add(pixels, between, "max_pixels"),
                                  image.host().config().geometry.frames, "max_pixels");
  const int64_t all = checked_mul(one, limits.max_items, "max_pixels");
  pixel_capacity_ = std::min(all, std::max(one, kMostPixels));
  if (image.host().config().position != Position::kSinCos) return;
  const int64_t patches = image.host().max_patches(limits.max_pixels, limits.max_tokens);
  AlignedArray<float> axis(checked_mul(patches, d_model_ / 2, "max_pixels"));
  sincos_axis(patches, d_model_ / 2, axis.data());
  axis_ = CudaArray<float>(device, axis.data(), axis.size());
}

int64_t CudaPictures::workspace(const ResizePlan& plan) const {
  const ImageConfig& c = image_.host().config();
  return static_cast<int64_t>(resize_u8_cuda_workspace(resize_args(c.resize, plan, c.geometry.channels)));
}

bool CudaPictures::fits(const ItemPlan& plan) const { return room(0, plan); }

void CudaPictures::lay_out(Carver& carver) {
  pixels_ = carver.take<uint8_t>(pixel_capacity_);
  if (!image_.host().makes_positions()) return;
  positions_ = carver.take<float>(checked_mul(limits_.max_tokens, d_model_, "max_tokens"));
  const int64_t width = image_.host().feature_width();
  if (width > 0) features_ = carver.take<float>(checked_mul(limits_.max_tokens, width, "max_tokens"));
}

bool CudaPictures::resized(const ItemPlan& plan) const {
  const ResizePlan& r = plan.image.resize;
  return plan.item.format != Format::kF32Chw && !image_.host().config().resize.none() &&
         !(r.unchanged() && !r.padded());
}

int64_t CudaPictures::frame_bytes(const ResizePlan& r) const {
  return round_up(r.height * r.width * image_.host().config().geometry.channels, kAlign);
}

int64_t CudaPictures::pixel_bytes(const ItemPlan& plan) const {
  const ResizePlan& resize = plan.image.resize;
  return resized(plan) ? frames(plan.item.format) * (frame_bytes(resize) + workspace(resize)) : 0;
}

bool CudaPictures::room(int64_t used, const ItemPlan& plan) const {
  return used + pixel_bytes(plan) <= pixel_capacity_;
}

int64_t CudaPictures::parcel_bytes() const {
  const int64_t items = limits_.max_items, align = static_cast<int64_t>(kAlign);
  // Every picture may be a batch of its own, and a bucket is no more than a quarter or 16 larger.
  const int64_t grid_rows = limits_.max_tokens + limits_.max_tokens / 4 + 16 * items;
  int64_t bytes =
      items * (static_cast<int64_t>(sizeof(PatchEmbedCudaItem) + kResizePasses * sizeof(ResizeU8Pass) +
                                    sizeof(ResizeF32Pass) + sizeof(PackSegment)) +
               8 * align);
  if (axis_.data()) bytes += grid_rows * 2 * static_cast<int64_t>(sizeof(PackSegment));
  if (is_fourier(image_.host().config().position)) bytes += FourierGrids::parcel_bytes(grid_rows);
  return bytes;
}

bool CudaPictures::fixed(const ItemPlan& plan) const {
  const ImageConfig& c = image_.host().config();
  if (c.position == Position::kLearned && !image_.host().makes_positions()) return true;
  return plan.item.format != Format::kF32Chw && (c.resize.mode == ResizeMode::kSquash || c.resize.crop_h > 0);
}

int64_t CudaPictures::extra_bytes(const ItemPlan& plan, const ItemPlan* before) const {
  CudaPicture picture, previous;
  picture.plan = &plan;
  previous.plan = before;
  DeviceBlock count(nullptr, nullptr);
  put_extra(picture, before ? &previous : nullptr, nullptr, count);
  return static_cast<int64_t>(count.bytes());
}

int64_t CudaPictures::most_extra_bytes() const {
  const ImageConfig& c = image_.host().config();
  const int64_t channels = c.geometry.channels;
  int64_t most = 0;
  if (!c.resize.none()) {
    for (const ResizePlan& p : extreme_resizes(c.resize, limits_.max_pixels)) {
      most = std::max(most, static_cast<int64_t>(resize_u8_cuda_bytes(resize_args(c.resize, p, channels))));
    }
    most += most / 4;
  }
  const int64_t patches = image_.host().max_patches(limits_.max_pixels, limits_.max_tokens);
  if (is_fourier(c.position)) {
    const int64_t width = fourier_width(c.fourier_bands) * static_cast<int64_t>(sizeof(float));
    most += (patches + 1) * width + 2 * static_cast<int64_t>(kAlign);
  } else if (c.position == Position::kLearned && image_.host().makes_positions()) {
    most += static_cast<int64_t>(resize_f32_cuda_bytes(image_.host().interpolation(1, patches)) +
                                 resize_f32_cuda_bytes(image_.host().interpolation(patches, 1)));
  }
  return most;
}

/// The tables of one picture; with an empty block they are only counted.
void CudaPictures::put_extra(CudaPicture& p, const CudaPicture* before, float* positions,
                             DeviceBlock& block) const {
  const ItemPlan& plan = *p.plan;
  const ImageConfig& c = image_.host().config();
  const auto put = [&block](size_t bytes, auto&& pack) {
    const unsigned char* device = nullptr;
    unsigned char* host = block.take(static_cast<int64_t>(bytes), &device);
    if (device) pack(host, const_cast<unsigned char*>(device));
  };
  if (resized(plan)) {
    const ResizeU8Args args = resize_args(c.resize, plan.image.resize, c.geometry.channels);
    const auto size = [](const ItemPlan& p) { return std::make_pair(p.item.dims[0], p.item.dims[1]); };
    const bool same = before && size(*before->plan) == size(plan);
    // Of the size before, its tables serve; the room is taken, so that it does not tell one request's bucket
    // from another's whose sizes come in another order.
    put(resize_u8_cuda_bytes(args), [&](void* host, void* device) {
      p.resize = same ? before->resize : pack_resize_u8_cuda(args, host, device);
    });
  }
  if (!image_.host().makes_positions()) {
    p.position = image_.position();
    return;
  }
  if (before && before->plan->grid_h == plan.grid_h && before->plan->grid_w == plan.grid_w) {
    p.position = before->position;
    return;
  }
  if (c.position == Position::kLearned && plan.grid_h == c.grid_h && plan.grid_w == c.grid_w) {
    p.position = image_.position();
    return;
  }
  p.makes_position = true;
  p.position = positions;
  if (c.position == Position::kLearned) {
    const ResizeF32Args args = image_.host().interpolation(plan.grid_h, plan.grid_w);
    put(resize_f32_cuda_bytes(args),
        [&](void* host, void* device) { p.interpolation = pack_resize_f32_cuda(args, host, device); });
    return;
  }
  if (is_fourier(c.position)) {
    p.fourier = put_fourier(plan.grid_h, plan.grid_w, c.grid_h, c.grid_w, c.fourier_bands, block);
  }
}

void CudaPictures::reserve(DeviceBlock& parcel, Batch& batch) const {
  batch.host = parcel.take(batch.count, &batch.args.items);
  int64_t* rows = parcel.take<int64_t>(1, &batch.args.rows);
  batch.args.count = batch.count;
  *rows = 0;
  int64_t grid_rows = 0, longest = 0;
  bool same = true, resizes = false;
  for (int64_t i = 0; i < batch.count; ++i) {
    const ItemPlan& plan = *batch.pictures[i].plan;
    *rows += plan.body;
    grid_rows += plan.grid_h;
    longest = std::max(longest, plan.grid_w);
    same = same && fixed(plan);
    resizes = resizes || resized(plan);
  }
  if (resizes) {
    batch.passes_host = parcel.take(kResizePasses * batch.count, &batch.passes);
    std::fill_n(batch.passes_host, kResizePasses * batch.count, ResizeU8Pass());
  }
  batch.args.max_rows = same ? *rows : bucket(*rows, limits_.max_tokens);
  if (!image_.host().makes_positions()) return;
  grid_rows = same ? grid_rows : bucket(grid_rows);
  const ImageConfig& c = image_.host().config();
  if (axis_.data()) batch.grids.reserve(parcel, grid_rows, bucket(longest));
  if (is_fourier(c.position)) batch.fourier.reserve(parcel, grid_rows, bucket(longest));
  if (c.position == Position::kFourierConcat) batch.channels_host = parcel.take(1, &batch.channels);
  if (c.position == Position::kLearned) {
    batch.interpolations_host = parcel.take(batch.count, &batch.interpolations);
    std::fill_n(batch.interpolations_host, batch.count, ResizeF32Pass());
  }
}

/// The picture's part of what makes the batch's positions.
void CudaPictures::add_position(Batch& batch, int64_t i) const {
  const CudaPicture& p = batch.pictures[i];
  const int64_t grid_h = p.plan->grid_h, grid_w = p.plan->grid_w;
  const ImageConfig& c = image_.host().config();
  if (axis_.data()) {
    batch.grids.add(axis_.data(), d_model_, grid_h, grid_w, modality_);
  } else if (is_fourier(c.position)) {
    const bool concat = c.position == Position::kFourierConcat;
    batch.fourier.add(p.fourier, c.fourier_bands, grid_h, grid_w,
                      concat ? image_.concat() + patch_width(c, d_model_) : nullptr);
  } else {
    ResizeF32Pass& pass = batch.interpolations_host[i];
    pass = {p.interpolation, image_.host().interpolation(grid_h, grid_w)};
    pass.args.x = image_.position();
    pass.args.y = const_cast<float*>(p.position);
    batch.most_interpolated = std::max(batch.most_interpolated, bucket(grid_h * grid_w) * d_model_);
  }
}

void CudaPictures::stage(Batch& batch, DeviceBlock* extra) const {
  for (int64_t i = 0; i < batch.count; ++i) {
    CudaPicture& p = batch.pictures[i];
    put_extra(p, i > 0 ? &batch.pictures[i - 1] : nullptr, const_cast<float*>(p.position), extra[i]);
  }
}

void CudaPictures::put_passes(const CudaPicture& p, Format format, void* workspace, ResizeU8Pass* first,
                              ResizeU8Pass* second) const {
  const ImageConfig& c = image_.host().config();
  const ResizePlan& plan = p.plan->image.resize;
  ResizeU8Args args = resize_args(c.resize, plan, c.geometry.channels);
  args.x = static_cast<const uint8_t*>(p.data);
  args.y = p.pixels + plan.pad_y * args.ldy + plan.pad_x * c.geometry.channels;
  const bool more = frames(format) > 1;
  resize_u8_cuda_passes(p.resize, args, more ? plan.in_h * plan.in_w * c.geometry.channels : 0,
                        more ? frame_bytes(plan) : 0, workspace, first, second);
}

void CudaPictures::fill(Batch& batch) const {
  const int64_t channels = image_.host().config().geometry.channels;
  int64_t pixels = 0, between = pixel_capacity_, positions = 0, row = 0;
  bool padded = false;
  for (int64_t i = 0; i < batch.count; ++i) {
    CudaPicture& p = batch.pictures[i];
    const ItemPlan& plan = *p.plan;
    DeviceBlock there(nullptr, p.tables);  // filled by stage()
    put_extra(p, i > 0 ? &batch.pictures[i - 1] : nullptr, positions_ + positions * d_model_, there);
    if (p.makes_position) {
      add_position(batch, i);
      positions += plan.body;
    }
    PatchEmbedCudaItem& item = batch.host[i];
    const int64_t height = plan.item.dims[0], width = plan.item.dims[1];
    item = {};
    item.data = p.data;
    if (batch.format != Format::kF32Chw) {
      item.stride_c = 1;
      item.stride_x = channels;
      item.stride_y = channels * width;
      if (frames(batch.format) > 1) item.stride_t = channels * width * height;
      const ResizePlan& resize = plan.image.resize;
      if (resized(plan)) {
        p.pixels = pixels_ + pixels;
        pixels += frames(batch.format) * frame_bytes(resize);
        between -= frames(batch.format) * workspace(resize);
        item.data = p.pixels;
        item.stride_y = channels * resize.width;
        if (frames(batch.format) > 1) item.stride_t = frame_bytes(resize);
        padded = padded || resize.padded();
        ResizeU8Pass* const passes = batch.passes_host + i;
        put_passes(p, batch.format, pixels_ + between, passes, passes + batch.count);
        for (int k = 0; k < kResizePasses; ++k) {
          batch.most[k] = std::max(batch.most[k], bucket(passes[k * batch.count].blocks()));
        }
      } else if (!image_.host().config().resize.none()) {  // at most a crop: a matter of strides
        item.data = static_cast<const uint8_t*>(p.data) + (resize.crop_y * width + resize.crop_x) * channels;
      }
    } else {
      item.stride_x = 1;
      item.stride_y = width;
      item.stride_c = height * width;
    }
    item.grid_w = plan.grid_w;
    item.position = p.position;
    item.y = p.y;
    item.ldy = d_model_;
    item.first_row = row;
    row += plan.body;
  }
  if (padded) batch.cleared = bucket(pixels, pixel_capacity_);
  if (batch.channels_host) *batch.channels_host = {image_.concat(), 0, positions, nullptr, nullptr};
}

void CudaPictures::make_positions(const CudaStream& stream, const Batch& batch) const {
  const ImageConfig& c = image_.host().config();
  batch.grids.run(stream, d_model_, positions_);
  if (batch.most_interpolated > 0) {
    stream.check(
        stream.ops().resize_f32(batch.interpolations, batch.count, batch.most_interpolated, stream.get()),
        "resize");
  }
  if (batch.fourier.count == 0) return;
  if (const int64_t width = image_.host().feature_width()) {
    batch.fourier.run(stream, c.fourier_bands, features_, width);
    image_.fourier().run(stream, features_, width, batch.args.max_rows, positions_, d_model_);
    return;
  }
  const int64_t first = patch_width(c, d_model_);
  batch.fourier.run(stream, c.fourier_bands, positions_ + first, d_model_);
  stream.check(
      stream.ops().pack({batch.channels, 1, first, positions_, d_model_, batch.args.max_rows}, stream.get()),
      "pack");
}

void CudaPictures::run(const CudaStream& stream, const Batch& batch) const {
  make_positions(stream, batch);
  if (batch.cleared > 0) stream.fill(pixels_, 0, batch.cleared);
  for (int k = 0; batch.passes && k < kResizePasses; ++k) {
    stream.check(stream.ops().resize_u8(batch.passes + k * batch.count, batch.count, batch.most[k],
                                        frames(batch.format), stream.get()),
                 "resize");
  }
  if (batch.args.max_rows == 0) return;
  for (const PatchEmbedCudaWeights& part : image_.patch(batch.format)) {
    stream.check(stream.ops().patch_embed(part, batch.args, stream.precision(), stream.get()), "patch_embed");
  }
}

}  // namespace sns
