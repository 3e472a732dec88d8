#include <algorithm>

#include "ops/mlp/mlp.h"

namespace sns {
namespace {

/// With fewer rows a thread than this the threads share each layer's outputs; with more, each takes rows and
/// carries them through both layers.
constexpr int64_t kMinRowsPerThread = 40;

/// Rows whose hidden layer stays in L2: about 700 KiB, in whole register tiles where the layer is wide.
int64_t max_row_block(int64_t hidden) {
  return std::clamp<int64_t>((int64_t{700} << 10) / 4 / std::max<int64_t>(hidden, 1), 56, 168);
}

/// Row stride of the hidden layer: never a multiple of 4 KiB, which would let rows evict one another from L1.
int64_t hidden_stride(int64_t hidden) { return round_up(hidden, 16) + 16; }

bool by_rows(int64_t rows, int64_t threads) { return threads == 1 || rows >= threads * kMinRowsPerThread; }

struct Scratch {
  float* hidden;
  unsigned char* linear;
  int64_t hidden_floats, linear_bytes;  ///< of each worker

  Scratch(Carver& carver, const LinearWeights& up, const LinearWeights& down, int64_t rows, int threads) {
    const int64_t block = std::min(rows, max_row_block(up.out()));
    hidden_floats = checked_mul(block, hidden_stride(up.out()), "hidden");
    // Shared by all threads there are fewer than threads·kMinRowsPerThread rows: what the workers have is
    // enough.
    hidden = carver.take<float>(checked_mul(threads, hidden_floats, "hidden"));
    const auto need = [&](int64_t r, int t) {
      return static_cast<int64_t>(std::max(linear_scratch(up, r, t), linear_scratch(down, r, t)));
    };
    linear_bytes = round_up(need(block, 1), static_cast<int64_t>(kAlign));
    const int64_t shared = need(std::min(rows, threads * kMinRowsPerThread), threads);
    linear = carver.take<unsigned char>(std::max(checked_mul(threads, linear_bytes, "scratch"), shared));
  }
};

void two_layers(const LinearWeights& up, const LinearWeights& down, const MlpArgs& args, int64_t row,
                int64_t rows, float* hidden, void* scratch, Parallel& parallel) {
  LinearArgs first;
  first.x = args.x + row * args.ldx;
  first.rows = rows;
  first.ldx = args.ldx;
  first.y = hidden;
  first.ldy = hidden_stride(up.out());
  first.activation = args.activation;
  linear_cpu(up, first, scratch, parallel);
  LinearArgs second;
  second.x = hidden;
  second.rows = rows;
  second.ldx = first.ldy;
  second.y = args.y + row * args.ldy;
  second.ldy = args.ldy;
  if (args.residual) {
    second.residual = args.residual + row * args.ld_residual;
    second.ld_residual = args.ld_residual;
  }
  linear_cpu(down, second, scratch, parallel);
}

}  // namespace

size_t mlp_scratch(const LinearWeights& up, const LinearWeights& down, int64_t rows, int threads) {
  Carver carver(nullptr);
  Scratch(carver, up, down, rows, threads);
  return carver.bytes();
}

void mlp_cpu(const LinearWeights& up, const LinearWeights& down, const MlpArgs& args, void* scratch,
             Parallel& parallel) {
  if (args.rows <= 0) return;
  const int threads = parallel.threads();
  Carver carver(scratch);
  const Scratch s(carver, up, down, args.rows, threads);
  if (!by_rows(args.rows, threads)) {
    two_layers(up, down, args, 0, args.rows, s.hidden, s.linear, parallel);
    return;
  }
  int64_t blocks = round_up(ceil_div(args.rows, max_row_block(up.out())), threads);
  const int64_t block = ceil_div(args.rows, blocks);
  blocks = ceil_div(args.rows, block);
  parallel_for(parallel, blocks, [&](int64_t i, int worker) {
    Serial serial;
    two_layers(up, down, args, i * block, std::min(block, args.rows - i * block),
               s.hidden + worker * s.hidden_floats, s.linear + worker * s.linear_bytes, serial);
  });
}

}  // namespace sns
