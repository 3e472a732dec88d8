#include "ops/patch_embed/patch_embed_cuda.h"

#include "backend/cuda/search.h"
#include "ops/linear/gemm_tile_cuda.h"
#include "ops/linear/gemm_wgmma_cuda.h"

namespace sns {
namespace {

using gpu::Fragment;
using gpu::Passes;

/// Where one row of the tile comes from and goes to.
struct PatchRow {
  const unsigned char* pixels;                     ///< of the patch's first element; null past the last patch
  int64_t stride_y, stride_x, stride_c, stride_t;  ///< elements
  float* y;
  const float* position;

  __device__ int64_t offset(int32_t element) const {
    return (element & 0xFFF) * stride_x + (element >> 12 & 0xFFF) * stride_y +
           (element >> 24 & 0xF) * stride_c + (element >> 28 & 0xF) * stride_t;
  }
};

__device__ PatchRow patch_row(const PatchEmbedCudaWeights& w, const PatchEmbedCudaArgs& args, int64_t row,
                              int64_t rows) {
  PatchRow r{};
  if (row >= rows) return r;
  const PatchEmbedCudaItem& item =
      args.items[gpu::last_not_after(args.count, row, [&](int64_t i) { return args.items[i].first_row; })];
  const int64_t patch = row - item.first_row;
  r.stride_y = item.stride_y, r.stride_x = item.stride_x, r.stride_c = item.stride_c;
  r.stride_t = item.stride_t;
  const int64_t start = patch / item.grid_w * w.geometry.stride_h * item.stride_y +
                        patch % item.grid_w * w.geometry.stride_w * item.stride_x +
                        w.first_frame * item.stride_t;
  r.pixels = static_cast<const unsigned char*>(item.data) +
             start * (w.source == PixelSource::kU8Interleaved ? 1 : 4);
  r.y = item.y + patch * item.ldy;
  r.position = item.position ? item.position + patch * w.linear.out : nullptr;
  if (w.first_frame > 0) r.position = r.y;
  return r;
}

/// Bytes stay bytes in shared memory and become exact centred bfloat16 on the way to the tensor core.
template <int kRows, int kK>
struct ByteOperand {
  static constexpr int kLd = kK + 16;
  struct Stage {
    alignas(16) uint8_t x[kRows * kLd];
    alignas(16) float centre[kK];
  };
  const PatchRow* rows;
  const int32_t* element;
  const float* centre;
  int run;
  int64_t columns;  ///< those behind only pad W

  template <int kThreads>
  __device__ void load(Stage* stage, int64_t, int64_t k0) const {
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kK / 4; i += kThreads) {
      const int r = i / (kK / 4), c = i % (kK / 4) * 4;
      const PatchRow& row = rows[r];
      uint8_t* to = stage->x + r * kLd + c;
      const int32_t* e = element + k0 + c;
      const unsigned char* from = row.pixels ? row.pixels + row.offset(e[0]) : nullptr;
      const bool there = from && k0 + c < columns;
      if (!there || (run % 4 == 0 && (reinterpret_cast<uintptr_t>(from) & 3) == 0)) {  // a run is contiguous
        gpu::cp_async4(to, there ? from : static_cast<const void*>(element), there);
      } else {
        for (int b = 0; b < 4; ++b) to[b] = row.pixels[row.offset(e[b])];
      }
    }
    for (int i = static_cast<int>(threadIdx.x); i < kK / 4; i += kThreads) {
      gpu::cp_async16(stage->centre + 4 * i, centre + k0 + 4 * i, true);
    }
  }
  __device__ static void read(const Stage& stage, int row, int k, int lane, Fragment* f) {
    SNS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int column = k + lane % 4 * 2 + i % 2 * 8;
      const uint8_t* pair = stage.x + (row + lane / 4 + i / 2 * 8) * kLd + column;
      f->hi[i] = gpu::pack_bf16(static_cast<float>(pair[0]) - stage.centre[column],
                                static_cast<float>(pair[1]) - stage.centre[column + 1]);
    }
  }
};

/// FloatOperand with gathered rows.
template <int kRows, int kK, int kParts>
struct PatchFloatOperand : gpu::FloatOperand<kRows, kK, kParts, true> {
  using Base = gpu::FloatOperand<kRows, kK, kParts, true>;
  const PatchRow* rows;
  const int32_t* element;
  int run;
  int64_t columns;  ///< as ByteOperand's

