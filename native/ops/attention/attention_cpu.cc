#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention/attention_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// foreach_target.h must come first.
#include <cstring>

#include "ops/attention/attention_kernels-inl.h"
#include "ops/attention/attention_plan.h"

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

// Panels, or plain rows when there are but a few. Rows past the end of the last panel are zeros: their scores
// are computed and never read.
void PackQueries(const AttentionArgs& a, const AttentionTask& t, float* to) {
  constexpr float kLog2e = 1.44269504088896340736f;
  const int64_t group = a.heads / a.kv_heads;
  if (t.rows <= kFewRows) {
    for (int64_t r = 0; r < t.rows; ++r) {
      const int64_t row = t.row + r;
      const float* from =
          a.q + (t.query + row / group) * a.ldq + (t.kv_head * group + row % group) * a.qk_dim;
      for (int64_t d = 0; d < a.qk_dim; ++d) to[r * a.qk_dim + d] = a.scale * kLog2e * from[d];
    }
    return;
  }
  const int64_t padded = (t.rows + 3) / 4 * 4;
  for (int64_t r = 0; r < padded; r += 4) {
    const float* from[4];
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t row = t.row + HWY_MIN(r + i, t.rows - 1);
      from[i] = a.q + (t.query + row / group) * a.ldq + (t.kv_head * group + row % group) * a.qk_dim;
    }
    TransposeFour(from, a.qk_dim, a.scale * kLog2e, to + r / kPanel * kPanel * a.qk_dim + r % kPanel);
  }
  for (int64_t r = padded; r % kPanel != 0; ++r) {
    float* column = to + r / kPanel * kPanel * a.qk_dim + r % kPanel;
    for (int64_t d = 0; d < a.qk_dim; ++d) column[d * kPanel] = 0;
  }
}

// Copies the keys that take part, and their values, close together: no masked row is ever read, rows of a
// wide matrix no longer fight for the same cache sets, and the columns of V become whole vectors.
int64_t PackKeys(const AttentionArgs& a, const AttentionTask& t, int64_t first, int64_t count, bool keys_too,
                 int64_t v_pad, const AttentionWorker& w) {
  int64_t live = 0;
  for (int64_t j = first; j < first + count; ++j) {
    if (a.key_mask && !a.key_mask[j]) continue;
    if (keys_too) CopyRow(a.k + j * a.ldk + t.kv_head * a.qk_dim, a.qk_dim, w.k + live * a.qk_dim);
    if (a.key_weight) w.weight[live] = a.key_weight[j];
    float* v = w.v + live * v_pad;
    CopyRow(a.v + j * a.ldv + t.kv_head * a.v_dim, a.v_dim, v);
    for (int64_t c = a.v_dim; c < v_pad; ++c) v[c] = 0;
    ++live;
  }
  return live;
}

// The same in bfloat16: w.k [keys][pairs of qk_dim], w.v [pairs of keys][v_pad].
int64_t PairKeys(const AttentionArgs& a, const AttentionTask& t, int64_t first, int64_t count, int64_t v_pad,
                 const AttentionWorker& w) {
  int64_t live = 0;
#if SNS_HAVE_BF16
  const float* even = nullptr;  // the values of a key that waits for the next one
  const int64_t pairs = (a.qk_dim + 1) / 2;
  for (int64_t j = first; j < first + count; ++j) {
    if (a.key_mask && !a.key_mask[j]) continue;
    PairKey(a.k + j * a.ldk + t.kv_head * a.qk_dim, a.qk_dim, w.k + live * pairs);
    if (a.key_weight) w.weight[live] = a.key_weight[j];
    const float* v = a.v + j * a.ldv + t.kv_head * a.v_dim;
    if (live % 2 == 0) {
      even = v;
    } else {
      PairValues(even, v, a.v_dim, v_pad, w.v + live / 2 * v_pad);
      even = nullptr;
    }
    ++live;
  }
  if (even) PairValues(even, nullptr, a.v_dim, v_pad, w.v + live / 2 * v_pad);
#else
  (void)a;
  (void)t;
  (void)first;
  (void)count;
  (void)v_pad;
  (void)w;
#endif
  return live;
}

