#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "check/check.h"
#include "check/cuda_case.h"
#include "check/guarded.h"
#include "ops/attention/attention_check.h"
#include "ops/attention/attention_plan.h"

namespace sns {
namespace {

/// Inputs with exactly as many elements as the contract promises, gaps between rows and masked keys NaN.
struct Inputs {
  std::vector<float> q, k, v;
  std::vector<int64_t> cu_q{0}, cu_k{0};
  std::vector<uint8_t> mask;
  std::vector<float> weight;
};

std::vector<float> matrix(Random& r, int64_t rows, int64_t cols, int64_t ld, double deviation) {
  if (rows == 0) return {};
  std::vector<float> m(static_cast<size_t>((rows - 1) * ld + cols), std::numeric_limits<float>::quiet_NaN());
  for (int64_t i = 0; i < rows; ++i)
    r.fill_normal(&m[static_cast<size_t>(i * ld)], &m[i * ld] + cols, deviation);
  return m;
}

void spoil(std::vector<float>& m, int64_t row, int64_t cols, int64_t ld) {
  std::fill_n(m.begin() + row * ld, cols, std::numeric_limits<float>::quiet_NaN());
}

}  // namespace

Parity attention_parity(uint64_t seed, const AttentionKernel& kernel, bool large_scores) {
  Random r(seed);
  AttentionArgs a;
  const int64_t group = r.coin() ? 1 : r.integer(2, 4);
  a.kv_heads = r.integer(1, 3);
  a.heads = a.kv_heads * group;
  const int64_t dims[] = {1, 3, 16, 24, 32, 64, 72, 80, 96};
  a.qk_dim = r.coin() ? dims[r.integer(0, 8)] : r.integer(1, 130);
  a.v_dim = r.coin() ? a.qk_dim : r.integer(1, 130);
  a.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(a.qk_dim)));
  // One case in four is a single sequence with enough keys to be split; the others are ragged batches.
  a.causal = r.integer(0, 3) == 0;
  const bool split = !a.causal && r.integer(0, 3) == 0;
  a.batch = split ? 1 : r.integer(0, 4);
  Inputs in;
  for (int64_t s = 0; s < a.batch; ++s) {
    const int64_t queries = split      ? r.integer(1, 20)
                            : r.coin() ? r.integer(0, 40)
                                       : r.integer(0, a.causal ? 400 : 150);
    const int64_t keys = a.causal   ? queries
                         : split    ? r.integer(1024, 1700)
                         : r.coin() ? r.integer(0, 20)
                                    : r.integer(0, 300);
    in.cu_q.push_back(in.cu_q.back() + queries);
    in.cu_k.push_back(in.cu_k.back() + keys);
  }
  const int64_t total_q = in.cu_q.back(), total_k = in.cu_k.back();
  a.ldq = a.heads * a.qk_dim + (r.coin() ? 0 : r.integer(1, 20));
  a.ldk = a.kv_heads * a.qk_dim + (r.coin() ? 0 : r.integer(1, 20));
  a.ldv = a.kv_heads * a.v_dim + (r.coin() ? 0 : r.integer(1, 20));
  a.ldy = a.heads * a.v_dim + (r.coin() ? 0 : r.integer(1, 20));
  in.q = matrix(r, total_q, a.heads * a.qk_dim, a.ldq, r.coin() && large_scores ? 3 : 1);
  in.k = matrix(r, total_k, a.kv_heads * a.qk_dim, a.ldk, 1);
  in.v = matrix(r, total_k, a.kv_heads * a.v_dim, a.ldv, 1);
  // Of a handful of outputs most may cancel, and NMSE would measure that: their values are positive.
  if (total_q * a.heads * a.v_dim < 32) {
    for (float& v : in.v) v = std::abs(v);
  }
  if (!a.causal && r.coin() && total_k > 0) {
    const double live = r.integer(0, 4) == 0 ? 0 : r.uniform();
    in.mask.resize(static_cast<size_t>(total_k));
    for (int64_t j = 0; j < total_k; ++j) {
      in.mask[static_cast<size_t>(j)] = r.uniform() < live ? static_cast<uint8_t>(r.integer(1, 255)) : 0;
      if (in.mask[static_cast<size_t>(j)]) continue;
      spoil(in.k, j, a.kv_heads * a.qk_dim, a.ldk);
      spoil(in.v, j, a.kv_heads * a.v_dim, a.ldv);
    }
    a.key_mask = in.mask.data();
  }
  if (r.integer(0, 3) == 0) {
    in.weight.resize(static_cast<size_t>(total_k));
    for (float& w : in.weight) w = static_cast<float>(r.coin() ? r.integer(1, 9) : std::exp(5 * r.normal()));
    a.key_weight = in.weight.data();
  }
  a.q = in.q.data();
  a.k = in.k.data();
  a.v = in.v.data();
  a.cu_q = in.cu_q.data();
  a.cu_k = in.cu_k.data();

  Guarded<float> y(total_q == 0 ? 0 : (total_q - 1) * a.ldy + a.heads * a.v_dim);
  a.y = y.data();
  const bool scratch_ok = kernel(a);
  std::vector<double> ref(static_cast<size_t>(total_q * a.heads * a.v_dim));
  attention_ref(a, ref.data());

  Parity p;
  p.shape = "batch " + std::to_string(a.batch) + ", " + std::to_string(total_q) + "×" +
            std::to_string(total_k) + ", heads " + std::to_string(a.heads) + "/" +
            std::to_string(a.kv_heads) + ", qk " + std::to_string(a.qk_dim) + ", v " +
            std::to_string(a.v_dim) + (a.key_mask ? ", mask" : "") + (a.key_weight ? ", weights" : "") +
            (a.causal ? ", causal" : "");
  p.measure = "NMSE";
  p.error = nmse(y.data(), a.ldy, ref.data(), total_q, a.heads * a.v_dim);
  p.limit = kAttentionNmse;
  p.guards_ok = y.rows_intact(total_q, a.heads * a.v_dim, a.ldy) && scratch_ok;
  return p;
}

