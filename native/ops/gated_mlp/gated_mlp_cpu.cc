#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/gated_mlp/gated_mlp_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// y ⊙= x over `count` elements; both may be read and written up to a whole vector further.
void MultiplyRow(const float* x, int64_t count, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "backend/cpu/dispatch.h"
#include "ops/gated_mlp/gated_mlp.h"

namespace sns {
namespace {

/// With fewer rows a thread than this the threads share each layer's outputs; with more, each takes rows and
/// carries them through all layers.
constexpr int64_t kMinRowsPerThread = 40;

/// Rows whose two hidden layers stay in L2 (about 700 KiB), in whole register tiles where they are wide.
int64_t max_row_block(int64_t hidden) {
  return std::clamp<int64_t>((int64_t{700} << 10) / 8 / std::max<int64_t>(hidden, 1), 56, 168);
}

/// Never a multiple of 4 KiB (rows would evict one another from L1), and whole vectors wide.
int64_t hidden_stride(int64_t hidden) { return round_up(hidden, 16) + 16; }

bool by_rows(int64_t rows, int64_t threads) { return threads == 1 || rows >= threads * kMinRowsPerThread; }

struct Scratch {
  float* hidden;  ///< of each worker: gate, then up
  unsigned char* linear;
  int64_t hidden_floats, linear_bytes;  ///< of each worker

  Scratch(Carver& carver, const LinearWeights& gate, const LinearWeights& up, const LinearWeights& down,
          int64_t rows, int threads) {
    const int64_t block = std::min(rows, max_row_block(up.out()));
    hidden_floats = checked_mul(2 * block, hidden_stride(up.out()), "hidden");
    // Shared by all threads there are fewer than threads·kMinRowsPerThread rows: what the workers have is
    // enough.
    hidden = carver.take<float>(checked_mul(threads, hidden_floats, "hidden"));
    const auto need = [&](int64_t r, int t) {
      return static_cast<int64_t>(
          std::max({linear_scratch(gate, r, t), linear_scratch(up, r, t), linear_scratch(down, r, t)}));
    };
    linear_bytes = round_up(need(block, 1), static_cast<int64_t>(kAlign));
    const int64_t shared = need(std::min(rows, threads * kMinRowsPerThread), threads);
    linear = carver.take<unsigned char>(std::max(checked_mul(threads, linear_bytes, "scratch"), shared));
  }
};

void three_layers(const LinearWeights& gate, const LinearWeights& up, const LinearWeights& down,
                  const GatedMlpArgs& args, int64_t row, int64_t rows, float* hidden, void* scratch,
                  Parallel& parallel) {
  const int64_t ld = hidden_stride(up.out());
  float* gated = hidden;
  float* raised = hidden + rows * ld;
  LinearArgs first;
  first.x = args.x + row * args.ldx;
  first.rows = rows;
  first.ldx = args.ldx;
  first.y = gated;
  first.ldy = ld;
  first.activation = args.activation;
  linear_cpu(gate, first, scratch, parallel);
  first.y = raised;
  first.activation = Activation::kNone;
  linear_cpu(up, first, scratch, parallel);
  const auto multiply = SNS_DISPATCH(MultiplyRow);
  parallel_for(parallel, ceil_div(rows, 8), [&](int64_t i, int) {
    for (int64_t r = 8 * i; r < std::min(rows, 8 * (i + 1)); ++r) {
      multiply(raised + r * ld, up.out(), gated + r * ld);
    }
  });
  LinearArgs second;
  second.x = gated;
  second.rows = rows;
  second.ldx = ld;
  second.y = args.y + row * args.ldy;
  second.ldy = args.ldy;
  if (args.residual) {
    second.residual = args.residual + row * args.ld_residual;
    second.ld_residual = args.ld_residual;
  }
  linear_cpu(down, second, scratch, parallel);
}

}  // namespace

size_t gated_mlp_scratch(const LinearWeights& gate, const LinearWeights& up, const LinearWeights& down,
                         int64_t rows, int threads) {
  Carver carver(nullptr);
  Scratch(carver, gate, up, down, rows, threads);
  return carver.bytes();
}

void gated_mlp_cpu(const LinearWeights& gate, const LinearWeights& up, const LinearWeights& down,
                   const GatedMlpArgs& args, void* scratch, Parallel& parallel) {
  if (args.rows <= 0) return;
  const int threads = parallel.threads();
  Carver carver(scratch);
  const Scratch s(carver, gate, up, down, args.rows, threads);
  if (!by_rows(args.rows, threads)) {
    three_layers(gate, up, down, args, 0, args.rows, s.hidden, s.linear, parallel);
    return;
  }
  int64_t blocks = round_up(ceil_div(args.rows, max_row_block(up.out())), threads);
  const int64_t block = ceil_div(args.rows, blocks);
  blocks = ceil_div(args.rows, block);
  parallel_for(parallel, blocks, [&](int64_t i, int worker) {
    Serial serial;
    three_layers(gate, up, down, args, i * block, std::min(block, args.rows - i * block),
                 s.hidden + worker * s.hidden_floats, s.linear + worker * s.linear_bytes, serial);
  });
}

}  // namespace sns
#endif
