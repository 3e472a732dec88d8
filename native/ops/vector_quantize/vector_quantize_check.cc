#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/vector_quantize/exact.h"
#include "ops/vector_quantize/vector_quantize_check.h"

namespace sns {
namespace {

/// What the screen must cope with, each hostile to a shortcut.
enum class Data { kNormal, kClustered, kDuplicates, kLattice, kOffset, kTinyAndHuge, kNearTies, kCount };

const char* data_name(Data data) {
  constexpr const char* kNames[] = {"normal", "clustered",     "duplicate codes", "lattice",
                                    "offset", "tiny and huge", "near ties"};
  return kNames[static_cast<int>(data)];
}

void fill(Random& random, Data data, int64_t dim, std::vector<float>& codes, int64_t size, float* x,
          int64_t rows, int64_t ldx) {
  const auto row = [&](int64_t r) { return x + r * ldx; };
  const auto code = [&](int64_t j) { return codes.data() + j * dim; };
  random.fill_normal(codes.begin(), codes.end());
  for (int64_t r = 0; r < rows; ++r) random.fill_normal(row(r), row(r) + dim);
  switch (data) {
    case Data::kNormal:
    case Data::kCount:
      break;
    case Data::kClustered:  // codes of one cluster lie within the int8 screen's error: the fp32 screen's turn
      for (int64_t j = 0; j < size; ++j) {
        for (int64_t i = 0; i < dim; ++i) code(j)[i] = 0.002f * code(j)[i] + static_cast<float>(j % 2);
      }
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < dim; ++i) row(r)[i] = 0.002f * row(r)[i] + static_cast<float>(r % 2);
      }
      break;
    case Data::kDuplicates:
      for (int64_t j = 0; j < size; ++j) {
        const int64_t other = random.integer(0, size - 1);
        if (random.coin()) std::copy(code(other), code(other) + dim, code(j));
      }
      break;
    case Data::kLattice:  // many exact ties
      for (float& c : codes) c = std::round(c);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < dim; ++i) row(r)[i] = std::round(2 * row(r)[i]) / 2;
      }
      break;
    case Data::kOffset:
      for (float& c : codes) c += 1000;
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < dim; ++i) row(r)[i] += 1000;
      }
      break;
    case Data::kTinyAndHuge: {
      const auto any = [&] { return static_cast<float>(std::pow(10.0, random.integer(-30, 30))); };
      const float whole = random.coin() ? any() : 1.0f;
      for (int64_t j = 0; j < size; ++j) {
        const float s = random.integer(0, 9) == 0 ? any() : whole;
        for (int64_t i = 0; i < dim; ++i) code(j)[i] *= s;
      }
      for (int64_t r = 0; r < rows; ++r) {
        const float s = random.coin() ? 0.0f : random.coin() ? any() : whole;
        for (int64_t i = 0; i < dim; ++i) row(r)[i] *= s;
      }
      break;
    }
    case Data::kNearTies:  // codes one unit in the last place from each other, rows on codes
      for (int64_t j = 1; j < size; ++j) {
        if (random.integer(0, 3) == 0) continue;
        std::copy(code(j - 1), code(j - 1) + dim, code(j));
        float& c = code(j)[random.integer(0, dim - 1)];
        c = std::nextafter(c, random.coin() ? 10.0f : -10.0f);
      }
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t j = random.integer(0, size - 1);
        if (random.coin()) std::copy(code(j), code(j) + dim, row(r));
      }
      break;
  }
}

Data any_data(Random& random) {
  return static_cast<Data>(random.integer(0, static_cast<int64_t>(Data::kCount) - 1));
}

