#include "ops/yuv/yuv_tables.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "core/checked.h"

namespace sns {
namespace {

constexpr int64_t kCandidates = 5;  // of which at most kYuvTaps are within the filter's reach
/// What a window may lose on a side, as swscale has it; its weights sum to 6·2⁵⁴.
constexpr double kCutOff = 0.002 * (int64_t{1} << 54);

/// Six times the bicubic filter (B = 0, C = 0.6) in units of 2⁻⁵⁴; the distance is in units of 2⁻³⁰.
int64_t bicubic(int64_t d) {
  constexpr int64_t kOne = 1 << 24, kC = static_cast<int64_t>(0.6 * kOne);
  if (d >= int64_t{1} << 31) return 0;
  const int64_t d2 = (d * d) >> 30, d3 = (d2 * d) >> 30;
  if (d < int64_t{1} << 30) {
    return (12 * kOne - 6 * kC) * d3 + (-18 * kOne + 6 * kC) * d2 + 6 * kOne * (int64_t{1} << 30);
  }
  return -6 * kC * d3 + 30 * kC * d2 - 48 * kC * d + 24 * kC * (int64_t{1} << 30);
}

/// Drops what lies left of the window and is next to nothing; returns by how much the window moved. Windows
/// never begin before those of earlier outputs: `next` is where the following one begins.
int64_t drop_left(int64_t* taps, int64_t first, int64_t next) {
  int64_t moved = 0, lost = 0;
  for (; moved < kCandidates; ++moved) {
    lost += std::llabs(taps[0]);
    if (static_cast<double>(lost) > kCutOff || first + moved >= next) break;
    std::copy(taps + 1, taps + kCandidates, taps);
    taps[kCandidates - 1] = 0;
  }
  return moved;
}

/// Weights of samples beyond the edges go to the edge's own; returns where the window begins then.
int64_t fold(int64_t* taps, int64_t first, int64_t in) {
  if (first < 0) {
    for (int64_t k = 1; k < kYuvTaps; ++k) {
      const int64_t weight = taps[k];
      taps[k] = 0;
      taps[std::max<int64_t>(k + first, 0)] += weight;
    }
    return 0;
  }
  const int64_t over = first + kYuvTaps - in;
  if (over <= 0) return first;
  int64_t beyond = 0;
  for (int64_t k = kYuvTaps - over; k < kYuvTaps; ++k) beyond += taps[k];
  std::copy_backward(taps, taps + kYuvTaps - over, taps + kYuvTaps);
  std::fill(taps, taps + over, 0);
  taps[kYuvTaps - 1] += beyond;
  return first - over;
}

/// To fixed point; what one weight loses by rounding goes to the next.
void round(const int64_t* taps, int64_t one, int16_t* weights) {
  int64_t sum = 0, error = 0;
  for (int64_t k = 0; k < kYuvTaps; ++k) sum += taps[k];
  sum = (sum + one / 2) / one;
  for (int64_t k = 0; k < kYuvTaps; ++k) {
    const int64_t exact = taps[k] + error;
    const int64_t weight = (exact >= 0 ? exact + sum / 2 : exact - sum / 2) / sum;
    weights[k] = static_cast<int16_t>(weight);
    error = exact - weight * sum;
  }
}

int32_t to_int16(int64_t x) {
  return static_cast<int32_t>(std::clamp<int64_t>((x + (1 << 15)) >> 16, -0x7FFF, 0x7FFF));
}

}  // namespace

void yuv_windows(int64_t out, int64_t one, int32_t* first, int16_t* weights) {
  const int64_t in = ceil_div(out, 2), step = ((in << 16) + (out >> 1)) / out;  // of 2⁻¹⁶ samples
  int64_t next = std::numeric_limits<int64_t>::max();
  for (int64_t i = out - 1; i >= 0; --i) {
    const int64_t centre = step - (1 << 16) + 2 * i * step;  // in units of 2⁻¹⁷ samples
    int64_t begin = (centre - ((kCandidates - 2) << 16)) / (1 << 17);
    int64_t taps[kCandidates];
    for (int64_t k = 0; k < kCandidates; ++k) {
      taps[k] = bicubic(std::llabs((begin + k) * (1 << 17) - centre) << 13);
    }
    begin += drop_left(taps, begin, next);
    next = begin;
    first[i] = static_cast<int32_t>(fold(taps, begin, in));
    round(taps, one, weights + i * kYuvTaps);
  }
}

YuvColours yuv_colours(YuvMatrix matrix, bool full_range) {
  // V to R, U to B, U to G, V to G of limited range in units of 2⁻¹⁶: sws_getCoefficients.
  constexpr int64_t kInverse[5][4] = {
      {104597, 132201, 25675, 53279}, {117489, 138438, 13975, 34925}, {110013, 140363, 12277, 42626},
      {117579, 136230, 16907, 35559}, {104448, 132798, 24759, 53109},
  };
  const int64_t(&inverse)[4] = kInverse[static_cast<int>(matrix)];
  const auto chroma = [full_range](int64_t c) {
    return to_int16((full_range ? c * 224 / 255 : c) * (1 << 13));
  };
  const int64_t y = full_range ? 1 << 16 : (int64_t{1} << 16) * 255 / 219;
  return {to_int16(y * (1 << 13)), full_range ? 0 : 16 << 9, chroma(inverse[0]),
          chroma(-inverse[3]),     chroma(-inverse[2]),      chroma(inverse[1])};
}

}  // namespace sns