  template <int kThreads>
  __device__ void load(typename Base::Stage* stage, int64_t, int64_t k0) const {
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kK / 4; i += kThreads) {
      const int r = i / (kK / 4), c = i % (kK / 4) * 4;
      const PatchRow& row = rows[r];
      float* to = stage->x + r * Base::kLd + c;
      const int32_t* e = element + k0 + c;
      const auto* x = reinterpret_cast<const float*>(row.pixels);
      const bool there = x && k0 + c < columns;
      if (!there || (run % 4 == 0 && (reinterpret_cast<uintptr_t>(x + row.offset(e[0])) & 15) == 0)) {
        gpu::cp_async16(to, there ? x + row.offset(e[0]) : static_cast<const void*>(element), there);
      } else {
        for (int b = 0; b < 4; ++b) gpu::cp_async4(to + b, x + row.offset(e[b]), true);
      }
    }
  }
};

template <class Shape, bool kBytes, bool kStrict>
struct PatchEmbed {
  static constexpr Passes kPasses = !kStrict ? Passes::kOne : kBytes ? Passes::kSplitB : Passes::kSplitAB;
  using A = std::conditional_t<kBytes, ByteOperand<Shape::kM, Shape::kK>,
                               PatchFloatOperand<Shape::kM, Shape::kK, kStrict ? 2 : 1>>;

  __device__ static A operand(const PatchEmbedCudaWeights& w, const PatchRow* rows) {
    A a;
    a.rows = rows, a.element = w.element, a.run = w.run, a.columns = w.linear.in;
    if constexpr (kBytes) a.centre = w.centre;
    return a;
  }
};

template <class Shape, bool kBytes, bool kStrict>
struct PatchEmbedTile : PatchEmbed<Shape, kBytes, kStrict> {
  using P = PatchEmbed<Shape, kBytes, kStrict>;
  using B = gpu::SplitOperand<Shape::kN, Shape::kK, kStrict ? 2 : 1>;
  using Tile = gpu::GemmTile<Shape, P::kPasses, typename P::A, B>;
};

template <class Shape, bool kBytes, bool kStrict>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    patch_embed_kernel(PatchEmbedCudaWeights w, PatchEmbedCudaArgs args) {
  using P = PatchEmbedTile<Shape, kBytes, kStrict>;
  SNS_DYNAMIC_SHARED(typename P::Tile::Stage, stages);
  SNS_SHARED(PatchRow, patches, Shape::kM);
  const gpu::BlockAt at(ceil_div(w.linear.out, Shape::kN));
  const int64_t row0 = at.y * Shape::kM, column0 = at.x * Shape::kN;
  const int64_t rows = *args.rows;
  if (row0 >= rows) return;
  for (int r = static_cast<int>(threadIdx.x); r < Shape::kM; r += Shape::kThreads) {
    patches[r] = patch_row(w, args, row0 + r, rows);
  }
  __syncthreads();
  typename P::Tile tile;
  tile.run(P::operand(w, patches), {w.linear.hi, w.linear.lo, w.linear.in_padded, w.linear.out}, row0,
           column0, static_cast<int>(ceil_div(w.linear.in, Shape::kK)), stages);
  tile.write(stages, column0, gpu::ToRows<PatchRow>{patches, w.linear.bias, w.linear.out});
}

template <class Shape, bool kBytes, bool kStrict>
int launch(const PatchEmbedCudaWeights& w, const PatchEmbedCudaArgs& args, void* stream) {
  const dim3 grid = gpu::grid_of(ceil_div(w.linear.out, Shape::kN), ceil_div(args.max_rows, Shape::kM));
  return gpu::gpu_launch(patch_embed_kernel<Shape, kBytes, kStrict>, grid, dim3(Shape::kThreads),
                         PatchEmbedTile<Shape, kBytes, kStrict>::Tile::kShared,
                         static_cast<gpu::Stream>(stream), w, args);
}

/// Where the sixteen rows of a warp go: lane r knows row r.
struct PatchOut {
  const PatchEmbedCudaWeights& w;
  const PatchEmbedCudaArgs& args;
  int64_t rows;
  unsigned long long y = 0, position = 0;  ///< pointers; y is null past the last patch