Parity nearest_parity(Random& random, const QuantizeKernels& kernels) {
  const int64_t rows = random.integer(0, random.coin() ? 5 : 80);
  const int64_t dim = random.integer(1, random.integer(0, 3) ? 70 : 260), ldx = dim + random.integer(0, 9);
  const int64_t size = random.integer(1, random.coin() ? 20 : 700);
  const auto metric = random.coin() ? CodeMetric::kL2 : CodeMetric::kCosine;
  const Data data = any_data(random);
  std::vector<float> codes(static_cast<size_t>(size * dim));
  Guarded<float> x(rows * ldx), quantized(rows * dim), distance(rows);
  Guarded<int64_t> ids(rows);
  fill(random, data, dim, codes, size, x.data(), rows, ldx);

  const bool outputs = random.coin();
  VectorQuantizeArgs args;
  args.x = x.data();
  args.rows = rows;
  args.ldx = ldx;
  args.ids = ids.data();
  if (outputs) args.quantized = quantized.data(), args.distance = distance.data();
  const bool scratch_ok = kernels.quantize({codes.data(), size, dim, metric}, args);

  std::vector<int64_t> expected(static_cast<size_t>(rows));
  vector_quantize_ref(codes.data(), size, dim, metric, x.data(), rows, ldx, expected.data());
  Parity p;
  p.shape = "rows " + std::to_string(rows) + ", dim " + std::to_string(dim) + ", codes " +
            std::to_string(size) + (metric == CodeMetric::kL2 ? ", L2, " : ", cosine, ") + data_name(data);
  p.measure = "mismatches";
  const bool cosine = metric == CodeMetric::kCosine;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t id = expected[static_cast<size_t>(r)];
    bool same = ids[r] == id;
    if (same && outputs) {
      const float* row = x.data() + r * ldx;
      const float* code = codes.data() + id * dim;
      const double scale = cosine ? inverse_norm(code, dim) : 1.0;
      const double d = exact_distance(row, cosine ? inverse_norm(row, dim) : 1.0, code, scale, dim);
      same = distance[r] == static_cast<float>(d);
      for (int64_t i = 0; i < dim; ++i) same &= quantized[r * dim + i] == static_cast<float>(code[i] * scale);
    }
    p.error += same ? 0 : 1;
  }
  p.guards_ok = ids.intact() && quantized.intact() && distance.intact() && scratch_ok && x.intact();
  return p;
}

Parity residual_parity(Random& random, const QuantizeKernels& kernels) {
  const int64_t rows = random.integer(0, 60), stages = random.integer(1, 5);
  const int64_t dim = random.integer(1, 130), ldx = dim + random.integer(0, 9),
                ldy = dim + random.integer(0, 9);
  const Data data = any_data(random);
  Guarded<float> x(rows * ldx), y(rows * ldy);
  Guarded<int64_t> ids(rows * stages);
  std::vector<std::vector<float>> codes;
  std::vector<QuantizeKernels::Codes> books;
  for (int64_t s = 0; s < stages; ++s) {
    const int64_t size = random.integer(1, 200);
    codes.emplace_back(static_cast<size_t>(size * dim));
    fill(random, data, dim, codes.back(), size, x.data(), rows, ldx);
    books.push_back({codes.back().data(), size, dim, CodeMetric::kL2});
  }
  const bool scratch_ok = kernels.residual(books, x.data(), rows, ldx, ids.data(), y.data(), ldy);

  Parity p;
  p.shape = "residual, rows " + std::to_string(rows) + ", dim " + std::to_string(dim) + ", stages " +
            std::to_string(stages) + ", " + data_name(data);
  p.measure = "mismatches";
  std::vector<float> left(static_cast<size_t>(dim)), sum(static_cast<size_t>(dim));
  for (int64_t r = 0; r < rows; ++r) {
    std::copy(x.data() + r * ldx, x.data() + r * ldx + dim, left.begin());
    std::fill(sum.begin(), sum.end(), 0.0f);
    bool same = true;
    for (int64_t s = 0; s < stages; ++s) {
      const std::vector<float>& book = codes[static_cast<size_t>(s)];
      int64_t id;
      vector_quantize_ref(book.data(), static_cast<int64_t>(book.size()) / dim, dim, CodeMetric::kL2,
                          left.data(), 1, dim, &id);
      same &= ids[r * stages + s] == id;
      for (int64_t i = 0; i < dim; ++i) {
        left[static_cast<size_t>(i)] -= book[static_cast<size_t>(id * dim + i)];
        sum[static_cast<size_t>(i)] += book[static_cast<size_t>(id * dim + i)];
      }
    }
    for (int64_t i = 0; i < dim; ++i) same &= y[r * ldy + i] == sum[static_cast<size_t>(i)];
    p.error += same ? 0 : 1;
  }
  p.guards_ok = ids.intact() && y.intact() && scratch_ok;
  return p;
}