// Packed queries of whole panels in bfloat16: pairs of neighbours of qk_dim.
void PairQueries(const AttentionArgs& a, int64_t padded_rows, float* q) {
  const int64_t pairs = (a.qk_dim + 1) / 2;
  for (int64_t r = 0; r < padded_rows; r += kPanel) {
    // Panels move together; none is overwritten before it is read.
    float* from = q + r * a.qk_dim;
    PairRows(from, a.qk_dim, 2);
    if (r > 0) std::memmove(q + r * pairs, from, static_cast<size_t>(pairs * kPanel) * sizeof(float));
  }
}

void WriteRow(const float* o, int64_t dim, float factor, float* y) {
  const Floats d;
  const Vec f = hn::Set(d, factor);
  int64_t c = 0;
  for (; c + kLanes <= dim; c += kLanes) hn::StoreU(hn::Mul(f, hn::Load(d, o + c)), d, y + c);
  for (; c < dim; ++c) y[c] = factor * o[c];
}

float* OutputRow(const AttentionArgs& a, const AttentionTask& t, int64_t r) {
  const int64_t group = a.heads / a.kv_heads, row = t.row + r;
  return a.y + (t.query + row / group) * a.ldy + (t.kv_head * group + row % group) * a.v_dim;
}

template <class Kind>
HWY_INLINE void AttendAs(const AttentionArgs& a, const AttentionTask& t, const AttentionTask* next,
                         const AttentionWorker& w, const AttentionParts& parts) {
  const Floats d;
  const int64_t v_pad = attention_v_pad(a);
  const int64_t vecs = (a.v_dim + kLanes - 1) / kLanes;
  const int64_t padded_rows = (t.rows + kPanel - 1) / kPanel * kPanel;
  // Rows are read where they are. A copy pays only if many queries read rows a multiple of 4 KiB apart (they
  // would fight for the same cache sets), and is needed to leave out masked keys and for odd columns of V.
  const bool shared = t.rows > kPanel;
  const bool pack_k = Kind::kPairs || a.key_mask || (shared && a.ldk % 1024 == 0);
  const bool pack_v = pack_k || (shared && a.ldv % 1024 == 0) || a.v_dim % kLanes != 0;

  Ahead ahead;
  ahead.Start(a, t);
  ahead.Fetch(ahead.Left());
  PackQueries(a, t, w.q);
  const int64_t dim = Kind::kPairs ? (a.qk_dim + 1) / 2 : a.qk_dim;
  if constexpr (Kind::kPairs) PairQueries(a, padded_rows, w.q);
  for (int64_t r = 0; r < padded_rows; r += kLanes) {
    hn::Store(hn::Set(d, -hwy::HighestValue<float>()), d, w.top + r);
    hn::Store(hn::Zero(d), d, w.sum + r);
  }
  const bool few = t.rows <= kFewRows;
  bool first = true;
  for (int64_t j = t.key; j < t.key + t.keys; j += kKeyBlock) {
    int64_t keys = HWY_MIN(kKeyBlock, t.key + t.keys - j);
    const float* k = a.k + j * a.ldk + t.kv_head * a.qk_dim;
    const float* v = a.v + j * a.ldv + t.kv_head * a.v_dim;
    int64_t ldk = a.ldk, ldv = a.ldv;
    const float* weight = a.key_weight ? a.key_weight + j : nullptr;
    // The next block, or the next task's first, is fetched bit by bit between the tiles of this one.
    const int64_t after = j + keys, left = t.key + t.keys - after;
    if (left > 0) {
      ahead.Keys(a, t, after, HWY_MIN(kKeyBlock, left));
    } else if (next) {
      ahead.Start(a, *next);
    }
    const int64_t tiles = (keys + kTileKeys - 1) / kTileKeys * (padded_rows / kPanel);
    const int64_t fetch = (ahead.Left() + tiles - 1) / tiles;
    if (pack_v) {
      if constexpr (Kind::kPairs) {
        keys = PairKeys(a, t, j, keys, v_pad, w);
      } else {
        keys = PackKeys(a, t, j, keys, pack_k, v_pad, w);
      }
      if (keys == 0) continue;
      v = w.v;
      ldv = v_pad;
      if (weight) weight = w.weight;
      if (pack_k) {
        k = w.k;
        ldk = dim;
      }
    }
    for (int64_t r = 0; r < t.rows; r += kPanel) {
      const int64_t rows = HWY_MIN(kPanel, t.rows - r);
      const Later later{a.causal, t.row + r, a.heads / a.kv_heads, j - t.key};
      if (later.Nothing(rows)) continue;
      const float* q = w.q + r * dim;
      float* o = w.o + r * v_pad;
      if (rows > kLanes) {
        PanelStep<Kind, 2>(w, q, dim, rows, k, ldk, v, ldv, vecs, keys, first, weight, w.top + r, w.sum + r,
                           o, v_pad, ahead, fetch, few, later);
      } else {
        PanelStep<Kind, 1>(w, q, dim, rows, k, ldk, v, ldv, vecs, keys, first, weight, w.top + r, w.sum + r,
                           o, v_pad, ahead, fetch, few, later);
      }
    }
    first = false;
  }

  for (int64_t r = 0; r < t.rows; ++r) {
    if (t.part < 0) {
      float* y = OutputRow(a, t, r);
      if (first) {
        for (int64_t c = 0; c < a.v_dim; ++c) y[c] = 0;
      } else {
        WriteRow(w.o + r * v_pad, a.v_dim, 1.0f / w.sum[r], y);
      }
    } else {
      if (!first) CopyRow(w.o + r * v_pad, a.v_dim, parts.o + (t.part + r) * v_pad);
      parts.top[t.part + r] = w.top[r];
      parts.sum[t.part + r] = w.sum[r];
    }
  }
}

