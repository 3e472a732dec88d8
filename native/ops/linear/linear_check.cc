#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "core/bfloat16.h"
#include "ops/linear/linear.h"

namespace sns {
namespace {

const char* const kActivations[] = {"none", "gelu", "gelu tanh", "quick gelu", "relu", "silu", "tanh"};

/// Mostly odd small sizes, where tiles and panels are cut; now and then large ones, where blocks are.
int64_t size(Random& rng, int64_t large) {
  const int64_t kind = rng.integer(0, 11);
  if (kind == 0) return rng.integer(0, 1);
  if (kind == 1) return rng.integer(301, large);
  return rng.integer(1, 70);
}

struct RowsOfMatrix {
  const float* x;
  int64_t ldx, in;
  static void fill(const void* context, int64_t row, int64_t count, float* out) {
    const auto& m = *static_cast<const RowsOfMatrix*>(context);
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t i = 0; i < m.in; ++i) out[r * m.in + i] = m.x[(row + r) * m.ldx + i];
    }
  }
};

/// With a handful of outputs, or of operands that all outputs share, Σref² can come out near zero by
/// cancellation, and NMSE then says nothing of the kernel: such cases get positive operands only. Nor does
/// the bound of bfloat16, a mean of roundings, hold for a handful: there they need no rounding.
enum class Draw { kAny, kPositive, kPositiveBf16 };
template <class It>
void draw(Random& rng, It first, It last, double deviation, Draw kind) {
  rng.fill_normal(first, last, deviation);
  for (; kind != Draw::kAny && first != last; ++first) {
    *first = std::abs(*first);
    if (kind == Draw::kPositiveBf16) *first = from_bf16(to_bf16(*first));
  }
}
constexpr int64_t kFew = 32;

/// A case whose operands were rounded to bfloat16, if they were.
Parity rounded(Parity p, bool fast) {
  if (fast) {
    p.shape += ", bfloat16";
    p.limit = kLinearFastNmse;
  }
  return p;
}

struct Operands {
  const float* weight;
  const float* bias;  ///< or null
  int64_t out, in;
};
/// Runs one case; false if something around its scratch was touched.
using Kernel = std::function<bool(const Operands& w, const LinearArgs& args)>;

/// bf16: the kernel may round operands to bfloat16. tiles: 0, or of 128 × 128 that the outputs make, from x
/// as the GPU's largest kernels take it.
Parity random_case(uint64_t seed, bool bf16, int64_t tiles, const Kernel& kernel) {
  Random rng(seed);
  int64_t rows = size(rng, 420), out = size(rng, 400);
  int64_t in = rng.integer(0, 7) == 0 ? 1024 : size(rng, rows > 70 || out > 70 ? 700 : 3100);
  if (tiles > 0) {
    const int64_t across = rng.integer(1, std::min<int64_t>(tiles, 12));
    rows = 128 * ceil_div(tiles, across) - rng.integer(0, 127), out = 128 * across - rng.integer(0, 127);
    in = rng.integer(128, 300);
  }
  const bool many = rows * out >= kFew && std::min(rows, out) * in >= 2 * kFew;
  const Draw few = many ? Draw::kAny : bf16 ? Draw::kPositiveBf16 : Draw::kPositive;
  std::vector<float> weight(static_cast<size_t>(out * in)), bias(static_cast<size_t>(out));
  draw(rng, weight.begin(), weight.end(), 1.0 / std::sqrt(static_cast<double>(std::max<int64_t>(in, 1))),
       few);
  draw(rng, bias.begin(), bias.end(), 1, few);
  const bool with_bias = rng.coin();

  LinearArgs args;
  args.rows = rows;
  args.ldx = in + (rng.coin() ? rng.integer(0, 40) : 0);
  if (tiles > 0) args.ldx = round_up(args.ldx, 4);
  args.ldy = out + (rng.coin() ? rng.integer(0, 40) : 0);
  args.activation = static_cast<Activation>(rng.integer(0, 6));
  // The last row ends with its width, not with its stride: nothing may be read or written beyond.
  Guarded<float> x(rows > 0 ? (rows - 1) * args.ldx + in : 0);
  Guarded<float> y(rows > 0 ? (rows - 1) * args.ldy + out : 0);
  for (int64_t r = 0; r < rows; ++r) draw(rng, x.data() + r * args.ldx, x.data() + r * args.ldx + in, 1, few);
  args.x = x.data();

  const int64_t kind = rng.integer(0, 3);  // none, whole, repeating, in place
  std::vector<float> residual;
  if (kind == 1 || kind == 2) {
    args.residual_period = kind == 2 ? rng.integer(1, rows + 2) : 0;
    args.ld_residual = out + (rng.coin() ? rng.integer(0, 40) : 0);
    residual.resize(
        static_cast<size_t>((args.residual_period ? args.residual_period : rows) * args.ld_residual));
    draw(rng, residual.begin(), residual.end(), 1, few);
    args.residual = residual.data();
  } else if (kind == 3) {
    for (int64_t r = 0; r < rows; ++r)
      draw(rng, y.data() + r * args.ldy, y.data() + r * args.ldy + out, 1, few);
    args.ld_residual = args.ldy;
    args.residual = y.data();
  }
  std::vector<double> reference(static_cast<size_t>(rows * out));
  linear_ref(weight.data(), with_bias ? bias.data() : nullptr, out, in, args, reference.data());
  args.y = y.data();
  const bool scratch_ok = kernel({weight.data(), with_bias ? bias.data() : nullptr, out, in}, args);

  Parity p;
  char shape[160];
  std::snprintf(shape, sizeof(shape), "%lld rows, %lld→%lld, %s%s%s, strides %lld %lld",
                static_cast<long long>(rows), static_cast<long long>(in), static_cast<long long>(out),
                kActivations[static_cast<int>(args.activation)], with_bias ? ", bias" : "",
                kind == 1   ? ", residual"
                : kind == 2 ? ", repeating residual"
                : kind == 3 ? ", residual in place"
                            : "",
                static_cast<long long>(args.ldx), static_cast<long long>(args.ldy));
  p.shape = shape;
  p.measure = "NMSE";
  p.error = nmse(y.data(), args.ldy, reference.data(), rows, out);
  p.limit = kLinearNmse;
  p.guards_ok = y.rows_intact(rows, out, args.ldy) && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  Random rng(~seed);
  const bool from_source = rng.coin();
  bool fast = rng.coin();
  Parity p = random_case(seed, fast, 0, [&](const Operands& o, LinearArgs args) {
    const LinearWeights w(o.weight, o.bias, o.out, o.in, fast ? Precision::kFast : Precision::kStrict);
    fast = w.precision() == Precision::kFast;
    // Sessions reserve for more rows than a request has.
    const int64_t rows = args.rows + (rng.coin() ? rng.integer(0, 300) : 0);
    Guarded<unsigned char> scratch(static_cast<int64_t>(linear_scratch(w, rows, parallel.threads())));
    if (from_source) {
      const RowsOfMatrix matrix{args.x, args.ldx, o.in};
      args.x = nullptr;
      linear_cpu(w, RowSource{&RowsOfMatrix::fill, &matrix}, args, scratch.data(), parallel);
    } else {
      linear_cpu(w, args, scratch.data(), parallel);
    }
    return scratch.intact();
  });
  if (from_source) p.shape += ", from a source";
  return rounded(p, fast);
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  Random rng(~seed);
  const bool fast = rng.coin();
  const int parts = rng.coin() ? 2 : 3;
  // Kernels that need a full device are seen by no small case.
  const int64_t tiles = rng.integer(0, 11) == 0 ? device->multiprocessors() : 0;
  const Parity p = random_case(seed, fast, tiles, [&](const Operands& o, LinearArgs a) {
    CudaCase c(device);
    const auto w = c.packed(linear_cuda_bytes(o.out, o.in, parts), [&](void* host, void* on_device) {
      return pack_linear_cuda(o.weight, o.bias, o.out, o.in, host, on_device, parts);
    });
    a.y = c.out(a.y, a.rows, o.out, a.ldy);
    a.x = c.in(a.x, a.rows, o.in, a.ldx);
    a.residual = c.in(a.residual, a.residual_period ? a.residual_period : a.rows, o.out, a.ld_residual);
    c.check(c.ops().linear(w, a, fast ? Precision::kFast : Precision::kStrict, c.stream()), "linear");
    return c.done();
  });
  return rounded(p, fast);
}

