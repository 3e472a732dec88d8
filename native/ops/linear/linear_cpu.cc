#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear/linear_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// foreach_target.h must come first.
#include <algorithm>
#include <cstring>

#include "backend/cpu/bf16-inl.h"
#include "backend/cpu/dispatch.h"
#include "core/bfloat16.h"
#include "ops/linear/activation-inl.h"
#include "ops/linear/gemm_tile-inl.h"
#include "ops/linear/linear.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

int64_t PanelWidth() { return static_cast<int64_t>(kGemmPanel); }

using TileFn = void (*)(const float* a, size_t lda, const float* b, size_t b_stride, size_t k,
                        const void* ahead, bool first, float* c, size_t c_stride);

template <class Kind, size_t... I>
HWY_INLINE TileFn TileOf(std::index_sequence<I...>, int64_t rows) {
  static constexpr TileFn kTiles[] = {&GemmTile<Kind, static_cast<int>(I) + 1, 1>...};
  return kTiles[rows - 1];
}

/// Panels that one pass takes: few rows have too few accumulators to hide the latency of the multiply-adds.
HWY_INLINE int64_t PanelsPerPass(int64_t rows, int64_t left) {
  if (rows == 1 && left >= 4) return 4;
  return rows <= (kGemmRows >= 12 ? 3 : 2) && left >= 2 ? 2 : 1;
}

template <class Kind>
HWY_INLINE TileFn TileOf(int64_t rows, int64_t panels) {
  if (panels == 4) return &GemmTile<Kind, 1, 4>;
  if (panels == 2) {
    return rows == 1 ? &GemmTile<Kind, 1, 2> : rows == 2 ? &GemmTile<Kind, 2, 2> : &GemmTile<Kind, 3, 2>;
  }
  return TileOf<Kind>(std::make_index_sequence<kGemmRows>{}, rows);
}

HWY_INLINE TileFn TileOf(Precision precision, int64_t rows, int64_t panels) {
#if SNS_HAVE_BF16
  if (precision == Precision::kFast) return TileOf<Bf16Products>(rows, panels);
#endif
  (void)precision;
  return TileOf<Fp32Products>(rows, panels);
}

/// A row of `count` floats as pairs of bfloat16, an odd last one beside a zero.
void PairRow(const float* x, int64_t count, float* pairs) {
#if SNS_HAVE_BF16
  const GemmF d;
  constexpr auto kLanes = static_cast<int64_t>(kGemmLanes);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    hn::StoreU(Bf16Neighbours(hn::LoadU(d, x + i), hn::LoadU(d, x + i + kLanes)), d, pairs + i / 2);
  }
  if (i == count) return;
  const auto left = static_cast<size_t>(count - i);
  const GemmV low = hn::MaskedLoad(hn::FirstN(d, left), d, x + i);
  const GemmV high =
      left > kGemmLanes ? hn::MaskedLoad(hn::FirstN(d, left - kGemmLanes), d, x + i + kLanes) : hn::Zero(d);
  hn::BlendedStore(Bf16Neighbours(low, high), hn::FirstN(d, (left + 1) / 2), d, pairs + i / 2);
#else
  (void)x;
  (void)count;
  (void)pairs;
#endif
}

