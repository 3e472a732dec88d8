// `sensorium check --device cuda`: every op's random cases through the table of the CUDA backend, on the host
// SIMT executor; and that a kernel that is wrong is seen.

#include "check/check.h"

#include <gtest/gtest.h>

#include "backend/cuda/tuning.h"
#include "cuda_support.h"
#include "seed.h"

namespace sns {
namespace {

/// simt::control, where it is the executor.
void control(const char* what, int64_t n) {
  using Control = void (*)(const char*, int64_t);
  if (const auto call = reinterpret_cast<Control>(cuda_symbol("sns_simt_control"))) call(what, n);
}

CudaDevicePtr device(const sns_cuda_table& of) {
  control("reset", 0);
  return std::make_shared<const CudaDevice>(of, 0, Precision::kStrict);
}

const OpCheck& check_of(const std::string& name) {
  for (const OpCheck& op : op_checks()) {
    if (op.name == name) return op;
  }
  throw std::runtime_error(name);
}

class CheckCuda : public testing::TestWithParam<std::string> {};

TEST_P(CheckCuda, EqualsTheOracle) {
  const OpCheck& op = check_of(GetParam());
  const CudaDevicePtr gpu = device(cuda_table());
  const uint64_t seed = printed_seed(op.name);
  for (uint64_t i = 0; i < 16; ++i) {
    control("schedule", static_cast<int64_t>(i % 4));
    const Parity p = op.cuda_parity(seed + i, gpu);
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed + i << ")";
    EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << seed + i << ")";
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const OpCheck& op : op_checks()) {
    if (op.cuda_parity) all.emplace_back(op.name);
  }
  return all;
}
TEST(CheckCudaTable, HasEveryOp) { EXPECT_EQ(op_checks().size(), names().size()); }

INSTANTIATE_TEST_SUITE_P(EveryOp, CheckCuda, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

/// A backend whose kernels do nothing: every launcher returns success.
template <class... Args>
int nothing(Args...) {
  return 0;
}
template <class... Args>
void do_nothing(int (*&launcher)(Args...)) {
  launcher = nothing<Args...>;
}

gpu::Ops idle(gpu::Ops ops) {
  do_nothing(ops.linear), do_nothing(ops.mlp), do_nothing(ops.gated_mlp), do_nothing(ops.layer_norm);
  do_nothing(ops.rms_norm), do_nothing(ops.embed), do_nothing(ops.pack), do_nothing(ops.attention);
  do_nothing(ops.patch_embed), do_nothing(ops.log_mel), do_nothing(ops.log_mel_frames);
  do_nothing(ops.log_mel_spectrum), do_nothing(ops.yuv), do_nothing(ops.resize_u8);
  do_nothing(ops.resize_f32);
  do_nothing(ops.segment_mean), do_nothing(ops.l2_normalize), do_nothing(ops.resample);
  do_nothing(ops.l2_normalize_grad), do_nothing(ops.bias_activation), do_nothing(ops.bias_activation_grad);
  do_nothing(ops.bias_grad), do_nothing(ops.leave_codes);
  do_nothing(ops.rotary_table), do_nothing(ops.rotary), do_nothing(ops.gemm), do_nothing(ops.token_merge);
  do_nothing(ops.vector_quantize), do_nothing(ops.residual_quantize), do_nothing(ops.residual_decode);
  do_nothing(ops.fsq_encode), do_nothing(ops.fsq_decode), do_nothing(ops.contrastive), do_nothing(ops.top_k);
  return ops;
}

/// Of `cases` random cases by these kernels, how many are not what the oracle says.
int failed(const std::string& op, const gpu::Ops& ops, int cases) {
  sns_cuda_table planted = cuda_table();
  planted.ops = &ops;
  const CudaDevicePtr gpu = device(planted);
  int count = 0;
  for (int i = 0; i < cases; ++i)
    count += check_of(op).cuda_parity(static_cast<uint64_t>(i), gpu).ok() ? 0 : 1;
  return count;
}

/// Outputs were poisoned, on the device too; only a case without outputs can pass.
TEST_P(CheckCuda, SeesAKernelThatWritesNothing) {
  const gpu::Ops ops = idle(*cuda_table().ops);
  EXPECT_GE(failed(GetParam(), ops, 12), 4);
}

TEST(CheckCudaPlanted, ABiasThatIsLeftOut) {
  gpu::Ops ops = *cuda_table().ops;
  ops.linear = [](const LinearCudaWeights& w, const LinearArgs& args, Precision precision, void* stream) {
    LinearCudaWeights unbiased = w;
    unbiased.bias = nullptr;
    return cuda_table().ops->linear(unbiased, args, precision, stream);
  };
  const int count = failed("linear", ops, 20);
  EXPECT_GT(count, 2);
  EXPECT_LT(count, 20);
}

int64_t multiprocessors = 0;  // of the device
int dropped[2];               // launches, by precision
bool drop(Precision precision) {
  ++dropped[precision == Precision::kFast];
  return true;
}
/// Products for which only a full device has kernels.
TEST(CheckCudaPlanted, AKernelOfLargeProductsThatWritesNothing) {
  multiprocessors = device(cuda_table())->multiprocessors();
  gpu::Ops ops = *cuda_table().ops;
  ops.linear = [](const LinearCudaWeights& w, const LinearArgs& args, Precision precision, void* stream) {
    const bool large = args.ldx % 4 == 0 && gpu::gemm_wgmma(args.rows, w.out, w.in, multiprocessors);
    return large && drop(precision) ? 0 : cuda_table().ops->linear(w, args, precision, stream);
  };
  ops.patch_embed = [](const PatchEmbedCudaWeights& w, const PatchEmbedCudaArgs& args, Precision precision,
                       void* stream) {
    const bool large = gpu::gemm_wgmma(args.max_rows, w.linear.out, w.linear.in, multiprocessors);
    return large && drop(precision) ? 0 : cuda_table().ops->patch_embed(w, args, precision, stream);
  };
  for (const char* op : {"linear", "patch_embed"}) {
    dropped[0] = dropped[1] = 0;
    const int count = failed(op, ops, 40);
    EXPECT_EQ(count, dropped[0] + dropped[1]) << op;
    EXPECT_GT(dropped[0], 0) << op;
    EXPECT_GT(dropped[1], 0) << op;
  }
}

TEST(CheckCudaPlanted, LowPrecisionWhereHighIsPromised) {
  gpu::Ops ops = *cuda_table().ops;
  ops.mlp = [](const LinearCudaWeights& up, const LinearCudaWeights& down, const MlpArgs& args, Precision,
               void* workspace, void* stream) {
    return cuda_table().ops->mlp(up, down, args, Precision::kFast, workspace, stream);
  };
  EXPECT_GT(failed("mlp", ops, 8), 4);
}

TEST(CheckCudaPlanted, ARowTooMany) {
  gpu::Ops ops = *cuda_table().ops;
  ops.layer_norm = [](const LayerNormArgs& args, void* stream) {
    LayerNormArgs more = args;
    if (args.ldx == args.dim && args.ldy == args.dim && args.dim <= 64) ++more.rows;
    return cuda_table().ops->layer_norm(more, stream);
  };
  EXPECT_GT(failed("layer_norm", ops, 40), 1);
}

TEST(CheckCudaPlanted, OneIdThatIsWrong) {
  gpu::Ops ops = *cuda_table().ops;
  ops.top_k = [](const TopKCudaVectors& vectors, const TopKArgs& args, void* workspace, void* stream) {
    const int status = cuda_table().ops->top_k(vectors, args, workspace, stream);
    return status || args.n == 0 ? status : cuda_table().runtime->fill(args.ids, 1, sizeof(int64_t), stream);
  };
  EXPECT_GT(failed("top_k", ops, 8), 4);
}

TEST(CheckCudaPlanted, AKernelThatFails) {
  gpu::Ops ops = *cuda_table().ops;
  ops.rms_norm = [](const RmsNormArgs&, void*) { return 9; };  // an invalid configuration
  EXPECT_THROW(failed("rms_norm", ops, 1), Error);
}

}  // namespace
}  // namespace sns
