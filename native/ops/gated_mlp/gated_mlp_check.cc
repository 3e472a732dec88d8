#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/gated_mlp/gated_mlp.h"

namespace sns {
namespace {

const char* const kActivations[] = {"none", "gelu", "gelu tanh", "quick gelu", "relu", "silu", "tanh"};

/// Mostly odd small sizes, where tiles are cut; now and then large ones, where blocks are.
int64_t size(Random& rng, int64_t large) {
  const int64_t kind = rng.integer(0, 9);
  if (kind == 0) return rng.integer(1, 2);
  return kind == 1 ? rng.integer(200, large) : rng.integer(1, 70);
}

/// positive: with a handful of outputs, or of operands that all outputs share, Σref² can come out near zero
/// by cancellation, and NMSE then says nothing of the kernel; such cases get positive operands only.
std::vector<float> normal(Random& rng, int64_t count, int64_t fan_in, bool positive = false) {
  std::vector<float> v(static_cast<size_t>(count));
  rng.fill_normal(v.begin(), v.end(), 1.0 / std::sqrt(static_cast<double>(fan_in)));
  for (float& f : v) f = positive ? std::abs(f) : f;
  return v;
}

struct Operands {
  const float *gate, *up, *down;
  int64_t in, hidden, out;
};
/// Runs one case; false if something around its scratch was touched.
using Kernel = std::function<bool(const Operands& w, const GatedMlpArgs& args)>;

Parity random_case(uint64_t seed, const Kernel& kernel) {
  Random rng(seed);
  const int64_t rows = rng.integer(0, 19) == 0 ? 0 : size(rng, 420);
  const int64_t in = size(rng, rows > 70 ? 220 : 500), out = size(rng, rows > 70 ? 220 : 500);
  const int64_t hidden = size(rng, rows > 70 ? 300 : 3100);
  const bool few = rows * out < 128 || std::min(std::min(in, out), rows) * hidden < 256;
  const std::vector<float> up = normal(rng, hidden * in, in, few),
                           down = normal(rng, out * hidden, hidden, few);
  const std::vector<float> gate = normal(rng, hidden * in, in, few);

  GatedMlpArgs args;
  args.rows = rows;
  args.ldx = in + (rng.coin() ? rng.integer(0, 40) : 0);
  args.ldy = out + (rng.coin() ? rng.integer(0, 40) : 0);
  args.activation = static_cast<Activation>(rng.integer(0, 6));
  // The last row ends with its width, not with its stride: nothing may be read or written beyond.
  Guarded<float> x(rows > 0 ? (rows - 1) * args.ldx + in : 0);
  Guarded<float> y(rows > 0 ? (rows - 1) * args.ldy + out : 0);
  for (int64_t r = 0; r < rows; ++r) rng.fill_normal(x.data() + r * args.ldx, x.data() + r * args.ldx + in);
  for (int64_t i = 0; few && i < x.size(); ++i) x[i] = std::abs(x[i]);
  args.x = x.data();
  const int64_t kind = rng.integer(0, 2);  // none, elsewhere, in place
  std::vector<float> residual;
  if (kind == 1) {
    args.ld_residual = out + (rng.coin() ? rng.integer(0, 40) : 0);
    residual = normal(rng, rows * args.ld_residual, 1, few);
    args.residual = residual.data();
  } else if (kind == 2) {
    for (int64_t r = 0; r < rows; ++r)
      rng.fill_normal(y.data() + r * args.ldy, y.data() + r * args.ldy + out);
    for (int64_t i = 0; few && i < y.size(); ++i) y[i] = std::abs(y[i]);
    args.ld_residual = args.ldy;
    args.residual = y.data();
  }
  std::vector<double> reference(static_cast<size_t>(rows * out));
  gated_mlp_ref(gate.data(), up.data(), down.data(), in, hidden, out, args, reference.data());

  args.y = y.data();
  const bool scratch_ok = kernel({gate.data(), up.data(), down.data(), in, hidden, out}, args);

  Parity p;
  char shape[160];
  std::snprintf(shape, sizeof(shape), "%lld rows, %lld→%lld→%lld, %s%s, strides %lld %lld",
                static_cast<long long>(rows), static_cast<long long>(in), static_cast<long long>(hidden),
                static_cast<long long>(out), kActivations[static_cast<int>(args.activation)],
                kind == 1   ? ", residual"
                : kind == 2 ? ", residual in place"
                            : "",
                static_cast<long long>(args.ldx), static_cast<long long>(args.ldy));
  p.shape = shape;
  p.measure = "NMSE";
  p.error = nmse(y.data(), args.ldy, reference.data(), rows, out);
  p.limit = kGatedMlpNmse;
  p.guards_ok = y.rows_intact(rows, out, args.ldy) && scratch_ok;
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  Random rng(~seed);
  return random_case(seed, [&](const Operands& o, const GatedMlpArgs& args) {
    const LinearWeights gate(o.gate, nullptr, o.hidden, o.in), up(o.up, nullptr, o.hidden, o.in),
        down(o.down, nullptr, o.out, o.hidden);
    // Sessions reserve for more rows than a request has.
    const int64_t rows = args.rows + (rng.coin() ? rng.integer(0, 300) : 0);
    Guarded<unsigned char> scratch(
        static_cast<int64_t>(gated_mlp_scratch(gate, up, down, rows, parallel.threads())));
    gated_mlp_cpu(gate, up, down, args, scratch.data(), parallel);
    return scratch.intact();
  });
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return random_case(seed, [&](const Operands& o, GatedMlpArgs a) {
    CudaCase c(device);
    const auto layer = [&](const float* weight, int64_t out, int64_t in, int parts) {
      return c.packed(linear_cuda_bytes(out, in, parts), [&](void* host, void* on_device) {
        return pack_linear_cuda(weight, nullptr, out, in, host, on_device, parts);
      });
    };
    const auto gate = layer(o.gate, o.hidden, o.in, 3), up = layer(o.up, o.hidden, o.in, 3),
               down = layer(o.down, o.out, o.hidden, 2);
    a.y = c.out(a.y, a.rows, o.out, a.ldy);
    a.x = c.in(a.x, a.rows, o.in, a.ldx);
    a.residual = c.in(a.residual, a.rows, o.out, a.ld_residual);
    void* workspace = c.workspace(c.ops().gated_mlp_workspace(gate, a.rows));
    c.check(c.ops().gated_mlp(gate, up, down, a, Precision::kStrict, workspace, c.stream()), "gated_mlp");
    return c.done();
  });
}

Work work(int64_t rows, int64_t width, int64_t hidden) {
  struct State {
    LinearWeights gate, up, down;
    AlignedArray<float> x;
    AlignedArray<float> y;
    AlignedArray<unsigned char> scratch;
    int threads = 0;
  };
  auto state = std::make_shared<State>();
  Random rng(1);
  const std::vector<float> gate = normal(rng, hidden * width, width), up = normal(rng, hidden * width, width),
                           down = normal(rng, width * hidden, hidden);
  state->gate = LinearWeights(gate.data(), nullptr, hidden, width);
  state->up = LinearWeights(up.data(), nullptr, hidden, width);
  state->down = LinearWeights(down.data(), nullptr, width, hidden);
  state->x = AlignedArray<float>(rows * width);
  state->y = AlignedArray<float>(rows * width);
  rng.fill_normal(state->x.begin(), state->x.end());
  Work w;
  char shape[96];
  std::snprintf(shape, sizeof(shape), "%lld rows, %lld→%lld→%lld, silu, residual",
                static_cast<long long>(rows), static_cast<long long>(width), static_cast<long long>(hidden),
                static_cast<long long>(width));
  w.shape = shape;
  w.flops = 6.0 * static_cast<double>(rows) * static_cast<double>(width) * static_cast<double>(hidden);
  w.bytes = 4.0 * static_cast<double>(2 * rows * width + 3 * width * hidden);
  w.run = [state, rows](Parallel& parallel) {
    if (state->threads != parallel.threads()) {  // the first, untimed run
      state->threads = parallel.threads();
      state->scratch = AlignedArray<unsigned char>(
          static_cast<int64_t>(gated_mlp_scratch(state->gate, state->up, state->down, rows, state->threads)));
    }
    GatedMlpArgs args;
    args.x = args.residual = state->x.data();
    args.rows = rows;
    args.ldx = args.ldy = args.ld_residual = state->up.in();
    args.y = state->y.data();
    gated_mlp_cpu(state->gate, state->up, state->down, args, state->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() {
  return {work(64, 768, 3072), work(64, 4096, 16384) /* the Idefics2 resampler */, work(512, 768, 3072)};
}

}  // namespace

OpCheck gated_mlp_check() { return {"gated_mlp", &parity, &works, &cuda_parity}; }

}  // namespace sns
