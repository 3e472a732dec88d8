#include "ops/vector_quantize/vector_quantize_cuda.h"

#include "ops/vector_quantize/vector_quantize_check.h"
#include "simt_support.h"

namespace sns {
namespace {

struct Packed {
  PackedBlock block;
  CodebookCuda codebook;
  explicit Packed(const QuantizeKernels::Codes& c)
      : block(codebook_cuda_bytes(c.size, c.dim, c.metric)),
        codebook(pack_codebook_cuda(c.codes, c.size, c.dim, c.metric, block.data(), block.data())) {}
};

class CudaKernels final : public QuantizeKernels {
 public:
  bool quantize(const Codes& c, const VectorQuantizeArgs& args) const override {
    const Packed packed(c);
    Guarded<std::byte> workspace(
        static_cast<int64_t>(vector_quantize_cuda_workspace(packed.codebook, args.rows)));
    EXPECT_EQ(0, vector_quantize_cuda(packed.codebook, args, workspace.data(), nullptr));
    return workspace.intact();
  }
  bool residual(const std::vector<Codes>& stages, const float* x, int64_t rows, int64_t ldx, int64_t* ids,
                float* y, int64_t ldy) const override {
    std::vector<Packed> packed;
    std::vector<CodebookCuda> books;
    for (const Codes& c : stages) packed.emplace_back(c);
    for (const Packed& p : packed) books.push_back(p.codebook);
    const auto count = static_cast<int64_t>(books.size());
    Guarded<std::byte> workspace(
        static_cast<int64_t>(residual_quantize_cuda_workspace(books.data(), count, rows)));
    EXPECT_EQ(0, residual_quantize_cuda(books.data(), count, x, rows, ldx, ids, workspace.data(), nullptr));
    EXPECT_EQ(0, residual_decode_cuda(books.data(), count, ids, rows, y, ldy, nullptr));
    return workspace.intact();
  }
  void finite_scalar(const int32_t* levels, int64_t dim, const float* z, int64_t rows, int64_t* ids,
                     float* y) const override {
    EXPECT_EQ(0, fsq_encode_cuda(levels, dim, z, rows, ids, nullptr));
    EXPECT_EQ(0, fsq_decode_cuda(levels, dim, ids, rows, y, nullptr));
  }
};

TEST(SimtVectorQuantize, IdsAreTheOracles) {
  under_every_schedule("vector_quantize", 10, [](Random& random) {
    const uint64_t seed = random.next();
    const Parity p = vector_quantize_parity(seed, CudaKernels());
    EXPECT_TRUE(p.guards_ok) << p.shape << " (seed " << seed << ")";
    EXPECT_LE(p.error, p.limit) << p.measure << ": " << p.shape << " (seed " << seed << ")";
  });
}

}  // namespace
}  // namespace sns