  __device__ void begin(int64_t row0, int lane) {
    const PatchRow row = patch_row(w, args, row0 + lane % 16, rows);
    y = reinterpret_cast<uintptr_t>(row.y);
    position = reinterpret_cast<uintptr_t>(row.position);
  }
  struct Read {
    float bias = 0, position = 0;
  };
  __device__ Read read(int r, int64_t column) const {
    const auto* add = reinterpret_cast<const float*>(__shfl_sync(0xFFFFFFFFu, position, r));
    Read read;
    if (column >= w.linear.out) return read;
    read.bias = w.linear.bias[column];
    if (add) read.position = add[column];
    return read;
  }
  __device__ void put(int r, int64_t column, float v, const Read& read) const {
    auto* to = reinterpret_cast<float*>(__shfl_sync(0xFFFFFFFFu, y, r));
    if (to && column < w.linear.out) to[column] = v + read.bias + read.position;
  }
};

template <class Shape, bool kBytes, bool kStrict>
struct PatchEmbedWgmma : PatchEmbed<Shape, kBytes, kStrict> {
  using P = PatchEmbed<Shape, kBytes, kStrict>;
  using Gemm = gpu::WgmmaGemm<Shape, P::kPasses, typename P::A, sizeof(PatchRow) * Shape::kM>;
};

template <class Shape, bool kBytes, bool kStrict>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    patch_embed_wgmma_kernel(PatchEmbedCudaWeights w, PatchEmbedCudaArgs args) {
  if constexpr (gpu::kHopper) {
    using P = PatchEmbedWgmma<Shape, kBytes, kStrict>;
    SNS_DYNAMIC_SHARED(typename P::Gemm::Shared, shared);
    SNS_SHARED(PatchRow, patches, Shape::kM);
    static_assert(Shape::kM == Shape::kLoaders);
    const int64_t rows = *args.rows;
    const auto operand = [&](int64_t row0) {  // by the loaders
      constexpr int kBarrier = 1;
      gpu::named_barrier(kBarrier, Shape::kLoaders);  // the last tile's have been read
      patches[threadIdx.x] = patch_row(w, args, row0 + threadIdx.x, rows);
      gpu::named_barrier(kBarrier, Shape::kLoaders);
      return P::operand(w, patches);
    };
    P::Gemm::run(w.linear, rows, shared, operand, PatchOut{w, args, rows});
  } else {
    gpu::not_built();
  }
}

template <class Shape, bool kBytes, bool kStrict>
int launch_wgmma(const PatchEmbedCudaWeights& w, const PatchEmbedCudaArgs& args, void* stream) {
  return gpu::gpu_launch(patch_embed_wgmma_kernel<Shape, kBytes, kStrict>,
                         gpu::wgmma_grid<Shape>(args.max_rows, w.linear.out), dim3(Shape::kThreads),
                         sizeof(typename PatchEmbedWgmma<Shape, kBytes, kStrict>::Gemm::Shared),
                         static_cast<gpu::Stream>(stream), w, args);
}

template <bool kBytes, bool kStrict>
int launch(const PatchEmbedCudaWeights& w, const PatchEmbedCudaArgs& args, void* stream) {
  if (gpu::hopper() && gpu::gemm_wgmma(args.max_rows, w.linear.out, w.linear.in, gpu::multiprocessors())) {
    return launch_wgmma<std::conditional_t<kStrict, gpu::WgmmaStrict, gpu::WgmmaFast>, kBytes, kStrict>(
        w, args, stream);
  }
  return gpu::gemm_shape(args.max_rows, w.linear.out) == 2
             ? launch<gpu::GemmLarge, kBytes, kStrict>(w, args, stream)
             : launch<gpu::GemmSmall, kBytes, kStrict>(w, args, stream);
}

}  // namespace

int patch_embed_cuda(const PatchEmbedCudaWeights& w, const PatchEmbedCudaArgs& args, Precision precision,
                     void* stream) {
  if (args.count == 0 || args.max_rows == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  const bool bytes = w.source == PixelSource::kU8Interleaved;
  if (precision == Precision::kStrict) {
    return bytes ? launch<true, true>(w, args, stream) : launch<false, true>(w, args, stream);
  }
  return bytes ? launch<true, false>(w, args, stream) : launch<false, false>(w, args, stream);
}

}  // namespace sns