/// The nearest step of each bounded value, found by trying all of them.
Parity finite_scalar_parity(Random& random, const QuantizeKernels& kernels) {
  const int64_t rows = random.integer(0, 700), dim = random.integer(1, 8);
  std::vector<int32_t> levels(static_cast<size_t>(dim));
  for (int32_t& l : levels) l = static_cast<int32_t>(random.integer(1, 12));
  Guarded<float> z(rows * dim), y(rows * dim);
  Guarded<int64_t> ids(rows);
  random.fill_normal(z.data(), z.data() + z.size(), random.coin() ? 1 : 20);
  kernels.finite_scalar(levels.data(), dim, z.data(), rows, ids.data(), y.data());
  Parity p;
  p.shape = "finite scalar, rows " + std::to_string(rows) + ", dim " + std::to_string(dim);
  p.measure = "mismatches";
  for (int64_t r = 0; r < rows; ++r) {
    int64_t id = 0, basis = 1;
    bool same = true;
    for (int64_t i = 0; i < dim; ++i) {
      const int32_t l = levels[static_cast<size_t>(i)];
      const double half = (l - 1) * 1.001 / 2, offset = l % 2 ? 0.0 : 0.5;
      const double shift = offset == 0 ? 0.0 : 0.5 * std::log((half + offset) / (half - offset));
      const double v = std::tanh(static_cast<double>(z[r * dim + i]) + shift) * half - offset;
      int64_t nearest = 0;
      for (int64_t k = 1; k < l; ++k) {
        const double here = std::fabs(v - static_cast<double>(k - l / 2));
        if (here < std::fabs(v - static_cast<double>(nearest - l / 2))) nearest = k;
      }
      id += basis * nearest;
      basis *= l;
      const float value = l == 1 ? 0.0f : static_cast<float>(nearest - l / 2) / static_cast<float>(l / 2);
      same &= y[r * dim + i] == value;
    }
    p.error += same && ids[r] == id ? 0 : 1;
  }
  p.guards_ok = ids.intact() && y.intact();
  return p;
}

}  // namespace

Parity vector_quantize_parity(uint64_t seed, const QuantizeKernels& kernels) {
  Random random(seed);
  switch (random.integer(0, 5)) {
    case 0:
      return finite_scalar_parity(random, kernels);
    case 1:
    case 2:
      return residual_parity(random, kernels);
    default:
      return nearest_parity(random, kernels);
  }
}

namespace {

/// The kernels of the CPU.
class CpuKernels final : public QuantizeKernels {
 public:
  explicit CpuKernels(Parallel& parallel) : parallel_(parallel) {}
  bool quantize(const Codes& c, const VectorQuantizeArgs& args) const override {
    const Codebook codebook(c.codes, c.size, c.dim, c.metric);
    Guarded<unsigned char> scratch(
        static_cast<int64_t>(vector_quantize_scratch(codebook, args.rows, parallel_.threads())));
    vector_quantize_cpu(codebook, args, scratch.data(), parallel_);
    return scratch.intact();
  }
  bool residual(const std::vector<Codes>& stages, const float* x, int64_t rows, int64_t ldx, int64_t* ids,
                float* y, int64_t ldy) const override {
    std::vector<Codebook> books;
    for (const Codes& c : stages) books.emplace_back(c.codes, c.size, c.dim, c.metric);
    const auto count = static_cast<int64_t>(books.size());
    Guarded<unsigned char> scratch(
        static_cast<int64_t>(residual_quantize_scratch(books.data(), count, rows, parallel_.threads())));
    residual_quantize_cpu(books.data(), count, x, rows, ldx, ids, scratch.data(), parallel_);
    residual_decode_cpu(books.data(), count, ids, rows, y, ldy, parallel_);
    return scratch.intact();
  }
  void finite_scalar(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                     float* y) const override {
    fsq_encode_cpu(levels, dim, z, rows, ids, parallel_);
    fsq_decode_cpu(levels, dim, ids, rows, y, parallel_);
  }

