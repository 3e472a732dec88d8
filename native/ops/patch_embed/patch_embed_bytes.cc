#include "ops/patch_embed/patch_embed_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cpu/isa.h"
#include "ops/patch_embed/patch_embed.h"
#include "ops/patch_embed/patch_embed_vbmi.h"
#include "ops/patch_embed/patch_embed_vnni.h"

namespace sns {
namespace {

/// The largest number that signed bytes at 1, 256, … can hold on both sides of 0.
double largest_of(int digits) { return digits == 2 ? 127.0 * (256 + 1) : 127.0 * (65536 + 256 + 1); }
/// |Σ d·v| ≤ 128·255·n stays below 2³¹.
constexpr int64_t kMaxPatch = (int64_t{1} << 31) / (128 * 255) - 1;
/// Patches that are copied before they are multiplied: they stay in L2 beside a panel in L1.
constexpr int64_t kBlockRows = 512;
constexpr int64_t kCopyRows = 32;  // of one task

/// Spares are for at least so many outputs. kLinearFastNmse bounds every case, a single patch too, and over
/// fewer outputs chance takes the outputs' NMSE further away from the weights'.
constexpr int64_t kSparedOutputs = 192;
/// NMSE of the weights above which a block of outputs takes two bytes: of any single output, and their mean.
/// Normal weights have 1.0e-5, single outputs up to 1.6e-5. One patch's NMSE over kSparedOutputs is 1.6 times
/// the weights' in one of 2000 cases, and then still within the limit.
constexpr double kOutputNmse = kLinearFastNmse, kBlockNmse = kLinearFastNmse / 1.6;

/// A projection with the normalisation's scale folded in.
struct Folded {
  const PatchGeometry& g;
  const float *weight, *scale;
  int64_t row_bytes;

  /// Element (c, y, x) of output o; y runs over the rows of all frames.
  double at(int64_t o, int64_t c, int64_t y, int64_t x) const {
    const float* w = weight + o * g.patch_size();
    const int64_t rows = g.frames * g.patch_h;
    return double{w[g.order == PatchOrder::kChannelFirst ? (c * rows + y) * g.patch_w + x
                                                         : (y * g.patch_w + x) * g.channels + c]};
  }
  /// As a patch's bytes lie; slot may be empty.
  std::vector<double> bytes(int64_t o, int64_t patch_bytes, const std::vector<int32_t>& slot) const {
    std::vector<double> to(static_cast<size_t>(patch_bytes), 0.0);
    for (int64_t y = 0; y < g.frames * g.patch_h; ++y) {
      for (int64_t i = 0; i < g.patch_w * g.channels; ++i) {
        const int64_t k = y * row_bytes + i, c = i % g.channels;
        to[static_cast<size_t>(slot.empty() ? k : slot[static_cast<size_t>(k / 4)] + k % 4)] =
            at(o, c, y, i / g.channels) * double{scale[c]};
      }
    }
    return to;
  }
};

/// One row of a patch, `n` interleaved bytes padded to whole groups of four.
struct DenseRow {
  const uint8_t* from;
  void four(int64_t i, uint8_t* to) const { std::memcpy(to, from + i, 4); }
  uint8_t one(int64_t i) const { return from[i]; }
};
struct StridedRow {
  const uint8_t* from;
  int64_t channels, stride_x, stride_c;
  void four(int64_t i, uint8_t* to) const {
    for (int64_t j = 0; j < 4; ++j) to[j] = one(i + j);
  }
  uint8_t one(int64_t i) const { return from[i / channels * stride_x + i % channels * stride_c]; }
};

template <class Row>
void copy_row(const Row& row, int64_t n, const int32_t* slot, uint8_t* to) {
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) row.four(i, to + slot[i / 4]);
  if (i == n) return;
  uint8_t four[4] = {};
  for (int64_t j = i; j < n; ++j) four[j - i] = row.one(j);
  std::memcpy(to + slot[i / 4], four, 4);
}

/// Elements [frames][patch_h][patch_w·channels], interleaved, whatever the image's strides, each four bytes
/// in their slot.
void copy_patch(const PatchGeometry& g, const ImageView& image, const uint8_t* first, const int32_t* slot,
                int64_t row_bytes, uint8_t* to) {
  const int64_t n = g.patch_w * g.channels;
  for (int64_t row = 0; row < g.frames * g.patch_h; ++row, slot += row_bytes / 4) {
    const uint8_t* from = first + row / g.patch_h * image.stride_t + row % g.patch_h * image.stride_y;
    if (image.stride_c == 1 && image.stride_x == g.channels) {
      copy_row(DenseRow{from}, n, slot, to);
    } else {
      copy_row(StridedRow{from, g.channels, image.stride_x, image.stride_c}, n, slot, to);
    }
  }
}

/// The same with the groups in order.
void copy_patch(const PatchGeometry& g, const ImageView& image, const uint8_t* first, int64_t row_bytes,
                uint8_t* to) {
  const int64_t n = g.patch_w * g.channels;
  for (int64_t row = 0; row < g.frames * g.patch_h; ++row, to += row_bytes) {
    const uint8_t* from = first + row / g.patch_h * image.stride_t + row % g.patch_h * image.stride_y;
    if (image.stride_c == 1 && image.stride_x == g.channels) {
      std::memcpy(to, from, static_cast<size_t>(n));
    } else {
      for (int64_t i = 0; i < n; ++i) {
        to[i] = from[i / g.channels * image.stride_x + i % g.channels * image.stride_c];
      }
    }
    std::memset(to + n, 0, static_cast<size_t>(row_bytes - n));
  }
}

}  // namespace

