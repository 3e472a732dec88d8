// Log-mel features that never leave the multiprocessor: the frames of a tile are transformed into shared
// memory, and their projection reads them there.

#include "ops/linear/gemm_tile_cuda.h"
#include "ops/log_mel/log_mel_frame_cuda.h"

namespace sns {
namespace {

using gpu::Passes;

/// Features of the tile, already in shared memory.
template <int kParts>
struct FeatureOperand {
  struct Stage {
    int64_t k0;
  };
  const float* x;
  int64_t ld;

  template <int kThreads>
  __device__ void load(Stage* stage, int64_t, int64_t k0) const {
    if (threadIdx.x == 0) stage->k0 = k0;
  }
  __device__ void read(const Stage& stage, int row, int k, int lane, gpu::Fragment* f) const {
    const float* at = x + (row + lane / 4) * ld + stage.k0 + k + lane % 4 * 2;
    SNS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float* pair = at + i / 2 * 8 * ld + i % 2 * 8;
      gpu::split_pair<kParts>(pair[0], pair[1], i, f);
    }
  }
};

template <class Shape, bool kStrict>
struct Fused {
  static constexpr Passes kPasses = kStrict ? Passes::kSplitAB : Passes::kOne;
  using A = FeatureOperand<gpu::parts_a(kPasses)>;
  using B = gpu::SplitOperand<Shape::kN, Shape::kK, gpu::parts_b(kPasses)>;
  using Tile = gpu::GemmTile<Shape, kPasses, A, B>;

  /// Floats from one frame's features to the next's: the eight rows of a fragment fall into different banks.
  __host__ __device__ static int64_t ld(const LogMelConfig& c) { return round_up(c.n_mels, Shape::kK) + 8; }
  __host__ __device__ static size_t feature_bytes(const LogMelConfig& c) {
    return static_cast<size_t>(Shape::kM * ld(c)) * sizeof(float);
  }
  template <class T>
  static size_t shared_bytes(const LogMelCudaPlan& p) {
    const size_t frames = gpu::frame_bytes<T>(p.half) * (Shape::kThreads / 32);
    return feature_bytes(p.config) + (frames > Tile::kShared ? frames : Tile::kShared);
  }
};

struct Token {
  float* y;               ///< null past the last frame
  const float* position;  ///< or null
};

template <class Shape, class T, bool kStrict>
__global__ void __launch_bounds__(Shape::kThreads, 3)
    log_mel_linear_kernel(LogMelCudaPlan p, LogMelCudaArgs args, LinearCudaWeights w, const float* position) {
  using F = Fused<Shape, kStrict>;
  SNS_DYNAMIC_SHARED(unsigned char, shared);
  SNS_SHARED(Token, tokens, Shape::kM);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  auto* features = reinterpret_cast<float*>(shared);
  unsigned char* work = shared + F::feature_bytes(p.config);  // of the transforms, then of the projection
  const int64_t ld = F::ld(p.config), rows = gpu::total_frames(args);
  const int64_t row0 = int64_t{blockIdx.x} * Shape::kM;
  if (row0 >= rows) return;
  for (int r = warp; r < Shape::kM; r += Shape::kThreads / 32) {
    float* x = features + r * ld;
    const int64_t row = row0 + r;
    const bool real = row < rows;
    for (int64_t m = (real ? p.config.n_mels : 0) + lane; m < ld - 8; m += 32) x[m] = 0;
    if (!real) {
      if (lane == 0) tokens[r] = {};
      continue;
    }
    const LogMelCudaItem& item = args.items[gpu::item_of(args, row)];
    const int64_t frame = row - item.first_frame;
    if (lane == 0) {
      tokens[r] = {item.y + frame * item.ldy, position ? position + frame * w.out : nullptr};
    }
    gpu::frame_features<T>(p, args, item, frame,
                           work + static_cast<size_t>(warp) * gpu::frame_bytes<T>(p.half), lane,
                           [&](int m, float v) { x[m] = v; });
    __syncwarp();  // the spectrum has been read
  }
  auto* stages = reinterpret_cast<typename F::Tile::Stage*>(work);
  for (int64_t column0 = 0; column0 < w.out; column0 += Shape::kN) {
    __syncthreads();  // the features are there, and what was in `work` has been read
    typename F::Tile tile;
    tile.run({features, ld}, {w.hi, w.lo, w.in_padded, w.out}, 0, column0,
             static_cast<int>(ceil_div(w.in, Shape::kK)), stages);
    tile.write(stages, column0, gpu::ToRows<Token>{tokens, w.bias, w.out});
  }
}

template <class Shape, class T, bool kStrict>
int launch(const LogMelCudaPlan& p, const LogMelCudaArgs& args, const LinearCudaWeights& w,
           const float* position, void* stream) {
  return gpu::gpu_launch(log_mel_linear_kernel<Shape, T, kStrict>,
                         dim3(static_cast<unsigned>(ceil_div(args.max_frames, Shape::kM))),
                         dim3(Shape::kThreads), Fused<Shape, kStrict>::template shared_bytes<T>(p),
                         static_cast<gpu::Stream>(stream), p, args, w, position);
}

template <class Shape, class T>
int launch(const LogMelCudaPlan& p, const LogMelCudaArgs& args, const LinearCudaWeights& w,
           const float* position, Precision precision, void* stream) {
  return precision == Precision::kStrict ? launch<Shape, T, true>(p, args, w, position, stream)
                                         : launch<Shape, T, false>(p, args, w, position, stream);
}

template <class T>
int launch(const LogMelCudaPlan& p, const LogMelCudaArgs& args, const LinearCudaWeights& w,
           const float* position, Precision precision, void* stream) {
  return gpu::log_mel_few(args.max_frames)
             ? launch<gpu::LogMelFew, T>(p, args, w, position, precision, stream)
             : launch<gpu::LogMelMany, T>(p, args, w, position, precision, stream);
}

}  // namespace

bool log_mel_linear_cuda_serves(const LogMelCudaPlan& p) {
  using Most = Fused<gpu::LogMelMany, true>;
  constexpr size_t kMost = 99 * 1024 - sizeof(Token) * gpu::LogMelMany::kM;  // of the smallest sm_8x
  const LogMelConfig& c = p.config;
  return gpu::no_tensor_kernel() == 0 && log_mel_cuda_fused(c) && c.clip != ClipRange::kClipMax &&
         c.norm == FeatureNorm::kNone &&
         (p.wide ? Most::shared_bytes<double>(p) : Most::shared_bytes<float>(p)) <= kMost;
}

int log_mel_linear_cuda(const LogMelCudaPlan& p, const LogMelCudaArgs& args, const LinearCudaWeights& w,
                        const float* position, Precision precision, void* stream) {
  if (args.count == 0 || args.max_frames == 0 || w.out == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  return p.wide ? launch<double>(p, args, w, position, precision, stream)
                : launch<float>(p, args, w, position, precision, stream);
}

}  // namespace sns
