// A block makes a tile of the picture in two steps:
//   widen   the chroma rows under the tile's windows to full width, 15-bit values in shared memory: a warp
//           takes a row, a lane kVector columns of it
//   colour  a warp takes kRowsPerWarp rows of pixels, a lane kVector columns of them
#include "ops/yuv/yuv_cuda.h"

#include "backend/cuda/grid.h"
#include "backend/cuda/tuning.h"

namespace sns {
namespace {

using gpu::YuvTile;
constexpr int kVector = YuvTile::kVector;
constexpr int kWords = 3;  // kVector pixels of RGB
static_assert(kVector == 4 && kYuvTaps == 4, "four bytes are a word, four taps are two");

struct alignas(16) Four {
  int32_t v[kVector];
};
struct alignas(8) Weights {
  int16_t w[kYuvTaps];
};

__device__ bool in_words(const void* p) { return (reinterpret_cast<uintptr_t>(p) & 3) == 0; }
__device__ int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// Bytes [at, at + 8) of a row of `size`, beyond which its last one repeats.
__device__ uint64_t eight_bytes(const uint8_t* row, int64_t size, int64_t at) {
  const int skew = static_cast<int>(reinterpret_cast<uintptr_t>(row + at) & 3);
  if (at >= skew && at - skew + 12 <= size) {
    const auto* word = reinterpret_cast<const uint32_t*>(row + at - skew);
    const uint64_t low = word[0] | uint64_t{word[1]} << 32, high = word[1] | uint64_t{word[2]} << 32;
    return static_cast<uint32_t>(low >> 8 * skew) | (high >> 8 * skew) << 32;
  }
  uint64_t bytes = 0;
  for (int i = 0; i < 8; ++i) bytes |= uint64_t{row[least(at + i, size - 1)]} << 8 * i;
  return bytes;
}

/// The first `count` bytes at p, 0 for the others.
__device__ uint32_t load(const uint8_t* p, int64_t count) {
  if (count >= kVector && in_words(p)) return *reinterpret_cast<const uint32_t*>(p);
  uint32_t word = 0;
  for (int i = 0; i < kVector; ++i) word |= i < count ? uint32_t{p[i]} << 8 * i : 0;
  return word;
}

__device__ void store(uint8_t* p, uint32_t word, int64_t count) {
  if (count >= kVector && in_words(p)) {
    *reinterpret_cast<uint32_t*>(p) = word;
    return;
  }
  for (int i = 0; i < kVector && i < count; ++i) p[i] = static_cast<uint8_t>(word >> 8 * i);
}

/// Windows of a lane's columns, the first of which is the column `x`.
struct Across {
  int64_t first;  ///< byte of the row
  int shift[kVector];
  uint32_t weight[kVector][2];  ///< two taps a word

  __device__ Across(const YuvCudaAxis& axis, int64_t x) {
    const Four firsts = *reinterpret_cast<const Four*>(axis.first + x);
    first = firsts.v[0];
    const auto* pairs = reinterpret_cast<const Four*>(axis.weight + x * kYuvTaps);
    const Four lower = pairs[0], upper = pairs[1];
    SNS_UNROLL
    for (int i = 0; i < kVector; ++i) {
      shift[i] = 8 * (firsts.v[i] - firsts.v[0]);
      for (int k = 0; k < 2; ++k) {
        weight[i][k] = static_cast<uint32_t>((i < 2 ? lower : upper).v[i % 2 * 2 + k]);
      }
    }
  }
  __device__ Four widen(const uint8_t* row, int64_t size) const {
    const uint64_t bytes = eight_bytes(row, size, first);
    Four wide;
    SNS_UNROLL
    for (int i = 0; i < kVector; ++i) {
      const auto taps = static_cast<uint32_t>(bytes >> shift[i]);
      const int32_t sum = gpu::dot_upper(weight[i][1], taps, gpu::dot_lower(weight[i][0], taps, 0)) >> 7;
      wide.v[i] = sum < 32767 ? sum : 32767;
    }
    return wide;
  }
};

/// The window's rows of one plane in a lane's columns.
struct Down {
  Four row[kYuvTaps];
  /// In units of 2⁻⁹ bytes, less 128.
  __device__ uint32_t chroma(const Weights& weights, int column) const {
    int32_t sum = (1 << 9) - (128 << 19);
    SNS_UNROLL
    for (int k = 0; k < kYuvTaps; ++k) sum += row[k].v[column] * weights.w[k];
    return static_cast<uint32_t>(sum >> 10);
  }
};

/// The sum wraps at 32 bits.
__device__ int32_t channel(uint32_t sum) { return static_cast<int32_t>(sum) >> 22; }

struct Pixels {
  uint32_t word[kWords];

