#include "ops/attention/attention_cuda.h"

#include "core/memory.h"
#include "ops/linear/gemm_tile_cuda.h"

// Flash attention (Dao 2023): scores of one tile of keys at a time, softmax online, the probabilities stay in
// registers as the A operand of the second product. Rows of a tile are queries × the heads that share a key
// head, so that grouped heads fill the tensor cores even with few queries. Keys may be split among blocks,
// whose partial results are combined by their log-sum-exp (Flash-Decoding).

namespace sns {
namespace {

using gpu::Fragment;
using gpu::Passes;
using Shape = gpu::AttentionShape;

constexpr int kRows = Shape::kM, kKeys = Shape::kN;
constexpr int kCombineThreads = 128;

__device__ inline float masked() { return -INFINITY; }

/// Four floats of a row that starts anywhere, `left` of them valid.
__device__ inline void copy4(float* to, const float* from, int64_t left, const void* any) {
  if (left <= 0) {
    gpu::cp_async16(to, any, false);
  } else if ((reinterpret_cast<uintptr_t>(from) & 15) == 0) {
    gpu::cp_async16_partial(to, from, left >= 4 ? 16 : static_cast<int>(left) * 4);
  } else {
    for (int e = 0; e < 4; ++e) gpu::cp_async4(to + e, e < left ? from + e : any, e < left);
  }
}

/// An aligned address for copies of nothing.
__device__ inline const void* aligned_down(const void* p) {
  return reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(p) & ~uintptr_t{15});
}

/// Queries or keys: FloatOperand with rows where row(r) says, null = zeros.
template <int kCount, int kParts, class Row>
struct RowOperand : gpu::FloatOperand<kCount, Shape::kK, kParts, true> {
  using Base = gpu::FloatOperand<kCount, Shape::kK, kParts, true>;
  Row row;
  const void* any;  ///< aligned_down
  __device__ RowOperand(const Row& r, int64_t dim, const void* a)
      : Base{nullptr, 0, 0, dim}, row(r), any(a) {}
  template <int kThreads>
  __device__ void load(typename Base::Stage* stage, int64_t row0, int64_t k0) const {
    for (int i = static_cast<int>(threadIdx.x); i < kCount * Shape::kK / 4; i += kThreads) {
      const int r = i / (Shape::kK / 4), c = i % (Shape::kK / 4) * 4;
      const float* x = row(row0 + r);
      copy4(stage->x + r * Base::kLd + c, x + k0 + c, x ? this->k - k0 - c : 0, any);
    }
  }
};

struct QueryRow {
  const float* q;
  int64_t ldq, dim, group, rows;
  __device__ const float* operator()(int64_t r) const {
    return r < rows ? q + r / group * ldq + r % group * dim : nullptr;
  }
};
struct KeyRow {
  const float* k;
  int64_t ldk, end;
  const uint8_t* mask;
  __device__ const float* operator()(int64_t j) const {
    return j < end && (!mask || mask[j]) ? k + j * ldk : nullptr;
  }
};

template <int kV, bool kStrict>
struct Attention {
  static constexpr Passes kScorePasses = kStrict ? Passes::kThirds : Passes::kOne;
  static constexpr Passes kPasses = kStrict ? Passes::kSplitAB : Passes::kOne;
  using Q = RowOperand<kRows, gpu::parts_a(kScorePasses), QueryRow>;
  using K = RowOperand<kKeys, gpu::parts_b(kScorePasses), KeyRow>;
  using V = gpu::TransposedOperand<kV, kKeys, gpu::parts_b(kPasses)>;
  using Scores = gpu::GemmTile<Shape, kScorePasses, Q, K>;
  struct Shared {
    typename Scores::Stage stages[Shape::kStages];
    alignas(16) typename V::Stage v;
  };
};

/// Rows g and g + 8 of the warp's 16 by the quads' lanes.
__device__ inline float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(0xFFFFFFFFu, v, 1));
  return fmaxf(v, __shfl_xor_sync(0xFFFFFFFFu, v, 2));
}
__device__ inline float quad_sum(float v) {
  v += __shfl_xor_sync(0xFFFFFFFFu, v, 1);
  return v + __shfl_xor_sync(0xFFFFFFFFu, v, 2);
}