/// y = activation(c + bias) + residual for one panel of `rows` rows from `row`; `cols` ≤ kGemmPanel.
template <Activation kActivation>
void Epilogue(const float* HWY_RESTRICT c, const float* HWY_RESTRICT bias, const LinearArgs& args,
              int64_t row, int64_t rows, int64_t col, int64_t cols) {
  const GemmF d;
  const int64_t period = args.residual_period > 0 ? args.residual_period : args.rows;
  const GemmV b0 = hn::Load(d, bias + col), b1 = hn::Load(d, bias + col + kGemmLanes);
  int64_t residual_row = args.residual ? row % period : 0;
  for (int64_t i = 0; i < rows; ++i, c += kGemmPanel) {
    GemmV v0 = Activate<kActivation>(d, hn::Add(hn::Load(d, c), b0));
    GemmV v1 = Activate<kActivation>(d, hn::Add(hn::Load(d, c + kGemmLanes), b1));
    float* y = args.y + (row + i) * args.ldy + col;
    const float* residual = nullptr;
    if (args.residual) {
      residual = args.residual + residual_row * args.ld_residual + col;
      if (++residual_row == period) residual_row = 0;
    }
    if (HWY_LIKELY(cols == static_cast<int64_t>(kGemmPanel))) {
      if (residual) {
        v0 = hn::Add(v0, hn::LoadU(d, residual));
        v1 = hn::Add(v1, hn::LoadU(d, residual + kGemmLanes));
      }
      hn::StoreU(v0, d, y);
      hn::StoreU(v1, d, y + kGemmLanes);
    } else {
      HWY_ALIGN float tail[kGemmPanel];
      hn::Store(v0, d, tail);
      hn::Store(v1, d, tail + kGemmLanes);
      for (int64_t j = 0; j < cols; ++j) y[j] = residual ? tail[j] + residual[j] : tail[j];
    }
  }
}

using EpilogueFn = void (*)(const float*, const float*, const LinearArgs&, int64_t, int64_t, int64_t,
                            int64_t);

EpilogueFn EpilogueOf(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return &Epilogue<Activation::kNone>;
    case Activation::kGelu:
      return &Epilogue<Activation::kGelu>;
    case Activation::kGeluTanh:
      return &Epilogue<Activation::kGeluTanh>;
    case Activation::kQuickGelu:
      return &Epilogue<Activation::kQuickGelu>;
    case Activation::kRelu:
      return &Epilogue<Activation::kRelu>;
    case Activation::kSilu:
      return &Epilogue<Activation::kSilu>;
    case Activation::kTanh:
      return &Epilogue<Activation::kTanh>;
  }
  return &Epilogue<Activation::kNone>;
}

/// Brings what the epilogue of a panel of rows [row, row+rows) touches close.
HWY_INLINE void PrefetchEpilogue(const LinearArgs& args, int64_t row, int64_t rows, int64_t col) {
  const int64_t period = args.residual_period > 0 ? args.residual_period : args.rows;
  for (int64_t r = row; r < row + rows; ++r) {
    const float* y = args.y + r * args.ldy + col;
    __builtin_prefetch(y, 1, 2);
    __builtin_prefetch(y + 16, 1, 2);
  }
  if (!args.residual || args.residual == args.y) return;
  int64_t r = row % period;
  for (int64_t i = 0; i < rows; ++i) {
    const float* residual = args.residual + r * args.ld_residual + col;
    __builtin_prefetch(residual, 0, 2);
    __builtin_prefetch(residual + 16, 0, 2);
    if (++r == period) r = 0;
  }
}

