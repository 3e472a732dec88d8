#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/rotary/rotary.h"

namespace sns {
namespace {

/// Run one case; false if something around their scratch was touched.
struct Kernels {
  std::function<bool(const RotaryTableArgs& args)> table;
  std::function<bool(const RotaryArgs& args)> turn;
};

Parity table_case(Random& r, const Kernels& kernels) {
  RotaryTableArgs a;
  a.rows = r.coin() ? r.integer(0, 5) : r.integer(0, 300);
  a.axes = r.integer(1, 3);
  a.pairs = r.coin() ? r.integer(0, 9) : r.integer(1, 80);
  // Small grids, hours at 25 ids a second, and whatever fits.
  const int64_t limit =
      std::vector<int64_t>{64, 1 << 20, std::numeric_limits<int32_t>::max()}[r.integer(0, 2)];
  std::vector<int32_t> ids(static_cast<size_t>(a.rows * a.axes)), axis(static_cast<size_t>(a.pairs));
  for (int32_t& id : ids) id = static_cast<int32_t>(r.integer(-limit, limit));
  std::vector<double> frequency(static_cast<size_t>(a.pairs));
  for (int64_t i = 0; i < a.pairs; ++i) {
    axis[i] = static_cast<int32_t>(r.integer(0, a.axes - 1));
    frequency[i] = std::pow(10000.0, -r.uniform());
  }
  a.ids = ids.data();
  a.axis = axis.data();
  a.frequency = frequency.data();
  Guarded<float> y(a.rows * 2 * a.pairs);
  a.y = y.data();
  std::vector<double> ref(static_cast<size_t>(y.size()));
  rotary_table_ref(a, ref.data());
  const bool scratch_ok = kernels.table(a);

  Parity p;
  p.shape = "table of rows " + std::to_string(a.rows) + ", axes " + std::to_string(a.axes) + ", pairs " +
            std::to_string(a.pairs) + ", ids to " + std::to_string(limit);
  p.measure = "max |Δ|";
  p.limit = kRotaryTableError;
  for (int64_t i = 0; i < y.size(); ++i) {
    const double error = std::abs(y[i] - ref[static_cast<size_t>(i)]);
    if (!(error <= p.error)) p.error = error;
  }
  p.guards_ok = y.intact() && scratch_ok;
  return p;
}

Parity turn_case(Random& r, const Kernels& kernels) {
  RotaryArgs a;
  a.rows = r.coin() ? r.integer(0, 5) : r.integer(0, 150);
  a.heads = r.integer(1, 12);
  const int64_t dims[] = {2, 16, 64, 80, 128};
  a.head_dim = r.coin() ? dims[r.integer(0, 4)] : r.integer(1, 100);
  a.pairs = r.coin() ? a.head_dim / 2 : r.integer(0, a.head_dim / 2);
  a.layout = r.coin() ? RotaryPairs::kHalves : RotaryPairs::kInterleaved;
  const int64_t width = a.heads * a.head_dim;
  const bool in_place = r.coin();
  a.ldx = width + (r.coin() ? 0 : r.integer(1, 20));
  a.ldy = in_place ? a.ldx : width + (r.coin() ? 0 : r.integer(1, 20));
  std::vector<float> x(static_cast<size_t>(a.rows * a.ldx), std::numeric_limits<float>::quiet_NaN());
  for (int64_t i = 0; i < a.rows; ++i) {
    r.fill_normal(x.begin() + i * a.ldx, x.begin() + i * a.ldx + width);
  }
  std::vector<float> table(static_cast<size_t>(a.rows * 2 * a.pairs));
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t p = 0; p < a.pairs; ++p) {
      const double angle = 2 * M_PI * r.uniform();
      table[i * 2 * a.pairs + p] = static_cast<float>(std::cos(angle));
      table[i * 2 * a.pairs + a.pairs + p] = static_cast<float>(std::sin(angle));
    }
  }
  a.table = table.data();
  a.x = x.data();
  std::vector<double> ref(static_cast<size_t>(a.rows * width));
  rotary_ref(a, ref.data());
  Guarded<float> y(a.rows * a.ldy);
  if (in_place) {
    std::copy(x.begin(), x.end(), y.data());
    a.x = y.data();
  }
  a.y = y.data();
  const bool scratch_ok = kernels.turn(a);