/// blockIdx.x = row tile × key head × sequence; blockIdx.y = part of the keys; blockIdx.z = kV columns of v.
/// With one part y is written, else the parts' sums [part][row][v_dim] and (maximum, weight) pairs after
/// them.
template <int kV, bool kStrict>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    attention_kernel(AttentionArgs a, int64_t row_tiles, int64_t total_q, float* parts) {
  using Types = Attention<kV, kStrict>;
  SNS_DYNAMIC_SHARED(typename Types::Shared, shared);
  const int64_t group = a.heads / a.kv_heads, unit = blockIdx.x / row_tiles;
  const int64_t row0 = blockIdx.x % row_tiles * kRows, kv_head = unit % a.kv_heads, s = unit / a.kv_heads;
  const int64_t first_q = a.cu_q[s], rows = (a.cu_q[s + 1] - first_q) * group;
  if (row0 >= rows) return;
  const int64_t first_k = a.cu_k[s], keys = a.cu_k[s + 1] - first_k;
  const int64_t tiles = (keys + kKeys - 1) / kKeys, per_part = (tiles + gridDim.y - 1) / gridDim.y;
  const int64_t begin = blockIdx.y * per_part * kKeys, limit = begin + per_part * kKeys;
  int64_t end = limit < keys ? limit : keys;
  if (a.causal) {  // keys after the tile's last query are of no use
    const int64_t most = (row0 + kRows - 1) / group + 1;
    end = most < end ? most : end;
  }
  const int64_t v0 = int64_t{blockIdx.z} * kV;
  const int columns = static_cast<int>(a.v_dim - v0 < kV ? a.v_dim - v0 : kV);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;

  const void* any = aligned_down(a.cu_q);
  const uint8_t* mask = a.key_mask ? a.key_mask + first_k : nullptr;
  const float* weight = a.key_weight ? a.key_weight + first_k : nullptr;
  const typename Types::Q q(
      {a.q + first_q * a.ldq + kv_head * group * a.qk_dim, a.ldq, a.qk_dim, group, rows}, a.qk_dim, any);
  const typename Types::K k({a.k + first_k * a.ldk + kv_head * a.qk_dim, a.ldk, end, mask}, a.qk_dim, any);
  const float* v = a.v + first_k * a.ldv + kv_head * a.v_dim + v0;
  const int steps = static_cast<int>((a.qk_dim + Shape::kK - 1) / Shape::kK);

  int64_t stop[2] = {end, end};  // of the keys that a row may see
  for (int i = 0; a.causal && i < 2; ++i) {
    const int64_t seen = (row0 + warp * 16 + lane / 4 + 8 * i) / group + 1;
    stop[i] = seen < end ? seen : end;
  }

  float out[kV / 16][2][4] = {};
  float top[2] = {masked(), masked()}, sum[2] = {0, 0};
  for (int64_t key0 = begin; key0 < end; key0 += kKeys) {
    __syncthreads();  // the last tile has been used by all
    for (int i = static_cast<int>(threadIdx.x); i < kKeys * kV / 4; i += Shape::kThreads) {
      const int j = i / (kV / 4), c = i % (kV / 4) * 4;
      const bool live = key0 + j < end && (!mask || mask[key0 + j]);
      copy4(shared->v.x + j * Types::V::kLd + c, v + (live ? (key0 + j) * a.ldv + c : 0),
            live ? columns - c : 0, any);
    }
    gpu::cp_async_commit();
    typename Types::Scores scores;
    scores.run(q, k, row0, key0, steps, shared->stages);
    __syncthreads();  // v is there for all (run() waited for this thread's part)

    // Probabilities relative to the new maximum. This lane's keys are 8n and 8n + 1 from `mine` on.
    const int64_t mine = key0 + lane % 4 * 2;
    const uint8_t* my_mask = mask ? mask + mine : nullptr;
    const float* my_weight = weight ? weight + mine : nullptr;
    int seen[2];  // of the keys from `mine` on
    for (int i = 0; i < 2; ++i) seen[i] = static_cast<int>(stop[i] - mine < kKeys ? stop[i] - mine : kKeys);
    float new_top[2] = {top[0], top[1]};
    SNS_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) {
      SNS_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int j = 8 * n + i % 2;
        float& score = scores.acc[0][n / 2][n % 2][i];
        score = j < seen[i / 2] && (!my_mask || my_mask[j]) ? score * a.scale : masked();
        new_top[i / 2] = fmaxf(new_top[i / 2], score);
      }
    }
    float shrink[2];
    for (int i = 0; i < 2; ++i) {
      new_top[i] = quad_max(new_top[i]);
      shrink[i] = top[i] == masked() ? 0.0f : expf(top[i] - new_top[i]);
      top[i] = new_top[i];
      sum[i] *= shrink[i];
    }
    SNS_UNROLL
    for (int n = 0; n < kKeys / 8; ++n) {
      SNS_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int j = 8 * n + i % 2;
        float& score = scores.acc[0][n / 2][n % 2][i];
        float p = score == masked() ? 0.0f : expf(score - top[i / 2]);
        if (my_weight && mine + j < end) p *= my_weight[j];
        score = p;
        sum[i / 2] += p;
      }
    }
    SNS_UNROLL
    for (int c = 0; c < kV / 16; ++c) {
      SNS_UNROLL
      for (int i = 0; i < 8; ++i) out[c][i / 4][i % 4] *= shrink[i % 4 / 2];
    }
    Fragment p[kKeys / 16];
    SNS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n) {
      SNS_UNROLL
      for (int i = 0; i < 4; ++i) {
        const float* pair = scores.acc[0][n][i % 2] + i / 2 * 2;
        gpu::split_pair<gpu::parts_a(Types::kPasses)>(pair[0], pair[1], i, &p[n]);
      }
    }
    SNS_UNROLL
    for (int c = 0; c < kV / 16; ++c) {
      if (16 * c >= columns) break;
      float part[2][4] = {};  // of many keys, or tensor cores would cut off too much
      SNS_UNROLL
      for (int n = 0; n < kKeys / 16; ++n) {
        Fragment f;
        Types::V::read(shared->v, 16 * c, 16 * n, lane, &f);
        gpu::multiply<Types::kPasses>(part, p[n], f);
      }
      for (int h = 0; h < 2; ++h) gpu::take_part(out[c][h], part[h]);
    }
  }

  const int64_t all_rows = total_q * a.heads;
  for (int i = 0; i < 2; ++i) {
    const float total = quad_sum(sum[i]);
    const int64_t row = row0 + warp * 16 + lane / 4 + 8 * i;
    if (row >= rows) continue;
    const int64_t query = first_q + row / group, head = kv_head * group + row % group;
    const int64_t packed = query * a.heads + head;
    float* y = a.y + query * a.ldy + head * a.v_dim + v0;
    float by = total > 0 ? 1.0f / total : 0.0f;
    if (gridDim.y > 1) {
      y = parts + (blockIdx.y * all_rows + packed) * a.v_dim + v0;
      by = 1;
      if (v0 == 0 && lane % 4 == 0) {
        float* pair = parts + gridDim.y * all_rows * a.v_dim + (blockIdx.y * all_rows + packed) * 2;
        pair[0] = top[i], pair[1] = total;
      }
    }
    SNS_UNROLL
    for (int c = 0; c < kV / 16; ++c) {
      SNS_UNROLL
      for (int e = 0; e < 4; ++e) {
        const int column = 16 * c + e / 2 * 8 + lane % 4 * 2 + e % 2;
        if (column < columns) y[column] = out[c][e / 2][2 * i + e % 2] * by;
      }
    }
  }
}