// `next` is the task that this worker will probably run next, or null.
void Attend(const AttentionArgs& a, const AttentionTask& t, const AttentionTask* next,
            const AttentionWorker& w, const AttentionParts& parts) {
#if SNS_HAVE_BF16
  // Dot products for a few rows are bound by reading K and V: rounding those first would only cost.
  if (t.rows > kFewRows && attention_in_bf16(a)) return AttendAs<Bf16Products>(a, t, next, w, parts);
#endif
  AttendAs<Fp32Products>(a, t, next, w, parts);
}

// Joins the parts of each row: Σ_i 2^(top_i − top)·o_i / Σ_i 2^(top_i − top)·sum_i. A part without a live key
// has sum 0 and left o unwritten.
void Merge(const AttentionArgs& a, const AttentionTask& t, const AttentionParts& parts) {
  const Floats d;
  const int64_t v_pad = attention_v_pad(a);
  for (int64_t r = 0; r < t.rows; ++r) {
    const int64_t end = t.part + r + t.parts * t.rows;
    float top = -hwy::HighestValue<float>(), sum = 0;
    for (int64_t i = t.part + r; i < end; i += t.rows) {
      if (parts.sum[i] != 0) top = HWY_MAX(top, parts.top[i]);
    }
    for (int64_t i = t.part + r; i < end; i += t.rows) {
      if (parts.sum[i] == 0) continue;
      const float weight = hn::GetLane(Exp2(hn::Set(d, parts.top[i] - top)));
      sum += weight * parts.sum[i];
      parts.top[i] = weight;
    }
    float* y = OutputRow(a, t, r);
    for (int64_t c = 0; c < a.v_dim; ++c) y[c] = 0;
    if (sum == 0) continue;
    for (int64_t i = t.part + r; i < end; i += t.rows) {
      if (parts.sum[i] == 0) continue;
      const float weight = parts.top[i] / sum;
      const Vec f = hn::Set(d, weight);
      const float* o = parts.o + i * v_pad;
      int64_t c = 0;
      for (; c + kLanes <= a.v_dim; c += kLanes) {
        hn::StoreU(hn::MulAdd(f, hn::Load(d, o + c), hn::LoadU(d, y + c)), d, y + c);
      }
      for (; c < a.v_dim; ++c) y[c] += weight * o[c];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/dispatch.h"

namespace sns {
namespace {

constexpr int64_t kMaxTasks = 512;      // of one wave
constexpr int64_t kEnoughTasks = 32;    // of one sequence, to feed many threads
constexpr int64_t kMinSplitKeys = 512;  // below this the merge costs more than it gains

int64_t block_rows(const AttentionArgs& a) {
  const int64_t dims = a.qk_dim + a.v_dim;  // the packed queries and the sums should stay in the L2 cache
  return dims <= 256 ? 256 : dims <= 512 ? 128 : dims <= 1024 ? 64 : 32;
}

struct Layout {
  AttentionTask* tasks = nullptr;
  AttentionTask* merges = nullptr;
  AttentionParts parts;
  int64_t part_rows = 0;
  std::byte* workers = nullptr;
  size_t worker_bytes = 0;
};

AttentionWorker lay_out_worker(Carver& c, const AttentionArgs& a) {
  const int64_t rows = block_rows(a), v_pad = attention_v_pad(a);
  AttentionWorker w;
  w.q = c.take<float>(checked_mul(rows, a.qk_dim, "qk_dim"));
  w.k = c.take<float>(checked_mul(kKeyBlock, a.qk_dim, "qk_dim"));
  w.v = c.take<float>(checked_mul(kKeyBlock, v_pad, "v_dim"));
  w.s = c.take<float>(kKeyBlock * kMaxPanel);
  w.o = c.take<float>(checked_mul(rows, v_pad, "v_dim"));
  w.top = c.take<float>(rows);
  w.sum = c.take<float>(rows);
  w.rescale = c.take<float>(kMaxPanel);
  w.weight = c.take<float>(kKeyBlock);
  return w;
}

Layout lay_out(Carver& c, const AttentionArgs& a, int threads) {
  Layout l;
  const int64_t v_pad = attention_v_pad(a);
  // Room for one row block of one sequence cut as finely as ever, and for every thread to have a piece.
  l.part_rows = checked_mul(block_rows(a), std::max<int64_t>(kEnoughTasks, 2 * threads), "threads");
  l.tasks = c.take<AttentionTask>(kMaxTasks);
  l.merges = c.take<AttentionTask>(kMaxTasks / 2);
  l.parts.o = c.take<float>(checked_mul(l.part_rows, v_pad, "v_dim"));
  l.parts.top = c.take<float>(l.part_rows);
  l.parts.sum = c.take<float>(l.part_rows);
  Carver worker(nullptr);
  lay_out_worker(worker, a);
  l.worker_bytes = worker.bytes();
  l.workers = c.take<std::byte>(checked_mul(static_cast<int64_t>(l.worker_bytes), threads, "threads"));
  return l;
}

/// Collects tasks and runs them whenever the table or the room for parts is full.
class Wave {
 public:
  Wave(const AttentionArgs& args, const Layout& layout, Parallel& parallel)
      : args_(args), layout_(layout), parallel_(parallel) {}

  void add(const AttentionTask& whole, int64_t splits, int64_t split_keys) {
    const int64_t part_rows = splits > 1 ? splits * whole.rows : 0;
    if (tasks_ + splits > kMaxTasks || part_rows_ + part_rows > layout_.part_rows) run();
    for (int64_t i = 0; i < splits; ++i) {
      AttentionTask& t = layout_.tasks[tasks_++];
      t = whole;
      t.key = whole.key + i * split_keys;
      t.keys = std::min(split_keys, whole.keys - i * split_keys);
      t.parts = splits;
      if (splits > 1) t.part = part_rows_ + i * whole.rows;
      if (splits > 1 && i == 0) layout_.merges[merges_++] = t;
    }
    part_rows_ += part_rows;
  }

  void run() {
    const auto attend = SNS_DISPATCH(Attend);
    const auto merge = SNS_DISPATCH(Merge);
    parallel_for(parallel_, tasks_, [&](int64_t i, int worker) {
      Carver c(layout_.workers + static_cast<size_t>(worker) * layout_.worker_bytes);
      const int64_t next = i + parallel_.threads();
      attend(args_, layout_.tasks[i], next < tasks_ ? &layout_.tasks[next] : nullptr,
             lay_out_worker(c, args_), layout_.parts);
    });
    parallel_for(parallel_, merges_, [&](int64_t i, int) { merge(args_, layout_.merges[i], layout_.parts); });
    tasks_ = merges_ = part_rows_ = 0;
  }

 private:
  const AttentionArgs& args_;
  const Layout& layout_;
  Parallel& parallel_;
  int64_t tasks_ = 0, merges_ = 0, part_rows_ = 0;
};

}  // namespace

AttentionCut attention_cut(const AttentionArgs& a, int64_t queries, int64_t keys) {
  AttentionCut cut;
  cut.rows = checked_mul(queries, a.heads / a.kv_heads, "cu_q");
  cut.blocks = ceil_div(cut.rows, block_rows(a));
  cut.split_keys = keys;
  if (cut.blocks == 0) return cut;
  // Even blocks of whole panels.
  cut.block_rows = std::min(block_rows(a), round_up(ceil_div(cut.rows, cut.blocks), kMaxPanel));
  cut.blocks = ceil_div(cut.rows, cut.block_rows);
  if (a.causal) return cut;  // every task must see its queries' first key
  const int64_t wanted = ceil_div(kEnoughTasks, checked_mul(cut.blocks, a.kv_heads, "cu_q"));
  cut.splits = std::max<int64_t>(1, std::min(wanted, keys / kMinSplitKeys));
  if (cut.splits > 1) {
    cut.split_keys = round_up(ceil_div(keys, cut.splits), kKeyBlock);
    cut.splits = ceil_div(keys, cut.split_keys);
  }
  return cut;
}

size_t attention_scratch(const AttentionArgs& args, int threads) {
  Carver c(nullptr);
  lay_out(c, args, threads);
  return c.bytes();
}

void attention_cpu(const AttentionArgs& a, void* scratch, Parallel& parallel) {
  if (a.v_dim == 0) return;
  Carver c(scratch);
  const Layout layout = lay_out(c, a, parallel.threads());
  Wave wave(a, layout, parallel);
  for (int64_t s = 0; s < a.batch; ++s) {
    const int64_t queries = a.cu_q[s + 1] - a.cu_q[s], keys = a.cu_k[s + 1] - a.cu_k[s];
    const AttentionCut cut = attention_cut(a, queries, keys);
    for (int64_t h = 0; h < a.kv_heads; ++h) {
      for (int64_t b = 0; b < cut.blocks; ++b) {
        AttentionTask t;
        t.query = a.cu_q[s];
        t.row = b * cut.block_rows;
        t.rows = std::min(cut.block_rows, cut.rows - t.row);
        t.kv_head = h;
        t.key = a.cu_k[s];
        t.keys = a.causal ? (t.row + t.rows - 1) / (a.heads / a.kv_heads) + 1 : keys;
        wave.add(t, cut.splits, cut.split_keys);
      }
    }
  }
  wave.run();
}

}  // namespace sns
#endif