PatchEmbedBytes::PatchEmbedBytes(const PatchGeometry& g, const float* weight, const float* bias, int64_t out,
                                 const float* scale, const float* shift, Precision precision) {
  const int64_t row = round_up(g.patch_w * g.channels, 4);
  const int64_t bytes = checked_mul(checked_mul(g.frames, g.patch_h, "patch"), row, "patch");
  if (!has_avx512_vnni() || bytes > kMaxPatch) return;
  out_ = out;
  digit_count_ = precision == Precision::kFast ? 2 : 3;
  row_bytes_ = row;
  const Folded folded{g, weight, scale, row};
  const auto weights_of = [&](int64_t block) {
    Weights w;
    for (int64_t o = block * kBlock; o < std::min(out, (block + 1) * kBlock); ++o) {
      w.push_back(folded.bytes(o, patch_bytes_, slot_));
    }
    return w;
  };
  const int64_t blocks = ceil_div(out, kBlock), sliced = round_up(bytes, kSlice);
  // In a patch of few bytes the slice's padding costs more than the second byte.
  if (precision == Precision::kFast && has_avx512_vbmi() && out >= kSparedOutputs &&
      sliced / kSlice * (kSlice + kSpares) < 2 * bytes && sliced / kSlice * (kSlice + kSpares) <= kMaxPatch) {
    const SpareLayout layout(g, row);
    slot_ = layout.slot;
    allocate(sliced);
    for (int64_t b = 0; b < blocks; ++b) {
      const Weights w = weights_of(b);
      spared_.push_back(pack_spared(b, w, layout));
      if (!spared_.back()) pack_digits(b, w);
    }
    if (std::none_of(spared_.begin(), spared_.end(), [](char s) { return s != 0; })) {
      slot_.clear();
      spared_.clear();
    }
  }
  if (spared_.empty()) {
    allocate(bytes);
    for (int64_t b = 0; b < blocks; ++b) pack_digits(b, weights_of(b));
  }
  for (int64_t o = 0; o < out; ++o) {
    double offset = bias ? double{bias[o]} : 0;
    for (int64_t c = 0; c < g.channels; ++c) {
      for (int64_t y = 0; y < g.frames * g.patch_h; ++y) {
        for (int64_t x = 0; x < g.patch_w; ++x) {
          offset += folded.at(o, c, y, x) * (double{shift[c]} + 128.0 * double{scale[c]});
        }
      }
    }
    bias_[o] = static_cast<float>(offset);
  }
}