/// One block a row of (query, head).
__global__ void __launch_bounds__(kCombineThreads)
    combine_kernel(AttentionArgs a, int64_t total_q, int64_t splits, const float* parts) {
  const int64_t row = blockIdx.x, all_rows = total_q * a.heads, query = row / a.heads;
  if (query >= a.cu_q[a.batch]) return;
  const float* pairs = parts + splits * all_rows * a.v_dim;
  float top = masked();
  for (int64_t s = 0; s < splits; ++s) top = fmaxf(top, pairs[(s * all_rows + row) * 2]);
  float total = 0;
  for (int64_t s = 0; s < splits && top != masked(); ++s) {
    const float* pair = pairs + (s * all_rows + row) * 2;
    total += pair[1] * expf(pair[0] - top);
  }
  const float by = total > 0 ? 1.0f / total : 0.0f;
  float* y = a.y + query * a.ldy + row % a.heads * a.v_dim;
  for (int64_t c = threadIdx.x; c < a.v_dim; c += kCombineThreads) {
    float v = 0;
    for (int64_t s = 0; s < splits && top != masked(); ++s) {
      const float part = expf(pairs[(s * all_rows + row) * 2] - top);
      if (part > 0) v += part * parts[(s * all_rows + row) * a.v_dim + c];
    }
    y[c] = v * by;
  }
}

