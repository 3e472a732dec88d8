#include "pipeline/merge_first.h"

#include <algorithm>

namespace sns {

int64_t MergeFirst::latents(int64_t tokens, int64_t limit) const {
  return then_->latents(left(tokens), limit);
}

CompressorLimits MergeFirst::limits_then(const CompressorLimits& limits) const {
  CompressorLimits then = limits;
  then.max_tokens = merger_.max_rows(limits);
  return then;
}

MergeFirst::Pieces MergeFirst::lay_out(Carver& carver, const CompressorMemory& memory) const {
  const CompressorLimits& limits = memory.limits;
  const CompressorLimits then = limits_then(limits);
  Pieces p;
  p.merger = {limits, carver.take<std::byte>(static_cast<int64_t>(merger_.workspace(limits))),
              memory.scratch};
  p.then = {then, carver.take<std::byte>(static_cast<int64_t>(then_->workspace(then))), memory.scratch};
  p.cu_merged = carver.take<int64_t>(limits.max_sequences + 1);
  return p;
}

size_t MergeFirst::workspace(const CompressorLimits& limits) const {
  Carver carver(nullptr);
  lay_out(carver, {limits, nullptr, nullptr});
  return carver.bytes();
}

size_t MergeFirst::scratch(const CompressorLimits& limits) const {
  return std::max(merger_.scratch(limits), then_->scratch(limits_then(limits)));
}

void MergeFirst::prepare(const CompressorMemory& memory) const {
  Carver carver(memory.workspace);
  const Pieces p = lay_out(carver, memory);
  p.cu_merged[0] = 0;
  then_->prepare(p.then);
}

CompressorInput MergeFirst::merged(const CompressorInput& in, const Pieces& p) const {
  const TokenMerger::Merged m = merger_.merged(p.merger);
  return {m.y, p.cu_merged, in.cu_latents, in.sequences, m.size};
}

const float* MergeFirst::run(const CompressorInput& in, const CompressorMemory& memory,
                             Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Pieces p = lay_out(carver, memory);
  for (int64_t s = 0; s < in.sequences; ++s) {
    p.cu_merged[s + 1] = p.cu_merged[s] + left(in.cu_tokens[s + 1] - in.cu_tokens[s]);
  }
  merger_.run({in.tokens, in.cu_tokens, p.cu_merged, in.sequences}, p.merger, parallel);
  return then_->run(merged(in, p), p.then, parallel);
}

void MergeFirst::attention(const CompressorInput& in, const CompressorMemory& memory, int64_t s, float* out,
                           Parallel& parallel) const {
  Carver carver(memory.workspace);
  const Pieces p = lay_out(carver, memory);
  const TokenMerger::Merged m = merger_.merged(p.merger);
  const int64_t tokens = in.cu_tokens[s + 1] - in.cu_tokens[s];
  const int64_t rows = p.cu_merged[s + 1] - p.cu_merged[s];
  const int64_t latents = in.cu_latents[s + 1] - in.cu_latents[s];
  AlignedArray<float> weights(checked_mul(latents, rows, "attention"));
  then_->attention(merged(in, p), p.then, s, weights.data(), parallel);
  const int32_t* row = m.latent + in.cu_tokens[s];
  for (int64_t i = 0; i < latents; ++i) {
    for (int64_t t = 0; t < tokens; ++t) {
      out[i * tokens + t] = weights[i * rows + row[t]] / m.size[p.cu_merged[s] + row[t]];
    }
  }
}

}  // namespace sns