void PatchEmbedBytes::allocate(int64_t patch_bytes) {
  patch_bytes_ = patch_bytes;
  const int64_t panels = round_up(ceil_div(out_, kPanel), kBlock / kPanel);
  digits_ = AlignedArray<int8_t>(checked_mul(panels, patch_bytes * digit_count_ * kPanel, "weight"));
  start_ = AlignedArray<int32_t>(panels * digit_count_ * kPanel);
  step_ = AlignedArray<float>(panels * kPanel);
  bias_ = AlignedArray<float>(panels * kPanel);
  std::fill(digits_.begin(), digits_.end(), int8_t{0});
  std::fill(start_.begin(), start_.end(), 0);
  std::fill(step_.begin(), step_.end(), 0.0f);
  std::fill(bias_.begin(), bias_.end(), 0.0f);
}

void PatchEmbedBytes::pack_digits(int64_t block, const Weights& weights) {
  for (int64_t i = 0; i < static_cast<int64_t>(weights.size()); ++i) {
    const std::vector<double>& w = weights[static_cast<size_t>(i)];
    const int64_t o = block * kBlock + i;
    double largest = 0;
    for (const double v : w) largest = std::max(largest, std::abs(v));
    // A power of two: scaling the sums by it is exact, and so is every weight with few enough bits.
    const float step =
        largest > 0 ? static_cast<float>(std::exp2(std::ceil(std::log2(largest / largest_of(digit_count_)))))
                    : 0.0f;
    step_[o] = step;
    int8_t* panel = digits_of(o / kPanel);
    int32_t* start = start_.data() + o / kPanel * digit_count_ * kPanel + o % kPanel;
    for (int64_t k = 0; k < patch_bytes_; ++k) {
      int64_t q = step > 0 ? std::llrint(w[static_cast<size_t>(k)] / double{step}) : 0;
      for (int d = 0; d < digit_count_; ++d) {
        const int64_t digit = ((q + 128) & 255) - 128;
        q = (q - digit) / 256;
        panel[((k / 4 * digit_count_ + d) * kPanel + o % kPanel) * 4 + k % 4] = static_cast<int8_t>(digit);
        start[d * kPanel] -= static_cast<int32_t>(128 * digit);
      }
    }
  }
}

bool PatchEmbedBytes::pack_spared(int64_t block, const Weights& weights, const SpareLayout& layout) {
  std::vector<std::vector<int32_t>> rounded;
  std::vector<float> steps;
  double sum = 0;
  for (const std::vector<double>& w : weights) {
    double nmse = 0;
    rounded.emplace_back(w.size());
    steps.push_back(round_with_spares(layout, w, rounded.back(), nmse));
    if (!(nmse <= kOutputNmse)) return false;  // so NaN
    sum += nmse;
  }
  if (sum > kBlockNmse * static_cast<double>(weights.size())) return false;
  int8_t* quarters = digits_of(block * (kBlock / kPanel));
  int32_t* start = start_.data() + block * digit_count_ * kBlock;
  for (int64_t i = 0; i < static_cast<int64_t>(weights.size()); ++i) {
    step_[block * kBlock + i] = steps[static_cast<size_t>(i)];
    const int64_t panel = i / kPanel, lane = i % kPanel;
    int64_t spare = 0;
    for (int64_t k = 0; k < patch_bytes_; ++k) {
      if (k % kSlice == 0) spare = k / kSlice * kSpares;
      int32_t left = rounded[static_cast<size_t>(i)][static_cast<size_t>(k)];
      start[i] -= 128 * left;
      const auto take = [&] {
        const int32_t digit = std::clamp(left, -127, 127);
        left -= digit;
        return static_cast<int8_t>(digit);
      };
      quarters[k / 16 * VbmiBlock::kQuarterBytes + k / 4 % 4 * 128 + panel * 64 + lane * 4 + k % 4] = take();
      for (; left != 0; ++spare) {
        int8_t* pixels =
            quarters + spare / 4 * VbmiBlock::kQuarterBytes + 512 + panel * 128 + lane * 4 + spare % 4;
        pixels[0] = static_cast<int8_t>(k % kSlice);
        pixels[64] = take();
      }
    }
  }
  return true;
}

