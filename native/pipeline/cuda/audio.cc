#include "pipeline/cuda/audio.h"

#include <algorithm>
#include <vector>

#include "pipeline/cuda/positions.h"
#include "pipeline/cuda/stages.h"
#include "pipeline/positions.h"

namespace sns {
namespace {

/// Features of a batch are kept side by side up to this many rows, or at least those of one sound.
constexpr int64_t kMostRows = int64_t{1} << 17;
constexpr int64_t kMostWindows = 4096;  ///< likewise where windows and spectra lie in memory, too

}  // namespace

CudaAudio::CudaAudio(const CudaDevicePtr& device, const AudioTokenizer& host, const AudioTensors& tensors,
                     int64_t d)
    : host_(host) {
  const AudioConfig& c = host.config();
  fft_ = fft_for(*device, c.log_mel, "audio.log_mel.n_fft");
  plan_block_ = CudaBlock::packed(
      device, log_mel_cuda_bytes(host.plan()),
      [&](void* memory, void* on_device) { plan_ = pack_log_mel_cuda(host.plan(), memory, on_device); });
  if (host.patches()) {
    const PatchEmbedWeights& patch = host.patch();
    const PatchGeometry& g = patch.geometry();
    patch_block_ =
        CudaBlock::packed(device, patch_embed_cuda_bytes(g, d, 0), [&](void* memory, void* on_device) {
          patch_ =
              pack_patch_embed_cuda(g, PixelSource::kF32Transposed, tensors.weight, patch.linear().bias(), d,
                                    patch.scale(), patch.shift(), 0, memory, on_device);
        });
    if (c.norm) norm_.emplace(device, tensors.norm, d, c.norm_eps);
  } else if (host.convolved()) {
    const int64_t mels = c.log_mel.n_mels;
    conv1_ = CudaLinear(device, turned_convolution(tensors.weight, d, mels).data(), tensors.bias, d,
                        kConvolutionTaps * mels);
    conv2_ = CudaLinear(device, turned_convolution(tensors.weight2, d, d).data(), tensors.bias2, d,
                        kConvolutionTaps * d);
  } else {
    frame_ = CudaLinear(device, tensors.weight, host.frame().bias(), d, c.log_mel.n_mels);
  }
  position_ = CudaArray<float>(device, host.position(), host.positions() * d);
  const std::vector<float> pad(static_cast<size_t>(c.log_mel.n_mels), c.pad_value);
  pad_ = CudaArray<float>(device, pad.data(), c.log_mel.n_mels);
  const std::vector<float> zero(pad.size());
  zero_ = CudaArray<float>(device, zero.data(), c.log_mel.n_mels);
}

CudaSounds::CudaSounds(const CudaAudio& audio, const CudaDevicePtr& device, const SessionLimits& limits,
                       const float* added, const float* added_on_device)
    : audio_(audio), device_(device), limits_(limits), added_(added_on_device) {
  const AudioTokenizer& host = audio.host();
  d_model_ = host.patches()     ? audio.patch().linear.out
             : host.convolved() ? audio.conv1().out()
                                : audio.frame().out();
  const int64_t one = checked_add(
      std::max(host.max_feature_rows(limits.max_samples), host.max_used_frames(limits.max_tokens)),
      2 * margin(), "max_samples");
  if (margin() > 0) hidden_rows_ = one;
  row_capacity_ = std::min(checked_mul(one, limits.max_items, "max_samples"), std::max(one, kMostRows));
  if (audio.fft()) {
    row_capacity_ = round_up(std::min(row_capacity_, std::max(one, kMostWindows)), CudaFftPlan::kRows);
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
  if (hidden_rows_ > 0) hidden_ = carver.take<float>(checked_mul(hidden_rows_, d_model_, "max_samples"));
  if (!axis_.data()) return;
  positions_ = carver.take<float>(checked_mul(host.max_tokens(limits_.max_tokens), d_model_, "max_tokens"));
}

int64_t CudaSounds::scratch() const {
  return static_cast<int64_t>(device_->ops().log_mel_workspace(audio_.plan(), limits_.max_items));
}

int64_t CudaSounds::rows(const ItemPlan& plan) const {
  return std::max(frames(plan), plan.audio.used_frames) + 2 * margin();
}

bool CudaSounds::joins(int64_t used, const ItemPlan& before, const ItemPlan& plan) const {
  if (axis_.data() && before.grid_w != plan.grid_w) return false;  // positions are those of one grid
  return used + rows(plan) <= row_capacity_;
}

int64_t CudaSounds::parcel_bytes() const {
  // Every sound may be a batch of its own, and the pieces of a batch are aligned.
  const int64_t sound = static_cast<int64_t>(sizeof(LogMelCudaItem) + sizeof(PatchEmbedCudaItem) +
                                             5 * sizeof(PackSegment) + 7 * kAlign);
  const int64_t grid =
      axis_.data() ? 2 * static_cast<int64_t>(sizeof(PackSegment)) * audio_.host().config().log_mel.n_mels
                   : 0;
  return limits_.max_items * (sound + grid);
}

void CudaSounds::reserve(DeviceBlock& parcel, Batch& b) const {
  const ItemPlan& first = *b.sounds[0].plan;
  int64_t rows_count = 0, tokens = 0;
  bool pad = margin() > 0;
  for (int64_t i = 0; i < b.count; ++i) {
    rows_count += rows(*b.sounds[i].plan);
    tokens += b.sounds[i].plan->body;
    pad = pad || padded(*b.sounds[i].plan);
  }
  if (b.format != Format::kF32Features) {
    b.clips_host = parcel.take(b.count, &b.clips.items);
    b.clips.count = b.count;
    b.clips.max_frames = 0;
    b.fused =
        !pad && !fft_ && !audio_.host().patches() && device_->ops().log_mel_linear_serves(audio_.plan());
    for (int64_t i = 0; i < b.count; ++i) {
      const ItemPlan& plan = *b.sounds[i].plan;
      b.clips.max_frames += b.fused ? plan.body : plan.audio.frames;
    }
    b.clips.s16 = b.format == Format::kS16Pcm;
  }
  b.pad_count = pad ? segments() * b.count : 0;
  b.pad_rows = 0;
  if (pad) b.pad_host = parcel.take(b.pad_count, &b.pad);
  if (!audio_.host().patches()) return;
  b.patches_host = parcel.take(b.count, &b.patches.items);
  *parcel.take<int64_t>(1, &b.patches.rows) = tokens;
  if (audio_.norm()) b.added_host = parcel.take(b.count, &b.added);
  b.patches.count = b.count;
  b.patches.max_rows = tokens;
  if (axis_.data()) {
    put_sincos(axis_.data(), d_model_, first.grid_h, first.grid_w, added_, parcel, &b.columns,
               &b.column_rows);
  }
}

void CudaSounds::fill(Batch& b) const {
  const int64_t mels = audio_.host().config().log_mel.n_mels;
  int64_t row = 0, frame = 0, token = 0;
  for (int64_t i = 0; i < b.count; ++i) {
    const CudaSound& sound = b.sounds[i];
    const ItemPlan& plan = *sound.plan;
    float* features = features_ + (row + margin()) * mels;
    const int64_t frames = b.fused ? plan.body : plan.audio.frames;
    if (b.clips_host) {
      b.clips_host[i] = {sound.data, plan.item.dims[0], frames, frame, features, mels};
      if (b.fused) b.clips_host[i].y = sound.y, b.clips_host[i].ldy = d_model_;
    }
    if (b.pad_count > 0) {
      const float* from = b.clips_host ? features : static_cast<const float*>(sound.data);
      b.pad_rows = std::max(b.pad_rows, rows(plan));
      PackSegment* to = b.pad_host + segments() * i;
      if (margin() > 0) {
        const int64_t used = plan.audio.used_frames, read = std::min(plan.audio.frames, used);
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
    if (b.patches_host) {
      PatchEmbedCudaItem& item = b.patches_host[i];
      item = {};
      item.data = source(b, i, row);
      item.stride_y = 1;
      item.stride_x = mels;
      item.grid_w = plan.grid_w;
      const float* position = axis_.data() ? positions_ : audio_.position();
      if (b.added_host) {
        b.added_host[i] = {sound.y, d_model_, plan.body, nullptr, position};
      } else {
        item.position = position;
      }
      item.y = sound.y;
      item.ldy = d_model_;
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

/// Samples to features.
void CudaSounds::transform(const CudaStream& stream, const Batch& b, const CudaScratch& scratch) const {
  run_log_mel(stream, audio_.plan(), fft_ ? &*fft_ : nullptr, b.clips, windows_, spectrum_, scratch.data);
}

/// As AudioTokenizer::convolve; a sound's features have a row of zeros on both sides.
void CudaSounds::convolve(const CudaStream& stream, const Batch& b) const {
  const int64_t mels = audio_.host().config().log_mel.n_mels, d = d_model_;
  const int64_t bytes = d * static_cast<int64_t>(sizeof(float));
  int64_t row = 0;
  for (int64_t i = 0; i < b.count; ++i) {
    const ItemPlan& plan = *b.sounds[i].plan;
    const int64_t used = plan.audio.used_frames;
    stream.fill(hidden_, 0, bytes);
    stream.fill(hidden_ + (used + 1) * d, 0, bytes);
    LinearArgs first;
    first.x = features_ + row * mels;
    first.rows = used;
    first.ldx = mels;
    first.y = hidden_ + d;
    first.ldy = d;
    first.activation = Activation::kGelu;
    stream.check(stream.ops().linear(audio_.conv1().weights(), first, stream.precision(), stream.get()),
                 "linear");
    LinearArgs second;
    second.x = hidden_;
    second.rows = plan.body;
    second.ldx = 2 * d;
    second.y = b.sounds[i].y;
    second.ldy = second.ld_residual = d;
    second.activation = Activation::kGelu;
    second.residual = position();
    stream.check(stream.ops().linear(audio_.conv2().weights(), second, stream.precision(), stream.get()),
                 "linear");
    row += rows(plan);
  }
}

void CudaSounds::run(const CudaStream& stream, const Batch& b, const CudaScratch& scratch) const {
  const int64_t mels = audio_.host().config().log_mel.n_mels;
  if (b.fused) {
    stream.check(stream.ops().log_mel_linear(audio_.plan(), b.clips, audio_.frame().weights(), position(),
                                             stream.precision(), stream.get()),
                 "log_mel");
    return;
  }
  if (b.clips_host) transform(stream, b, scratch);
  if (b.pad_count > 0) {
    stream.check(stream.ops().pack({b.pad, b.pad_count, mels, features_, mels, b.pad_rows}, stream.get()),
                 "pack");
  }
  if (b.patches_host) {
    if (b.columns) {
      run_sincos(stream, b.columns, b.column_rows, d_model_, b.sounds[0].plan->grid_h,
                 b.sounds[0].plan->grid_w, positions_);
    }
    stream.check(stream.ops().patch_embed(audio_.patch(), b.patches, stream.precision(), stream.get()),
                 "patch_embed");
    for (int64_t i = 0; b.added_host && i < b.count; ++i) {
      const CudaSound& sound = b.sounds[i];
      const int64_t tokens = sound.plan->body;
      audio_.norm()->run(stream, sound.y, tokens, sound.y);
      stream.check(stream.ops().pack({b.added + i, 1, d_model_, sound.y, d_model_, tokens}, stream.get()),
                   "pack");
    }
    return;
  }
  if (margin() > 0) return convolve(stream, b);
  int64_t row = 0;
  for (int64_t i = 0; i < b.count;) {
    // Sounds of one length whose features and tokens follow each other are one GEMM.
    const int64_t frames = b.sounds[i].plan->body, first = i;
    const float* x = source(b, i, row);
    while (i < b.count && b.sounds[i].plan->body == frames &&
           b.sounds[i].y == b.sounds[first].y + (i - first) * frames * d_model_ &&
           source(b, i, row) == x + (i - first) * frames * mels) {
      row += rows(*b.sounds[i].plan);
      ++i;
    }
    LinearArgs a;
    a.x = x;
    a.rows = (i - first) * frames;
    a.ldx = mels;
    a.y = b.sounds[first].y;
    a.ldy = a.ld_residual = d_model_;
    a.residual = position();
    a.residual_period = frames;
    stream.check(stream.ops().linear(audio_.frame().weights(), a, stream.precision(), stream.get()),
                 "linear");
  }
}

}  // namespace sns