  Parity p;
  p.shape = "rows " + std::to_string(a.rows) + ", heads " + std::to_string(a.heads) + "×" +
            std::to_string(a.head_dim) + ", pairs " + std::to_string(a.pairs) +
            (a.layout == RotaryPairs::kHalves ? "" : ", interleaved") + (in_place ? ", in place" : "");
  p.measure = "NMSE";
  p.error = nmse(y.data(), a.ldy, ref.data(), a.rows, width);
  p.limit = kRotaryNmse;
  p.guards_ok = y.rows_intact(a.rows, width, a.ldy) && scratch_ok;
  return p;
}

Parity random_case(uint64_t seed, const Kernels& kernels) {
  Random r(seed);
  return r.coin() ? table_case(r, kernels) : turn_case(r, kernels);
}

Parity parity(uint64_t seed, Parallel& parallel) {
  const auto table = [&](const RotaryTableArgs& args) {
    rotary_table_cpu(args, parallel);
    return true;
  };
  const auto turn = [&](const RotaryArgs& args) {
    rotary_cpu(args, parallel);
    return true;
  };
  return random_case(seed, {table, turn});
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  const auto table = [&](RotaryTableArgs a) {
    CudaCase c(device);
    a.y = c.out(a.y, a.rows * 2 * a.pairs);
    a.ids = c.in(a.ids, a.rows * a.axes);
    a.axis = c.in(a.axis, a.pairs);
    a.frequency = c.in(a.frequency, a.pairs);
    c.check(c.ops().rotary_table(a, c.stream()), "rotary_table");
    return c.done();
  };
  const auto turn = [&](RotaryArgs a) {
    CudaCase c(device);
    const int64_t width = a.heads * a.head_dim;
    a.y = c.out(a.y, a.rows, width, a.ldy);
    a.x = c.in(a.x, a.rows, width, a.ldx);
    a.table = c.in(a.table, a.rows * 2 * a.pairs);
    c.check(c.ops().rotary(a, c.stream()), "rotary");
    return c.done();
  };
  return random_case(seed, {table, turn});
}

struct Bench {
  AlignedArray<float> x, table;
  AlignedArray<int32_t> ids, axis;
  AlignedArray<double> frequency;
};

std::shared_ptr<Bench> bench(int64_t rows, int64_t width, int64_t pairs) {
  auto b = std::make_shared<Bench>();
  Random r(1);
  b->x = AlignedArray<float>(rows * width);
  r.fill_normal(b->x.begin(), b->x.end());
  b->table = AlignedArray<float>(rows * 2 * pairs);
  std::fill(b->table.begin(), b->table.end(), 0.6f);
  b->ids = AlignedArray<int32_t>(rows * 2);
  for (int32_t& id : b->ids) id = static_cast<int32_t>(r.integer(0, 63));
  b->axis = AlignedArray<int32_t>(pairs);
  b->frequency = AlignedArray<double>(pairs);
  for (int64_t i = 0; i < pairs; ++i) {
    b->axis[i] = 2 * i < pairs ? 0 : 1;
    b->frequency[i] = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(pairs));
  }
  return b;
}

Work table_work(int64_t rows, int64_t pairs) {
  auto b = bench(rows, 0, pairs);
  Work w;
  w.shape = "table of rows " + std::to_string(rows) + ", pairs " + std::to_string(pairs);
  w.bytes = 8.0 * static_cast<double>(rows * (pairs + 1));
  w.run = [=](Parallel& parallel) {
    rotary_table_cpu({b->ids.data(), rows, 2, b->axis.data(), b->frequency.data(), pairs, b->table.data()},
                     parallel);
  };
  return w;
}

Work turn_work(int64_t rows, int64_t heads, int64_t head_dim) {
  const int64_t width = heads * head_dim, pairs = head_dim / 2;
  auto b = bench(rows, width, pairs);
  Work w;
  w.shape = "rows " + std::to_string(rows) + ", heads " + std::to_string(heads) + "×" +
            std::to_string(head_dim) + ", in place";
  w.flops = 3.0 * static_cast<double>(rows * width);
  w.bytes = 4.0 * static_cast<double>(rows * (2 * width + head_dim));
  w.run = [=](Parallel& parallel) {
    RotaryArgs a{b->x.data(), rows, heads, head_dim, width, b->table.data(), pairs};
    a.y = b->x.data();
    a.ldy = width;
    rotary_cpu(a, parallel);
  };
  return w;
}

// Queries and keys of Qwen2-VL's vision tower (16 heads each) for a picture of 1024 patches.
std::vector<Work> works() { return {table_work(1024, 40), turn_work(1024, 32, 80)}; }

}  // namespace

OpCheck rotary_check() { return {"rotary", parity, works, cuda_parity}; }

}  // namespace sns