int64_t PatchEmbedBytes::spared_outputs() const {
  int64_t outputs = 0;
  for (size_t b = 0; b < spared_.size(); ++b) {
    if (spared_[b]) outputs += std::min(kBlock, out_ - static_cast<int64_t>(b) * kBlock);
  }
  return outputs;
}

size_t PatchEmbedBytes::scratch(const PatchGeometry& g, int64_t height, int64_t width) const {
  const int64_t rows = checked_mul(g.grid_h(height), g.grid_w(width), "grid");
  Carver c(nullptr);
  c.take<uint8_t>(std::min(rows, kBlockRows) * patch_bytes_);
  return c.bytes();
}

void PatchEmbedBytes::multiply(int64_t block, const PatchEmbedArgs& args, const uint8_t* patches,
                               int64_t first, int64_t rows) const {
  const int64_t panels = ceil_div(out_, kPanel), begin = block * (kBlock / kPanel);
  const auto fill = [&](auto& to, int64_t panel, int64_t most) {
    to.start = start_.data() + panel * digit_count_ * kPanel;
    to.step = step_.data() + panel * kPanel;
    to.bias = bias_.data() + panel * kPanel;
    to.outputs = std::min(most, out_ - panel * kPanel);
    to.position = args.position ? args.position + first * out_ + panel * kPanel : nullptr;
    to.ld_position = out_;
    to.y = args.y + first * args.ldy + panel * kPanel;
    to.ldy = args.ldy;
  };
  const auto digits = [&](int64_t panel) {
    return digits_.data() + panel * patch_bytes_ * digit_count_ * kPanel;
  };
  if (!spared_.empty() && spared_[static_cast<size_t>(block)]) {
    VbmiBlock both;
    both.quarters = digits(begin);
    fill(both, begin, kBlock);
    vbmi_multiply(both, patches, rows, patch_bytes_);
    return;
  }
  for (int64_t p = begin; p < std::min(panels, begin + kBlock / kPanel); ++p) {
    VnniPanel panel;
    panel.digit_count = digit_count_;
    panel.digits = digits(p);
    fill(panel, p, kPanel);
    vnni_multiply(panel, patches, rows, patch_bytes_);
  }
}

void PatchEmbedBytes::run(const PatchGeometry& g, const PatchEmbedArgs& args, void* scratch,
                          Parallel& parallel) const {
  const ImageView& image = args.image;
  const int64_t grid_w = g.grid_w(image.width), rows = g.grid_h(image.height) * grid_w;
  uint8_t* patches = static_cast<uint8_t*>(scratch);
  const int64_t blocks = ceil_div(out_, kBlock);
  // Few, equal tasks: a task's panels stay in L1 while all patches of the block pass by.
  const int64_t group = std::max<int64_t>(1, blocks / (4 * parallel.threads()));
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first);
    parallel_for(parallel, ceil_div(count, kCopyRows), [&](int64_t task, int) {
      const int64_t end = std::min(count, (task + 1) * kCopyRows);
      for (int64_t r = task * kCopyRows; r < end; ++r) {
        const int64_t y = (first + r) / grid_w * g.stride_h, x = (first + r) % grid_w * g.stride_w;
        const uint8_t* from =
            static_cast<const uint8_t*>(image.data) + y * image.stride_y + x * image.stride_x;
        uint8_t* to = patches + r * patch_bytes_;
        if (slot_.empty()) {
          copy_patch(g, image, from, row_bytes_, to);
        } else {
          copy_patch(g, image, from, slot_.data(), row_bytes_, to);
        }
      }
    });
    parallel_for(parallel, ceil_div(blocks, group), [&](int64_t task, int) {
      const int64_t end = std::min(blocks, (task + 1) * group);
      for (int64_t b = task * group; b < end; ++b) multiply(b, args, patches, first, count);
    });
  }
}

}  // namespace sns
