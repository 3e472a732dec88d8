#include "pipeline/cuda/audio.h"

#include <algorithm>
#include <vector>

#include "pipeline/cuda/bucket.h"
#include "pipeline/cuda/stages.h"
#include "pipeline/positions.h"

namespace sns {
namespace {

/// Features of a batch are kept side by side up to this many rows, or at least those of one sound.
constexpr int64_t kMostRows = int64_t{1} << 17;
/// Likewise where windows and spectra, or what lies between two convolutions, are in memory, too.
constexpr int64_t kMostWideRows = 4096;

/// A frame is a patch of all bins.
PatchGeometry frame_geometry(const AudioConfig& c) {
  PatchGeometry g;
  g.channels = 1;
  g.patch_h = g.stride_h = c.log_mel.n_mels;
  g.patch_w = g.stride_w = 1;
  return g;
}

}  // namespace

CudaAudio::CudaAudio(const CudaDevicePtr& device, const AudioTokenizer& host, const AudioTensors& tensors,
                     int64_t d)
    : host_(host) {
  const AudioConfig& c = host.config();
  fft_ = fft_for(*device, c.log_mel, "audio.log_mel.n_fft");
  plan_block_ = CudaBlock::packed(
      device, log_mel_cuda_bytes(host.plan()),
      [&](void* memory, void* on_device) { plan_ = pack_log_mel_cuda(host.plan(), memory, on_device); });
  const int64_t mels = c.log_mel.n_mels;
  if (host.convolved()) {
    conv1_ = CudaLinear(device, turned_convolution(tensors.weight, d, mels).data(), tensors.bias, d,
                        kConvolutionTaps * mels);
    conv2_ = CudaLinear(device, turned_convolution(tensors.weight2, d, d).data(), tensors.bias2, d,
                        kConvolutionTaps * d);
  } else {
    const PatchGeometry g = host.patches() ? host.patch().geometry() : frame_geometry(c);
    const float* bias = host.patches() ? host.patch().linear().bias() : host.frame().bias();
    const float scale = 1, shift = 0;
    patch_block_ =
        CudaBlock::packed(device, patch_embed_cuda_bytes(g, d, 0), [&](void* memory, void* on_device) {
          patch_ = pack_patch_embed_cuda(g, PixelSource::kF32Transposed, tensors.weight, bias, d, &scale,
                                         &shift, 0, memory, on_device);
        });
    if (host.patches() && c.norm) norm_.emplace(device, tensors.norm, d, c.norm_eps);
  }
  position_ = CudaArray<float>(device, host.position(), host.positions() * d);
  const std::vector<float> pad(static_cast<size_t>(mels), c.pad_value);
  pad_ = CudaArray<float>(device, pad.data(), mels);
  const std::vector<float> zero(static_cast<size_t>(std::max(mels, d)));
  zero_ = CudaArray<float>(device, zero.data(), std::max(mels, d));
}

CudaSounds::CudaSounds(const CudaAudio& audio, const CudaDevicePtr& device, const SessionLimits& limits,
                       const float* added, const float* added_on_device)
    : audio_(audio), device_(device), limits_(limits), added_(added_on_device) {
  const AudioTokenizer& host = audio.host();
  d_model_ = host.convolved() ? audio.conv1().out() : audio.patch().linear.out;
  int64_t one = std::max(host.max_feature_rows(limits.max_samples), host.max_used_frames(limits.max_tokens));
  if (host.convolved()) one = round_up(checked_add(one, 2 * margin(), "max_samples"), 2);
  const bool wide = audio.fft() || host.convolved();
  row_capacity_ = std::min(checked_mul(one, limits.max_items, "max_samples"),
                           std::max(one, wide ? kMostWideRows : kMostRows));
  if (audio.fft()) {
    row_capacity_ = round_up(row_capacity_, CudaFftPlan::kRows);
    fft_.emplace(audio.fft(), 2 * audio.plan().half, audio.plan().wide);
  }
  if (host.config().position != Position::kSinCos) return;
  const int64_t tokens = host.max_tokens(limits.max_tokens);
  if (host.patches()) {
    AlignedArray<float> axis(checked_mul(tokens, d_model_ / 2, "max_tokens"));
    sincos_axis(tokens, d_model_ / 2, axis.data());
    axis_ = CudaArray<float>(device, axis.data(), axis.size());
  } else {
    AlignedArray<float> frames(checked_mul(tokens, d_model_, "max_tokens"));
    sincos_1d(tokens, d_model_, added, frames.data());
    frames_ = CudaArray<float>(device, frames.data(), frames.size());
  }
}

void CudaSounds::lay_out(Carver& carver) {
  const AudioTokenizer& host = audio_.host();
  features_ = carver.take<float>(checked_mul(row_capacity_, host.config().log_mel.n_mels, "max_samples"));
  if (fft_) {
    const int64_t n = 2 * audio_.plan().half;  // odd transforms are computed at twice their length
    const int64_t size = audio_.plan().wide ? sizeof(double) : sizeof(float);
    windows_ = carver.take<unsigned char>(checked_mul(row_capacity_, n * size, "max_samples"));
    spectrum_ = carver.take<unsigned char>(checked_mul(row_capacity_, (n + 2) * size, "max_samples"));
  }
  const auto take = [&](int64_t rows) {
    return carver.take<float>(checked_mul(rows, d_model_, "max_tokens"));
  };
  if (host.convolved()) {
    hidden_ = take(row_capacity_);
    bodies_ = take(row_capacity_ / 2);
  }
  if (audio_.norm()) bodies_ = take(limits_.max_tokens);
  if (axis_.data()) positions_ = take(limits_.max_tokens);
}

int64_t CudaSounds::scratch() const {
  return static_cast<int64_t>(device_->ops().log_mel_workspace(audio_.plan(), limits_.max_items));
}

int64_t CudaSounds::rows(const ItemPlan& plan) const {
  const int64_t rows = std::max(frames(plan), plan.audio.used_frames);
  // The second convolution has a stride of two: it meets the beginning of every sound.
  return audio_.host().convolved() ? round_up(rows + 2 * margin(), 2) : rows;
}

int64_t CudaSounds::parcel_bytes() const {
  // Every sound may be a batch of its own, and the pieces of a batch are aligned.
  const int64_t sound = static_cast<int64_t>(sizeof(LogMelCudaItem) + sizeof(PatchEmbedCudaItem) +
                                             8 * sizeof(PackSegment) + 8 * kAlign);
  const int64_t grid =
      axis_.data() ? 2 * static_cast<int64_t>(sizeof(PackSegment)) * audio_.host().config().log_mel.n_mels
                   : 0;
  return limits_.max_items * (sound + grid);
}

void CudaSounds::reserve(DeviceBlock& parcel, Batch& b) const {
  const AudioTokenizer& host = audio_.host();
  int64_t rows_count = 0, tokens = 0, frames_count = 0, longest_row = 0, longest = 0, longest_grid = 0;
  bool pad = host.convolved();
  for (int64_t i = 0; i < b.count; ++i) {
    const ItemPlan& plan = *b.sounds[i].plan;
    rows_count += rows(plan);
    tokens += plan.body;
    frames_count += plan.audio.frames;
    longest_row = std::max(longest_row, rows(plan));
    longest = std::max(longest, plan.body);
    longest_grid = std::max(longest_grid, plan.grid_w);
    pad = pad || padded(plan);
  }
  const auto most = [this](int64_t n, int64_t limit) { return fixed() ? n : bucket(n, limit); };
  b.longest = most(longest, limits_.max_tokens);
  if (b.format != Format::kF32Features) {
    b.clips_host = parcel.take(b.count, &b.clips.items);
    b.clips.count = b.count;
    b.clips.s16 = b.format == Format::kS16Pcm;
    b.fused = !pad && !fft_ && !host.patches() && device_->ops().log_mel_linear_serves(audio_.plan());
    b.clips.max_frames = b.fused ? most(tokens, limits_.max_tokens) : bucket(frames_count, row_capacity_);
  }
  b.pad_count = pad ? segments() * b.count : 0;
  b.pad_rows = pad ? bucket(longest_row) : 0;
  if (pad) b.pad_host = parcel.take(b.pad_count, &b.pad);
  if (b.fused) return;
  if (host.convolved() || audio_.norm()) b.place_host = parcel.take(b.count, &b.place);
  if (host.convolved()) {
    b.rows = bucket(rows_count, row_capacity_);
    b.ends_host = parcel.take(3 * b.count, &b.ends);
    return;
  }
  b.patches_host = parcel.take(b.count, &b.patches.items);
  *parcel.take<int64_t>(1, &b.patches.rows) = tokens;
  b.patches.count = b.count;
  b.patches.max_rows = most(tokens, limits_.max_tokens);
  if (!axis_.data()) return;
  b.grids.reserve(parcel, b.sounds[0].plan->grid_h * b.count, most(longest_grid, limits_.max_tokens));
}

void CudaSounds::fill(Batch& b) const {
  const int64_t mels = audio_.host().config().log_mel.n_mels, d = d_model_;
  int64_t row = 0, frame = 0, token = 0, grid = 0, made = 0;
  for (int64_t i = 0; i < b.count; ++i) {
    const CudaSound& sound = b.sounds[i];
    const ItemPlan& plan = *sound.plan;
    const int64_t used = plan.audio.used_frames;
    float* features = features_ + (row + margin()) * mels;
    const int64_t frames = b.fused ? plan.body : plan.audio.frames;
    if (b.clips_host) {
      b.clips_host[i] = {sound.data, plan.item.dims[0], frames, frame, features, mels};
      if (b.fused) b.clips_host[i].y = sound.y, b.clips_host[i].ldy = d;
    }
    if (b.pad_count > 0) {
      const float* from = b.clips_host ? features : static_cast<const float*>(sound.data);
      PackSegment* to = b.pad_host + segments() * i;
      if (margin() > 0) {
        const int64_t read = std::min(plan.audio.frames, used);
        to[0] = {audio_.zero(), 0, 1, nullptr, nullptr};
        to[1] = {from, mels, read, nullptr, nullptr};
        to[2] = {audio_.pad(), 0, used - read, nullptr, nullptr};
        to[3] = {audio_.zero(), 0, rows(plan) - 1 - used, nullptr, nullptr};
      } else {
        const int64_t read = CudaSounds::frames(plan);
        to[0] = {from, mels, read, nullptr, nullptr};
        to[1] = {audio_.pad(), 0, rows(plan) - read, nullptr, nullptr};
      }
    }
    const float* position = this->position();
    if (b.grids.count > 0) {
      const ItemPlan* before = i > 0 ? b.sounds[i - 1].plan : nullptr;
      if (!before || before->grid_w != plan.grid_w) {
        grid = made;
        made += plan.body;
        b.grids.add(axis_.data(), d, plan.grid_h, plan.grid_w, added_);
      }
      position = positions_ + grid * d;
    }
    const float* body = bodies_ + token * d;
    if (b.ends_host) {
      PackSegment* to = b.ends_host + 3 * i;
      to[0] = {audio_.zero(), 0, 1, nullptr, nullptr};
      to[1] = {hidden_ + (row + 1) * d, d, used, nullptr, nullptr};
      to[2] = {audio_.zero(), 0, rows(plan) - 1 - used, nullptr, nullptr};
      body = bodies_ + row / 2 * d;
    }
    if (b.place_host) b.place_host[i] = {body, d, plan.body, nullptr, position, sound.y};
    if (b.patches_host) {
      PatchEmbedCudaItem& item = b.patches_host[i];
      item = {};
      item.data = source(b, i, row);
      item.stride_y = 1;
      item.stride_x = mels;
      item.grid_w = plan.grid_w;
      item.position = b.place_host ? nullptr : position;
      item.y = b.place_host ? bodies_ + token * d : sound.y;
      item.ldy = d;
      item.first_row = token;
    }
    row += rows(plan);
    frame += frames;
    token += plan.body;
  }
}

/// Features of sound i, whose rows begin at `row` of the batch.
const float* CudaSounds::source(const Batch& b, int64_t i, int64_t row) const {
  if (b.format == Format::kF32Features && b.pad_count == 0)
    return static_cast<const float*>(b.sounds[i].data);
  return features_ + row * audio_.host().config().log_mel.n_mels;
}

/// As AudioTokenizer::convolve, all sounds at once; each one's features have rows of zeros on both sides.
void CudaSounds::convolve(const CudaStream& stream, const Batch& b) const {
  const int64_t mels = audio_.host().config().log_mel.n_mels, d = d_model_;
  LinearArgs first;
  first.x = features_;
  first.rows = b.rows - 2;
  first.ldx = mels;
  first.y = hidden_ + d;
  first.ldy = d;
  first.activation = Activation::kGelu;
  stream.check(stream.ops().linear(audio_.conv1().weights(), first, stream.precision(), stream.get()),
               "linear");
  stream.check(stream.ops().pack({b.ends, 3 * b.count, d, hidden_, d, b.pad_rows}, stream.get()), "pack");
  LinearArgs second;
  second.x = hidden_;
  second.rows = b.rows / 2 - 1;
  second.ldx = 2 * d;
  second.y = bodies_;
  second.ldy = d;
  second.activation = Activation::kGelu;
  stream.check(stream.ops().linear(audio_.conv2().weights(), second, stream.precision(), stream.get()),
               "linear");
}

void CudaSounds::run(const CudaStream& stream, const Batch& b, const CudaScratch& scratch) const {
  const int64_t mels = audio_.host().config().log_mel.n_mels, d = d_model_;
  if (b.fused) {
    stream.check(stream.ops().log_mel_linear(audio_.plan(), b.clips, audio_.patch().linear, position(),
                                             stream.precision(), stream.get()),
                 "log_mel");
    return;
  }
  if (b.clips_host) {
    run_log_mel(stream, audio_.plan(), fft_ ? &*fft_ : nullptr, b.clips, windows_, spectrum_, scratch.data);
  }
  if (b.pad_count > 0) {
    stream.check(stream.ops().pack({b.pad, b.pad_count, mels, features_, mels, b.pad_rows}, stream.get()),
                 "pack");
  }
  if (b.rows > 0) {
    convolve(stream, b);
  } else {
    b.grids.run(stream, d, positions_);
    stream.check(stream.ops().patch_embed(audio_.patch(), b.patches, stream.precision(), stream.get()),
                 "patch_embed");
    if (audio_.norm()) audio_.norm()->run(stream, bodies_, b.patches.max_rows, bodies_);
  }
  if (b.place_host) {
    stream.check(stream.ops().pack({b.place, b.count, d, nullptr, d, b.longest}, stream.get()), "pack");
  }
}

}  // namespace sns
