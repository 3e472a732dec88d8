#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/isa.h"
#include "ops/vector_quantize/exact.h"
#include "ops/vector_quantize/nearest.h"

namespace sns {
namespace {

constexpr int64_t kMaxBytesDim = 32768;  // 127·255·d + 127·128·d stays below 2³¹

// Magnitudes between these bounds neither overflow nor lose float products to subnormals; anything else is
// left to float64.
constexpr double kTiny = 1e-15, kHuge = 1e15;
// Floor of a group's norm in the bounds: makes u·‖z‖·n cover the absolute error of subnormal components.
constexpr double kNormFloor = 1e-20;

int64_t vectors_per_panel() { return isa() == Isa::kAvx512 ? 4 : 2; }

void pack_group(NearestCodes& p, int64_t g) {
  const int64_t group_codes = 8 * p.lanes, base = g * group_codes;
  const int64_t count = std::min(group_codes, p.size - base);
  const int64_t nv = vectors_per_panel(), panel_codes = nv * p.lanes;
  auto centred = [&](int64_t j, int64_t i) {
    return p.codes[(base + j) * p.ld + i] * (p.scale ? p.scale[base + j] : 1.0) - p.code_shift[i];
  };
  double top = 0, norm = 0;
  for (int64_t j = 0; j < group_codes; ++j) {
    float* column =
        p.panels + g * group_codes * p.dim + j / panel_codes * panel_codes * p.dim + j % panel_codes;
    double sum = 0;
    for (int64_t i = 0; i < p.dim; ++i) {
      const double c = j < count ? centred(j, i) : 0.0;
      column[i * panel_codes] = static_cast<float>(c);
      sum += c * c;
      top = std::max(top, std::fabs(c));
    }
    norm = std::max(norm, std::isfinite(sum) ? sum : std::numeric_limits<double>::infinity());
    const double half = p.nearness == Nearness::kDistance ? 0.5 * sum : 0.0;
    p.minus_half[base + j] = j < count ? static_cast<float>(-half) : -std::numeric_limits<float>::infinity();
  }
  p.norm[g] = static_cast<float>(std::max(std::sqrt(norm) * (1 + 1e-6), kNormFloor));
  if (!p.bytes) return;

  // Where the peak is out of range all p are 0 and the error is the norm itself.
  const bool in_range = top > kTiny && top < kHuge;
  const float tau = in_range ? static_cast<float>(top / 127) : 0.0f;
  const double inverse = in_range ? 127 / top : 0.0;
  double error = 0;
  for (int64_t j = 0; j < group_codes; ++j) {
    // [panel of 64][dim / 4][64 codes][4 dims]
    uint8_t* column = p.bytes + (base + j / 64 * 64) * p.bytes_dim + j % 64 * 4;
    double sum = 0;
    for (int64_t i = 0; i < p.bytes_dim; ++i) {
      const double c = j < count && i < p.dim ? centred(j, i) : 0.0;
      const double k = in_range ? std::nearbyint(c * inverse) : 0.0;
      const double left = c - k * tau;
      sum += left * left;
      column[i / 4 * 256 + i % 4] = static_cast<uint8_t>(static_cast<int>(k) + 128);
    }
    error = std::max(error, sum);
  }
  p.byte_scale[g] = tau;
  p.byte_error[g] = static_cast<float>(std::sqrt(error) * (1 + 1e-6) + kNormFloor);
}

}  // namespace

void lay_out_codes(NearestCodes& p, Carver& carver) {
  p.lanes = isa() == Isa::kAvx512 ? 16 : isa() == Isa::kAvx2 ? 8 : 4;
  p.groups = ceil_div(p.size, 8 * p.lanes);
  p.bytes_dim = round_up(p.dim, 64);
  const int64_t padded = p.groups * 8 * p.lanes;
  const bool bytes = has_avx512_vnni() && p.bytes_dim <= kMaxBytesDim;
  p.scale = p.normalise ? carver.take<double>(p.size) : nullptr;
  p.row_shift = carver.take<float>(p.dim);
  p.code_shift = carver.take<float>(p.dim);
  p.panels = carver.take<float>(checked_mul(padded, p.dim, "codes"));
  p.minus_half = carver.take<float>(padded);
  p.bytes = bytes ? carver.take<uint8_t>(checked_mul(padded, p.bytes_dim, "codes")) : nullptr;
  p.byte_scale = carver.take<float>(p.groups);
  p.norm = carver.take<float>(p.groups);
  p.byte_error = carver.take<float>(p.groups);
}

void pack_codes(NearestCodes& p, Parallel& parallel) {
  constexpr int64_t kChunk = 64;
  if (p.scale) {
    parallel_for(parallel, ceil_div(p.size, kChunk), [&](int64_t t, int) {
      for (int64_t j = t * kChunk; j < std::min(p.size, (t + 1) * kChunk); ++j) {
        p.scale[j] = inverse_norm(p.codes + j * p.ld, p.dim);
      }
    });
  }
  constexpr int64_t kSlice = 16;
  parallel_for(parallel, ceil_div(p.dim, kSlice), [&](int64_t t, int) {
    const int64_t first = t * kSlice, n = std::min(kSlice, p.dim - first);
    double sum[kSlice] = {};
    for (int64_t j = 0; j < p.size; ++j) {
      const double s = p.scale ? p.scale[j] : 1.0;
      for (int64_t i = 0; i < n; ++i) sum[i] += p.codes[j * p.ld + first + i] * s;
    }
    for (int64_t i = 0; i < n; ++i) {
      const float mean = static_cast<float>(sum[i] / static_cast<double>(p.size));
      p.code_shift[first + i] = mean;
      p.row_shift[first + i] = p.nearness == Nearness::kDistance ? mean : 0.0f;
    }
  });
  parallel_for(parallel, p.groups, [&](int64_t g, int) { pack_group(p, g); });

  double shift = 0;
  p.max_norm = 0;
  for (int64_t i = 0; i < p.dim; ++i) shift += static_cast<double>(p.code_shift[i]) * p.code_shift[i];
  p.shift_norm = std::sqrt(shift);
  p.screenable = std::isfinite(shift);
  for (int64_t g = 0; g < p.groups; ++g) {
    if (!(p.norm[g] < kHuge)) p.screenable = false;
    p.max_norm = std::max(p.max_norm, static_cast<double>(p.norm[g]));
  }
  if (p.max_norm < kTiny && p.max_norm > 2 * kNormFloor) p.screenable = false;
}

}  // namespace sns