  __device__ Pixels(const YuvColours& c, uint32_t y, const Down& us, const Down& vs, const Weights& weights) {
    const auto scale = static_cast<uint32_t>(c.y_scale * 512);
    const auto shift = static_cast<uint32_t>((1 << 21) - c.y_scale * c.y_offset);
    int32_t rgb[kVector][3];
    SNS_UNROLL
    for (int i = 0; i < kVector; ++i) {
      const uint32_t luma = (y >> 8 * i & 255) * scale + shift;
      const uint32_t u = us.chroma(weights, i), v = vs.chroma(weights, i);
      rgb[i][0] = channel(luma + v * static_cast<uint32_t>(c.v_to_r));
      rgb[i][1] = channel(luma + v * static_cast<uint32_t>(c.v_to_g) + u * static_cast<uint32_t>(c.u_to_g));
      rgb[i][2] = channel(luma + u * static_cast<uint32_t>(c.u_to_b));
    }
    word[0] = gpu::saturate_bytes(rgb[0][0], rgb[0][1], rgb[0][2], rgb[1][0]);
    word[1] = gpu::saturate_bytes(rgb[1][1], rgb[1][2], rgb[2][0], rgb[2][1]);
    word[2] = gpu::saturate_bytes(rgb[2][2], rgb[3][0], rgb[3][1], rgb[3][2]);
  }
};

__global__ void __launch_bounds__(YuvTile::kThreads) yuv_kernel(YuvCuda tables, YuvArgs args) {
  SNS_SHARED(Four, wide, 2 * YuvTile::kChromaRows * 32);  // [planes, rows, lanes]
  SNS_SHARED(uint32_t, staged, YuvTile::kWarps * 32 * kWords);
  const gpu::BlockAt at(ceil_div(args.width, YuvTile::kColumns));
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  // Tiles begin at odd rows: where the height is even, rows 2i + 1 and 2i + 2 have the same window.
  const int64_t top = at.y * YuvTile::kRows - 1, left = at.x * YuvTile::kColumns;
  const int64_t x = left + kVector * lane;
  const bool inside = x < args.width;

  uint32_t luma[YuvTile::kRowsPerWarp];  // under way while chroma is widened
  SNS_UNROLL
  for (int i = 0; i < YuvTile::kRowsPerWarp; ++i) {
    const int64_t row = top + warp * YuvTile::kRowsPerWarp + i;
    const bool there = inside && row >= 0 && row < args.height;
    luma[i] = there ? load(args.y + row * args.ldy + x, args.width - x) : 0;
  }

  const int64_t begin = tables.down.first[top < 0 ? 0 : top];
  const int64_t last = least(top + YuvTile::kRows, args.height) - 1;
  const int rows = static_cast<int>(tables.down.first[last] + kYuvTaps - begin);
  if (inside) {
    const Across across(tables.across, x);
    const int64_t size = ceil_div(args.width, 2);
    for (int i = warp; i < 2 * rows; i += YuvTile::kWarps) {
      const int row = i / 2;
      const uint8_t* from =
          i % 2 == 0 ? args.u + (begin + row) * args.ldu : args.v + (begin + row) * args.ldv;
      wide[(i % 2 * YuvTile::kChromaRows + row) * 32 + lane] = across.widen(from, size);
    }
  }
  __syncthreads();

  uint32_t* const line = staged + warp * 32 * kWords;
  int64_t held = -1;
  Down u, v;
  SNS_UNROLL
  for (int i = 0; i < YuvTile::kRowsPerWarp; ++i) {
    const int64_t row = top + warp * YuvTile::kRowsPerWarp + i;
    if (row < 0 || row >= args.height) continue;
    const int64_t first = tables.down.first[row];
    if (first != held) {
      const Four* const from = wide + (first - begin) * 32 + lane;
      SNS_UNROLL
      for (int k = 0; k < kYuvTaps; ++k) {
        u.row[k] = from[k * 32];
        v.row[k] = from[(YuvTile::kChromaRows + k) * 32];
      }
      held = first;
    }
    const Weights weights = *reinterpret_cast<const Weights*>(tables.down.weight + row * kYuvTaps);
    const Pixels pixels(tables.colours, luma[i], u, v, weights);
    SNS_UNROLL
    for (int k = 0; k < kWords; ++k) line[kWords * lane + k] = pixels.word[k];
    __syncwarp();
    // Words that neighbouring lanes store lie side by side.
    uint8_t* const to = args.rgb + row * args.ldrgb + 3 * left;
    SNS_UNROLL
    for (int k = 0; k < kWords; ++k) {
      const int word = 32 * k + lane;
      store(to + 4 * word, line[word], 3 * (args.width - left) - 4 * word);
    }
    __syncwarp();
  }
}

}  // namespace

int yuv_cuda(const YuvCuda& tables, const YuvArgs& args, void* stream) {
  const dim3 tiles =
      gpu::grid_of(ceil_div(args.width, YuvTile::kColumns), ceil_div(args.height + 1, YuvTile::kRows));
  return gpu::gpu_launch(yuv_kernel, tiles, dim3(YuvTile::kThreads), 0, static_cast<gpu::Stream>(stream),
                         tables, args);
}

}  // namespace sns