Work work(int64_t rows, int64_t in, int64_t out, Activation activation,
          Precision precision = Precision::kStrict) {
  struct State {
    LinearWeights w;
    AlignedArray<float> x, y;
    AlignedArray<unsigned char> scratch;
    int threads = 0;
  };
  auto state = std::make_shared<State>();
  Random rng(1);
  {
    std::vector<float> weight(static_cast<size_t>(out * in)), bias(static_cast<size_t>(out));
    rng.fill_normal(weight.begin(), weight.end(), 0.05);
    rng.fill_normal(bias.begin(), bias.end());
    state->w = LinearWeights(weight.data(), bias.data(), out, in, precision);
  }
  state->x = AlignedArray<float>(rows * in);
  state->y = AlignedArray<float>(rows * out);
  rng.fill_normal(state->x.begin(), state->x.end());
  Work w;
  char shape[96];
  std::snprintf(shape, sizeof(shape), "%lld rows, %lld→%lld%s%s%s", static_cast<long long>(rows),
                static_cast<long long>(in), static_cast<long long>(out),
                activation == Activation::kNone ? "" : ", ",
                activation == Activation::kNone ? "" : kActivations[static_cast<int>(activation)],
                precision == Precision::kFast ? ", bfloat16" : "");
  w.bf16 = state->w.precision() == Precision::kFast;
  w.shape = shape;
  w.flops = 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
  w.bytes = 4.0 * static_cast<double>(rows * in + out * in + out + rows * out);
  w.run = [state, rows, activation](Parallel& parallel) {
    if (state->threads != parallel.threads()) {  // the first, untimed run
      state->threads = parallel.threads();
      state->scratch =
          AlignedArray<unsigned char>(static_cast<int64_t>(linear_scratch(state->w, rows, state->threads)));
    }
    LinearArgs args;
    args.x = state->x.data();
    args.rows = rows;
    args.ldx = state->w.in();
    args.y = state->y.data();
    args.ldy = state->w.out();
    args.activation = activation;
    linear_cpu(state->w, args, state->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() {
  return {
      work(1, 768, 768, Activation::kNone),     // one query: bound by the weights' bandwidth
      work(16, 768, 768, Activation::kNone),    // a short text
      work(196, 768, 768, Activation::kNone),   // a ViT-B/16 layer's projection
      work(256, 768, 3072, Activation::kGelu),  // Perceiver latents, widening 4
      work(1001, 128, 768, Activation::kNone),  // 10 s of log-mel frames, 128 bins
      work(4096, 768, 768, Activation::kNone),
      work(196, 768, 768, Activation::kNone, Precision::kFast),
      work(256, 768, 3072, Activation::kGelu, Precision::kFast),
      work(4096, 768, 768, Activation::kNone, Precision::kFast),
  };
}

}  // namespace

OpCheck linear_check() { return {"linear", &parity, &works, &cuda_parity}; }

}  // namespace sns