namespace {

/// A case whose operands were rounded to bfloat16, if they were.
Parity rounded(Parity p, bool bf16) {
  if (bf16) {
    p.shape += ", bfloat16";
    p.limit = kAttentionFastNmse;
  }
  return p;
}

Parity parity(uint64_t seed, Parallel& parallel) {
  const bool fast = Random(~seed).coin();
  bool bf16 = false;
  Parity p = attention_parity(
      seed,
      [&](AttentionArgs args) {
        args.precision = fast ? Precision::kFast : Precision::kStrict;
        bf16 = attention_in_bf16(args);
        Guarded<std::byte> scratch(static_cast<int64_t>(attention_scratch(args, parallel.threads())));
        attention_cpu(args, scratch.data(), parallel);
        return scratch.intact();
      },
      !fast);
  return rounded(p, bf16);
}

Parity cuda_parity(uint64_t seed, const CudaDevicePtr& device) {
  const bool fast = Random(~seed).coin();
  bool bf16 = false;
  const auto kernel = [&](AttentionArgs a) {
    CudaCase c(device);
    bf16 = fast && a.qk_dim >= kAttentionFastDim;
    a.precision = fast ? Precision::kFast : Precision::kStrict;
    AttentionCudaArgs args;
    args.total_q = a.cu_q[a.batch];
    args.multiprocessors = c.multiprocessors();
    for (int64_t s = 0; s < a.batch; ++s) {
      args.max_q = std::max(args.max_q, a.cu_q[s + 1] - a.cu_q[s]);
      args.max_k = std::max(args.max_k, a.cu_k[s + 1] - a.cu_k[s]);
    }
    const int64_t total_k = a.cu_k[a.batch];
    a.y = c.out(a.y, args.total_q, a.heads * a.v_dim, a.ldy);
    a.q = c.in(a.q, args.total_q, a.heads * a.qk_dim, a.ldq);
    a.k = c.in(a.k, total_k, a.kv_heads * a.qk_dim, a.ldk);
    a.v = c.in(a.v, total_k, a.kv_heads * a.v_dim, a.ldv);
    a.cu_q = c.in(a.cu_q, a.batch + 1);
    a.cu_k = c.in(a.cu_k, a.batch + 1);
    a.key_mask = c.in(a.key_mask, total_k);
    a.key_weight = c.in(a.key_weight, total_k);
    args.attention = a;
    void* workspace = c.workspace(c.ops().attention_workspace(args));
    c.check(c.ops().attention(args, workspace, c.stream()), "attention");
    return c.done();
  };
  const Parity p = attention_parity(seed, kernel, !fast);
  return rounded(p, bf16);
}

struct Bench {
  AttentionArgs args;
  std::vector<int64_t> cu_q, cu_k;
  AlignedArray<float> q, k, v, y;
  AlignedArray<std::byte> scratch;
};

Work work(const char* name, int64_t batch, int64_t queries, int64_t keys, int64_t heads, int64_t kv_heads,
          int64_t dim, Precision precision = Precision::kStrict) {
  auto b = std::make_shared<Bench>();
  AttentionArgs& a = b->args;
  a.batch = batch;
  a.precision = precision;
  a.heads = heads;
  a.kv_heads = kv_heads;
  a.qk_dim = a.v_dim = dim;
  a.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(dim)));
  a.ldq = a.ldy = heads * dim;
  a.ldk = a.ldv = kv_heads * dim;
  for (int64_t s = 0; s <= batch; ++s) {
    b->cu_q.push_back(s * queries);
    b->cu_k.push_back(s * keys);
  }
  a.cu_q = b->cu_q.data();
  a.cu_k = b->cu_k.data();
  b->q = AlignedArray<float>(batch * queries * a.ldq);
  b->k = AlignedArray<float>(batch * keys * a.ldk);
  b->v = AlignedArray<float>(batch * keys * a.ldv);
  b->y = AlignedArray<float>(batch * queries * a.ldy);
  Random r(1);
  for (auto* m : {&b->q, &b->k, &b->v, &b->y}) {
    for (float& x : *m) x = static_cast<float>(2 * r.uniform() - 1);
  }
  a.q = b->q.data();
  a.k = b->k.data();
  a.v = b->v.data();
  a.y = b->y.data();
  b->scratch = AlignedArray<std::byte>(static_cast<int64_t>(
      attention_scratch(a, static_cast<int>(std::max(1u, std::thread::hardware_concurrency())))));
  Work w;
  w.shape = std::string(name) + ": " + (batch > 1 ? std::to_string(batch) + " × " : "") +
            std::to_string(queries) + "×" + std::to_string(keys) + ", " + std::to_string(heads) + "/" +
            std::to_string(kv_heads) + " heads of " + std::to_string(dim) +
            (precision == Precision::kFast ? ", bfloat16" : "");
  w.bf16 = attention_in_bf16(a);
  w.flops = 4.0 * static_cast<double>(batch * queries * keys * heads * dim);
  w.bytes = 4.0 * static_cast<double>(b->q.size() + b->k.size() + b->v.size() + b->y.size());
  w.run = [b](Parallel& parallel) {
    const size_t need = attention_scratch(b->args, parallel.threads());
    if (static_cast<size_t>(b->scratch.size()) < need) {  // more threads than processors: once
      b->scratch = AlignedArray<std::byte>(static_cast<int64_t>(need));
    }
    attention_cpu(b->args, b->scratch.data(), parallel);
  };
  return w;
}

std::vector<Work> works() {
  return {
      work("Perceiver cross-attention", 1, 256, 4096, 8, 8, 96),
      work("Perceiver latents", 1, 256, 256, 8, 8, 96),
      work("ViT-B/16", 1, 197, 197, 12, 12, 64),
      work("ViT-B/16", 8, 197, 197, 12, 12, 64),
      work("AST", 1, 1212, 1212, 12, 12, 64),
      work("Idefics2 resampler", 1, 64, 4964, 16, 4, 96),
      work("few queries", 1, 16, 4096, 8, 8, 96),
      work("one query", 1, 1, 4096, 8, 8, 96),
      work("Perceiver cross-attention", 1, 256, 4096, 8, 8, 96, Precision::kFast),
      work("ViT-B/16", 1, 197, 197, 12, 12, 64, Precision::kFast),
  };
}

}  // namespace

OpCheck attention_check() { return {"attention", parity, works, cuda_parity}; }

}  // namespace sns