struct Plan {
  int64_t columns, row_tiles, units, chunks, splits;
  explicit Plan(const AttentionCudaArgs& args) {
    const AttentionArgs& a = args.attention;
    columns = a.v_dim <= 64 ? 64 : 128;
    row_tiles = ceil_div(checked_mul(args.max_q, a.heads / a.kv_heads, "max_q"), kRows);
    units = checked_mul(checked_mul(row_tiles, a.kv_heads, "heads"), a.batch, "batch");
    chunks = ceil_div(a.v_dim, columns);
    splits = units == 0
                 ? 1
                 : gpu::attention_splits(units * chunks, ceil_div(args.max_k, kKeys), args.multiprocessors);
  }
};

template <int kV, bool kStrict>
int launch(const AttentionCudaArgs& args, const Plan& plan, float* parts, gpu::Stream stream) {
  const dim3 grid(static_cast<unsigned>(plan.units), static_cast<unsigned>(plan.splits),
                  static_cast<unsigned>(plan.chunks));
  return gpu::gpu_launch(attention_kernel<kV, kStrict>, grid, dim3(Shape::kThreads),
                         sizeof(typename Attention<kV, kStrict>::Shared), stream, args.attention,
                         plan.row_tiles, args.total_q, parts);
}

}  // namespace

size_t attention_cuda_workspace(const AttentionCudaArgs& args) {
  const AttentionArgs& a = args.attention;
  const Plan plan(args);
  Carver c(nullptr);
  if (plan.splits > 1) {
    const int64_t rows = checked_mul(checked_mul(args.total_q, a.heads, "total_q"), plan.splits, "total_q");
    c.take<float>(checked_mul(rows, a.v_dim + 2, "total_q"));
  }
  return c.bytes();
}

int attention_cuda(const AttentionCudaArgs& args, void* workspace, void* stream) {
  const Plan plan(args);
  const AttentionArgs& a = args.attention;
  if (plan.units == 0 || a.v_dim == 0) return 0;
  if (const int status = gpu::no_tensor_kernel()) return status;
  auto* parts = static_cast<float*>(workspace);
  const auto s = static_cast<gpu::Stream>(stream);
  const bool strict = a.precision == Precision::kStrict || a.qk_dim < kAttentionFastDim;
  const auto start = plan.columns == 64 ? (strict ? launch<64, true> : launch<64, false>)
                                        : (strict ? launch<128, true> : launch<128, false>);
  const int status = start(args, plan, parts, s);
  if (status || plan.splits == 1) return status;
  return gpu::gpu_launch(combine_kernel, dim3(static_cast<unsigned>(args.total_q * a.heads)),
                         dim3(kCombineThreads), 0, s, a, args.total_q, plan.splits, parts);
}

}  // namespace sns