/// Rows [row, row+rows) of y, panels [panel, panel_end). `a` holds those rows of x; `c` has room for
/// kMaxPass panels of `rows` rows.
void GemmBlock(const LinearWeights& w, const LinearArgs& args, const float* a, int64_t lda, int64_t row,
               int64_t rows, int64_t panel, int64_t panel_end, float* c) {
  // A panel's block of k stays in L1 or close to it while the rows pass by.
  constexpr int64_t kBlock = 512;
  const int64_t k = w.steps();
  const int64_t blocks = std::max<int64_t>(1, ceil_div(k, kBlock));
  const int64_t k_block = ceil_div(k, blocks);
  const int64_t tiles = ceil_div(rows, kGemmRows);
  const int64_t width = kGemmPanel;
  const EpilogueFn epilogue = EpilogueOf(args.activation);
  const int64_t first = panel;
  while (panel < panel_end) {
    const int64_t pass = PanelsPerPass(rows, panel_end - panel);
    const float* b = w.panels() + panel * k * width;
    int64_t k0 = 0;
    do {
      const int64_t count = std::min(k_block, k - k0);
      const bool last = k0 + count == k;
      const int64_t per_tile = count * static_cast<int64_t>(kGemmAhead / sizeof(float));
      const float* next_b = b + (last ? pass * k : k0 + count) * width;
      for (int64_t t = 0, i = 0; t < tiles; ++t) {
        const int64_t m = rows / tiles + (t < rows % tiles);
        // While the first panel passes by, the next rows are fetched on the way; then the next block of B. A
        // lone tile streams B at the speed of the memory already.
        const float* ahead = a;
        if (panel == first && t + 1 < tiles) {
          ahead = a + (i + m) * lda + k0;
        } else if (tiles > 1 && t * per_tile < count * width) {
          ahead = next_b + t * per_tile;
        }
        if (last) PrefetchEpilogue(args, row + i, m, panel * width);
        TileOf(w.precision(), m, pass)(a + i * lda + k0, lda, b + k0 * width, k * width, count, ahead,
                                       k0 == 0, c + i * width, rows * width);
        i += m;
      }
      k0 += count;
    } while (k0 < k);
    for (int64_t p = 0; p < pass; ++p) {
      const int64_t col = (panel + p) * width;
      epilogue(c + p * rows * width, w.bias(), args, row, rows, col, std::min(width, w.out() - col));
    }
    panel += pass;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sns {
namespace {

/// How the rows and panels are cut into tasks.
struct Plan {
  int64_t row_block, row_blocks;  ///< rows of a task
  int64_t group, groups;          ///< panels of a task
  bool share_rows;                ///< several tasks read the same rows: make them once, beforehand
};

/// Rows of a task such that its part of x stays in L2 beside the panel that passes by.
int64_t max_row_block(int64_t steps) {
  return std::clamp<int64_t>((int64_t{1} << 17) / std::max<int64_t>(steps, 1), 42, 168);
}
/// With fewer rows a thread than this, reading all weights in each thread costs more than cutting the
/// outputs.
constexpr int64_t kMinRowsPerThread = 40;
/// Panels that the row kernel takes at once, at most.
constexpr int64_t kMaxPass = 4;

Plan make_plan(const LinearWeights& w, int64_t rows, int64_t threads) {
  const int64_t panels = ceil_div(w.out(), w.panel_width());
  Plan p;
  p.row_blocks = std::max<int64_t>(1, ceil_div(rows, max_row_block(w.steps())));
  p.groups = 1;
  p.share_rows = threads > 1 && rows < threads * kMinRowsPerThread;
  if (p.share_rows) {
    p.groups = std::max<int64_t>(1, std::min(panels, ceil_div(2 * threads, p.row_blocks)));
  } else {
    p.row_blocks = round_up(p.row_blocks, threads);
  }
  p.row_block = ceil_div(rows, p.row_blocks);
  p.row_blocks = p.row_block > 0 ? ceil_div(rows, p.row_block) : 0;
  p.group = ceil_div(panels, p.groups);
  p.groups = p.group > 0 ? ceil_div(panels, p.group) : 0;
  return p;
}

/// Rows a multiple of 4 KiB apart share their L1 sets; more of them than there are ways evict one another.
bool rows_collide(int64_t stride) {
  const int64_t offset = stride * 4 & 4095;
  return std::min(offset, 4096 - offset) < 64;
}

/// Row stride of rows of x that live in scratch.
int64_t scratch_stride(int64_t steps) { return rows_collide(steps) ? round_up(steps, 16) + 16 : steps; }

struct Scratch {
  float* x;          ///< rows made by a source, copied or paired: a block for each worker, or all of them
  float* row;        ///< to be paired: one of each worker, from a source
  float* c;          ///< accumulators of each worker
  int64_t c_stride;  ///< floats a worker
  Scratch(Carver& carver, const LinearWeights& w, int64_t rows, int64_t threads) {
    // Never less than any smaller number of rows needs: sessions reserve for their limit.
    const int64_t block = std::min(rows, max_row_block(w.steps()));
    const int64_t all = std::min(checked_add(rows, threads, "rows"),
                                 checked_mul(threads, max_row_block(w.steps()), "threads"));
    x = carver.take<float>(checked_mul(round_up(all, 2), scratch_stride(w.steps()), "scratch"));
    row = carver.take<float>(w.precision() == Precision::kFast ? checked_mul(threads, w.in(), "scratch") : 0);
    c_stride = round_up(block * kMaxPass * w.panel_width(), 16);
    c = carver.take<float>(checked_mul(threads, c_stride, "scratch"));
  }
};

/// `one` has room for a row of floats.
void fill_rows(const LinearWeights& w, const RowSource* source, const LinearArgs& args, int64_t row,
               int64_t count, float* out, int64_t stride, float* one) {
  if (w.in() == 0) return;  // an empty product; x may be null
  const bool paired = w.precision() == Precision::kFast;
  if (source && !paired && stride == w.in()) {
    source->fill(source->context, row, count, out);
    return;
  }
  const auto pair_row = SNS_DISPATCH(PairRow);
  for (int64_t r = 0; r < count; ++r, out += stride) {
    float* const made = paired ? one : out;
    if (source) source->fill(source->context, row + r, 1, made);
    const float* x = source ? made : args.x + (row + r) * args.ldx;
    if (paired) {
      pair_row(x, w.in(), out);
    } else if (!source) {
      std::memcpy(out, x, static_cast<size_t>(w.in()) * sizeof(float));
    }
  }
}

void multiply(const LinearWeights& w, const RowSource* source, const LinearArgs& args, void* memory,
              Parallel& parallel) {
  if (args.rows <= 0 || w.out() <= 0) return;
  const auto gemm_block = SNS_DISPATCH(GemmBlock);
  const int64_t threads = parallel.threads();
  Carver carver(memory);
  const Scratch scratch(carver, w, args.rows, threads);
  const Plan plan = make_plan(w, args.rows, threads);
  const int64_t panels = ceil_div(w.out(), w.panel_width());
  // Up to 8 rows find room in any set.
  const bool made = source || w.precision() == Precision::kFast || (args.rows > 8 && rows_collide(args.ldx));
  const bool shared = made && plan.share_rows;
  const int64_t stride = made ? scratch_stride(w.steps()) : args.ldx;
  if (shared) {
    const int64_t chunk = ceil_div(args.rows, 4 * threads);
    parallel_for(parallel, ceil_div(args.rows, chunk), [&](int64_t i, int worker) {
      fill_rows(w, source, args, i * chunk, std::min(chunk, args.rows - i * chunk),
                scratch.x + i * chunk * stride, stride, scratch.row + worker * w.in());
    });
  }
  // Tasks of one group lie together: threads that run side by side read the same panels.
  parallel_for(parallel, plan.row_blocks * plan.groups, [&](int64_t i, int worker) {
    const int64_t row = i % plan.row_blocks * plan.row_block;
    const int64_t rows = std::min(plan.row_block, args.rows - row);
    const int64_t panel = i / plan.row_blocks * plan.group;
    const float* x;
    if (!made) {
      x = args.x + row * stride;
    } else if (shared) {
      x = scratch.x + row * stride;
    } else {
      float* block = scratch.x + worker * plan.row_block * stride;
      fill_rows(w, source, args, row, rows, block, stride, scratch.row + worker * w.in());
      x = block;
    }
    gemm_block(w, args, x, stride, row, rows, panel, std::min(panel + plan.group, panels),
               scratch.c + worker * scratch.c_stride);
  });
}

}  // namespace

LinearWeights::LinearWeights(const float* weight, const float* bias, int64_t out, int64_t in,
                             Precision precision)
    : out_(out),
      in_(in),
      panel_width_(SNS_DISPATCH(PanelWidth)()),
      precision_(has_avx512_bf16() ? precision : Precision::kStrict) {
  const int64_t width = panel_width_;
  const int64_t padded = round_up(checked_add(out, 0, "out"), width);
  owned_panels_ = AlignedArray<float>(checked_mul(padded, steps(), "weight"));
  owned_bias_ = AlignedArray<float>(padded);
  panels_ = owned_panels_.data();
  bias_ = owned_bias_.data();
  for (int64_t o = 0; o < padded; ++o) owned_bias_[o] = bias && o < out ? bias[o] : 0.0f;
  const bool paired = precision_ == Precision::kFast;
  const auto step = [&](const float* row, int64_t i) {
    if (!paired) return row[i];
    const uint32_t low = to_bf16(row[2 * i]), high = 2 * i + 1 < in ? to_bf16(row[2 * i + 1]) : 0;
    const uint32_t pair = high << 16 | low;
    float bits;
    std::memcpy(&bits, &pair, sizeof(bits));
    return bits;
  };
  // A cache line of each row at a time: both sides are then read and written whole.
  constexpr int64_t kStep = 16;
  for (int64_t first = 0; first < padded; first += width) {
    float* panel = owned_panels_.data() + first * steps();
    for (int64_t i0 = 0; i0 < steps(); i0 += kStep) {
      for (int64_t o = 0; o < width; ++o) {
        const float* row = first + o < out ? weight + (first + o) * in : nullptr;
        for (int64_t i = i0; i < std::min(steps(), i0 + kStep); ++i) {
          panel[i * width + o] = row ? step(row, i) : 0.0f;
        }
      }
    }
  }
}

LinearWeights::LinearWeights(const float* weight, int64_t stride_out, int64_t stride_in, float scale,
                             int64_t out, int64_t in, void* memory, Parallel& parallel)
    : out_(out), in_(in), panel_width_(SNS_DISPATCH(PanelWidth)()) {
  const int64_t width = panel_width_, panels = ceil_div(out, width);
  Carver carver(memory);
  float* to = carver.take<float>(panels * width * in);
  float* bias = carver.take<float>(panels * width);
  std::fill(bias, bias + panels * width, 0.0f);
  parallel_for(parallel, panels, [&](int64_t p, int) {
    float* panel = to + p * width * in;
    const int64_t count = std::min(width, out - p * width);
    const float* from = weight + p * width * stride_out;
    for (int64_t i = 0; i < in; ++i) {
      float* row = panel + i * width;
      for (int64_t o = 0; o < count; ++o) row[o] = scale * from[o * stride_out + i * stride_in];
      for (int64_t o = count; o < width; ++o) row[o] = 0.0f;
    }
  });
  panels_ = to;
  bias_ = bias;
}

LinearWeights LinearWeights::shape(int64_t out, int64_t in) {
  LinearWeights w;
  w.out_ = out;
  w.in_ = in;
  w.panel_width_ = SNS_DISPATCH(PanelWidth)();
  return w;
}

size_t LinearWeights::packed_bytes(int64_t out, int64_t in) {
  const int64_t padded = round_up(out, SNS_DISPATCH(PanelWidth)());
  Carver carver(nullptr);
  carver.take<float>(checked_mul(padded, in, "weight"));
  carver.take<float>(padded);
  return carver.bytes();
}

size_t linear_scratch(const LinearWeights& w, int64_t rows, int threads) {
  Carver carver(nullptr);
  Scratch(carver, w, rows, threads);
  return carver.bytes();
}

void linear_cpu(const LinearWeights& w, const LinearArgs& args, void* scratch, Parallel& parallel) {
  multiply(w, nullptr, args, scratch, parallel);
}

void linear_cpu(const LinearWeights& w, const RowSource& source, const LinearArgs& args, void* scratch,
                Parallel& parallel) {
  multiply(w, &source, args, scratch, parallel);
}

}  // namespace sns
#endif  // HWY_ONCE
