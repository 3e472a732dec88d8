#include "ops/patch_embed/patch_embed_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cpu/isa.h"
#include "ops/patch_embed/patch_embed.h"
#include "ops/patch_embed/patch_embed_vnni.h"

namespace sns {
namespace {

constexpr int64_t kPanel = 16;  // outputs of one vector of 32-bit sums
/// The largest number that signed bytes at 1, 256, … can hold on both sides of 0.
double largest_of(int digits) { return digits == 2 ? 127.0 * (256 + 1) : 127.0 * (65536 + 256 + 1); }
/// |Σ d·v| ≤ 128·255·n stays below 2³¹.
constexpr int64_t kMaxPatch = (int64_t{1} << 31) / (128 * 255) - 1;
/// Patches that are copied before they are multiplied: they stay in L2 beside a panel in L1.
constexpr int64_t kBlockRows = 512;
constexpr int64_t kCopyRows = 32;  // of one task

/// Elements [frames][patch_h][patch_w·channels], interleaved, whatever the image's strides.
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
  const int64_t rows = checked_mul(g.frames, g.patch_h, "patch");
  if (!has_avx512_vnni() || checked_mul(rows, row, "patch") > kMaxPatch) return;
  out_ = out;
  digit_count_ = precision == Precision::kFast ? 2 : 3;
  row_bytes_ = row;
  patch_bytes_ = rows * row;
  const int64_t panels = ceil_div(out, kPanel), panel_bytes = patch_bytes_ * digit_count_ * kPanel;
  digits_ = AlignedArray<int8_t>(checked_mul(panels, panel_bytes, "weight"));
  start_ = AlignedArray<int32_t>(panels * digit_count_ * kPanel);
  step_ = AlignedArray<float>(panels * kPanel);
  bias_ = AlignedArray<float>(panels * kPanel);
  std::fill(digits_.begin(), digits_.end(), int8_t{0});
  std::fill(start_.begin(), start_.end(), 0);
  std::fill(step_.begin(), step_.end(), 0.0f);
  std::fill(bias_.begin(), bias_.end(), 0.0f);
  const bool planes = g.order == PatchOrder::kChannelFirst;
  for (int64_t o = 0; o < out; ++o) {
    const float* w = weight + o * g.patch_size();
    // Element (c, y, x) of the patch in the caller's order; y runs over the rows of all frames.
    const auto at = [&](int64_t c, int64_t y, int64_t x) {
      return double{w[planes ? (c * rows + y) * g.patch_w + x : (y * g.patch_w + x) * g.channels + c]};
    };
    double largest = 0, offset = bias ? double{bias[o]} : 0;
    for (int64_t c = 0; c < g.channels; ++c) {
      for (int64_t y = 0; y < rows; ++y) {
        for (int64_t x = 0; x < g.patch_w; ++x) {
          largest = std::max(largest, std::abs(at(c, y, x) * double{scale[c]}));
          offset += at(c, y, x) * (double{shift[c]} + 128.0 * double{scale[c]});
        }
      }
    }
    // A power of two: scaling the sums by it is exact, and so is every weight with few enough bits.
    const float step =
        largest > 0 ? static_cast<float>(std::exp2(std::ceil(std::log2(largest / largest_of(digit_count_)))))
                    : 0.0f;
    step_[o] = step;
    bias_[o] = static_cast<float>(offset);
    int8_t* panel = digits_.data() + o / kPanel * panel_bytes;
    int32_t* start = start_.data() + o / kPanel * digit_count_ * kPanel + o % kPanel;
    for (int64_t y = 0; y < rows; ++y) {
      for (int64_t i = 0; i < g.patch_w * g.channels; ++i) {
        const int64_t c = i % g.channels;
        int64_t q = step > 0 ? std::llrint(at(c, y, i / g.channels) * double{scale[c]} / double{step}) : 0;
        const int64_t k = y * row_bytes_ + i;
        for (int d = 0; d < digit_count_; ++d) {
          const int64_t digit = ((q + 128) & 255) - 128;
          q = (q - digit) / 256;
          panel[((k / 4 * digit_count_ + d) * kPanel + o % kPanel) * 4 + k % 4] = static_cast<int8_t>(digit);
          start[d * kPanel] -= static_cast<int32_t>(128 * digit);
        }
      }
    }
  }
}

size_t PatchEmbedBytes::scratch(const PatchGeometry& g, int64_t height, int64_t width) const {
  const int64_t rows = checked_mul(g.grid_h(height), g.grid_w(width), "grid");
  Carver c(nullptr);
  c.take<uint8_t>(std::min(rows, kBlockRows) * patch_bytes_);
  return c.bytes();
}

void PatchEmbedBytes::run(const PatchGeometry& g, const PatchEmbedArgs& args, void* scratch,
                          Parallel& parallel) const {
  const ImageView& image = args.image;
  const int64_t grid_w = g.grid_w(image.width), rows = g.grid_h(image.height) * grid_w;
  uint8_t* patches = static_cast<uint8_t*>(scratch);
  const int64_t panels = ceil_div(out_, kPanel);
  // Few, equal tasks: a task's panel stays in L1 while all patches of the block pass by.
  const int64_t group = std::max<int64_t>(1, panels / (4 * parallel.threads()));
  for (int64_t first = 0; first < rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows - first);
    parallel_for(parallel, ceil_div(count, kCopyRows), [&](int64_t task, int) {
      const int64_t end = std::min(count, (task + 1) * kCopyRows);
      for (int64_t r = task * kCopyRows; r < end; ++r) {
        const int64_t y = (first + r) / grid_w * g.stride_h, x = (first + r) % grid_w * g.stride_w;
        copy_patch(g, image,
                   static_cast<const uint8_t*>(image.data) + y * image.stride_y + x * image.stride_x,
                   row_bytes_, patches + r * patch_bytes_);
      }
    });
    parallel_for(parallel, ceil_div(panels, group), [&](int64_t task, int) {
      const int64_t end = std::min(panels, (task + 1) * group);
      for (int64_t p = task * group; p < end; ++p) {
        VnniPanel panel;
        panel.digit_count = digit_count_;
        panel.digits = digits_.data() + p * patch_bytes_ * digit_count_ * kPanel;
        panel.start = start_.data() + p * digit_count_ * kPanel;
        panel.step = step_.data() + p * kPanel;
        panel.bias = bias_.data() + p * kPanel;
        panel.outputs = std::min(kPanel, out_ - p * kPanel);
        panel.position = args.position ? args.position + first * out_ + p * kPanel : nullptr;
        panel.ld_position = out_;
        panel.y = args.y + first * args.ldy + p * kPanel;
        panel.ldy = args.ldy;
        vnni_multiply(panel, patches, count, patch_bytes_);
      }
    });
  }
}

}  // namespace sns
