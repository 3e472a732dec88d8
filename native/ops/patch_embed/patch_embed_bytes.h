#pragma once

// Byte images on AVX-512 VNNI, faster than the fp32 peak permits and more accurate than fp32: pixels are
// exact integers, so the projection is an exact integer product once the weights are integers too.
//
// With the normalisation v ↦ v·scale + shift folded in, w' = w·scale is rounded to a 24-bit integer q per
// output row, w' ≈ step·q (step a power of two), |q| ≤ 127·(2¹⁶ + 2⁸ + 1), and q = d₂·2¹⁶ + d₁·2⁸ + d₀ is
// split into three signed bytes. Each Σ d·(v − 128) is one chain of vpdpbusd (unsigned × signed bytes, 32-bit
// sums; started at −128·Σd) and exact for up to kMaxPatch products. Only the last step, Σᵢ step·2⁸ⁱ·sumᵢ +
// bias', rounds. Centring on 128 keeps the sums small where the normalised picture is dark grey or flat, so
// nothing cancels. The weights' error is 2⁻²³ of the row's largest at most: NMSE about 1e-14. kFast leaves
// the lowest digit away: 2⁻¹⁵, NMSE about 1e-9 and a third of the work less, where two bytes cost what
// bfloat16 does; or, where the CPU has VBMI, takes one byte and some spares (patch_embed_spares.h), NMSE
// 1e-5, for each 32 outputs whose weights let it.

#include "core/memory.h"
#include "core/parallel.h"
#include "core/precision.h"
#include "ops/patch_embed/patch_embed_spares.h"

namespace sns {

struct PatchEmbedArgs;
struct PatchGeometry;

class PatchEmbedBytes {
 public:
  PatchEmbedBytes() = default;
  /// Arguments as PatchEmbedWeights'. Packs only where the running CPU can use it (usable()).
  PatchEmbedBytes(const PatchGeometry& geometry, const float* weight, const float* bias, int64_t out,
                  const float* scale, const float* shift, Precision precision);
  bool usable() const { return digits_.size() > 0; }
  /// How many outputs take one byte a weight and spares.
  int64_t spared_outputs() const;
  size_t scratch(const PatchGeometry& geometry, int64_t height, int64_t width) const;
  /// args.image holds bytes and is not yet normalised.
  void run(const PatchGeometry& geometry, const PatchEmbedArgs& args, void* scratch,
           Parallel& parallel) const;

 private:
  static constexpr int64_t kPanel = 16;              // outputs of one vector of 32-bit sums
  static constexpr int64_t kBlock = 2 * kPanel;      // outputs that are packed alike
  using Weights = std::vector<std::vector<double>>;  // of a block, bytes in slots

  void allocate(int64_t patch_bytes);
  bool pack_spared(int64_t block, const Weights& weights, const SpareLayout& layout);
  void pack_digits(int64_t block, const Weights& weights);
  void multiply(int64_t block, const PatchEmbedArgs& args, const uint8_t* patches, int64_t first,
                int64_t rows) const;
  int8_t* digits_of(int64_t panel) { return digits_.data() + panel * patch_bytes_ * digit_count_ * kPanel; }

  int64_t out_ = 0;
  int digit_count_ = 3;          ///< of a weight
  int64_t row_bytes_ = 0;        ///< one row of a patch, padded to whole groups of four bytes
  int64_t patch_bytes_ = 0;      ///< frames·patch_h·row_bytes; where there are spares, in whole slices
  AlignedArray<int8_t> digits_;  ///< [panels][patch_bytes/4][digits][16 outputs][4], or two panels' VbmiBlock
  AlignedArray<int32_t> start_;  ///< [panels][digits][16]: −128·Σ of the digits
  AlignedArray<float> step_, bias_;  ///< [panels·16]
  std::vector<int32_t> slot_;        ///< of each four bytes of a patch; empty: they stay in order
  std::vector<char> spared_;         ///< [blocks]: has spares, or none has and this is empty
};

}  // namespace sns