 private:
  Parallel& parallel_;
};

/// The kernels of the GPU.
class CudaKernels final : public QuantizeKernels {
 public:
  explicit CudaKernels(const CudaDevicePtr& device) : device_(device) {}
  bool quantize(const Codes& codes, const VectorQuantizeArgs& args) const override {
    CudaCase c(device_);
    VectorQuantizeArgs a = args;
    const CodebookCuda codebook = pack(c, codes);
    a.x = c.in(a.x, a.rows, codes.dim, a.ldx);
    a.ids = c.out(a.ids, a.rows);
    a.quantized = c.out(a.quantized, a.rows * codes.dim);
    a.distance = c.out(a.distance, a.rows);
    void* workspace = c.workspace(c.ops().vector_quantize_workspace(codebook, a.rows));
    c.check(c.ops().vector_quantize(codebook, a, workspace, c.stream()), "vector_quantize");
    return c.done();
  }
  bool residual(const std::vector<Codes>& stages, const float* x, int64_t rows, int64_t ldx, int64_t* ids,
                float* y, int64_t ldy) const override {
    CudaCase c(device_);
    std::vector<CodebookCuda> books;
    for (const Codes& codes : stages) books.push_back(pack(c, codes));
    const auto count = static_cast<int64_t>(books.size());
    const int64_t dim = stages.front().dim;
    x = c.in(x, rows, dim, ldx);
    ids = c.out(ids, rows * count);
    y = c.out(y, rows, dim, ldy);
    void* workspace = c.workspace(c.ops().residual_quantize_workspace(books.data(), count, rows));
    c.check(c.ops().residual_quantize(books.data(), count, x, rows, ldx, ids, workspace, c.stream()),
            "residual_quantize");
    c.check(c.ops().residual_decode(books.data(), count, ids, rows, y, ldy, c.stream()), "residual_decode");
    return c.done();
  }
  void finite_scalar(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                     float* y) const override {
    CudaCase c(device_);
    z = c.in(z, rows * dim);
    int64_t* on_device = c.out(ids, rows);
    c.check(c.ops().fsq_encode(levels, dim, z, rows, on_device, c.stream()), "fsq_encode");
    c.check(c.ops().fsq_decode(levels, dim, on_device, rows, c.out(y, rows * dim), c.stream()), "fsq_decode");
    if (!c.done() && rows > 0) ids[0] = -1;  // seen as a mismatch
  }

 private:
  static CodebookCuda pack(CudaCase& c, const Codes& codes) {
    return c.packed(codebook_cuda_bytes(codes.size, codes.dim, codes.metric), [&](void* host, void* device) {
      return pack_codebook_cuda(codes.codes, codes.size, codes.dim, codes.metric, host, device);
    });
  }

  CudaDevicePtr device_;
};

Parity parity(uint64_t seed, Parallel& parallel) {
  return vector_quantize_parity(seed, CpuKernels(parallel));
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  return vector_quantize_parity(seed, CudaKernels(device));
}

struct Problem {
  std::vector<Codebook> books;
  AlignedArray<float> x;
  AlignedArray<int64_t> ids;
  AlignedArray<std::byte> scratch;
  int threads = 0;
};

Work work(int64_t rows, int64_t dim, int64_t size, int64_t stages) {
  auto p = std::make_shared<Problem>();
  Random random(1);
  std::vector<float> codes(static_cast<size_t>(size * dim));
  for (int64_t s = 0; s < stages; ++s) {
    random.fill_normal(codes.begin(), codes.end(), std::pow(0.7, static_cast<double>(s)));
    p->books.emplace_back(codes.data(), size, dim, CodeMetric::kL2);
  }
  p->x = AlignedArray<float>(rows * dim);
  random.fill_normal(p->x.begin(), p->x.end());
  p->ids = AlignedArray<int64_t>(rows * stages);
  Work w;
  w.shape = (stages > 1 ? "residual, " + std::to_string(stages) + " stages, " : std::string()) +
            std::to_string(rows) + "×" + std::to_string(dim) + " against " + std::to_string(size) + " codes";
  w.flops = 2.0 * static_cast<double>(rows * dim * size * stages);
  w.bytes = static_cast<double>(rows * dim * 4 + size * dim * stages * 4 + rows * stages * 8);
  w.run = [p, rows, dim, stages](Parallel& parallel) {
    if (p->threads < parallel.threads()) {  // the first run on a wider pool
      p->threads = parallel.threads();
      p->scratch = AlignedArray<std::byte>(
          static_cast<int64_t>(residual_quantize_scratch(p->books.data(), stages, rows, p->threads)));
    }
    residual_quantize_cpu(p->books.data(), stages, p->x.data(), rows, dim, p->ids.data(), p->scratch.data(),
                          parallel);
  };
  return w;
}

std::vector<Work> works() {
  return {work(4096, 64, 8192, 1), work(2048, 256, 1024, 1), work(1024, 128, 1024, 8)};
}

}  // namespace

OpCheck vector_quantize_check() { return {"vector_quantize", parity, works, cuda_parity}; }

}  // namespace sns
