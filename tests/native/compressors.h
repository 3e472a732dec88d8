#pragma once

#include "pipeline_support.h"

// A small model of each compressor over text and finished tokens.

namespace sns {

enum class Kind {
  kPerceiver,
  kDecoder,
  kIdefics2,
  kFlamingo,
  kQFormer,
  kAttentionPool,
  kMean,
  kPrefix,
  kSuffix,
  kMerge,
  kMergedPerceiver,
  kMergedIdefics2,
  kMergedPool,
  kMergedQFormer
};
inline const Kind kKinds[] = {
    Kind::kPerceiver,       Kind::kDecoder,        Kind::kIdefics2,   Kind::kFlamingo,     Kind::kQFormer,
    Kind::kAttentionPool,   Kind::kMean,           Kind::kPrefix,     Kind::kSuffix,       Kind::kMerge,
    Kind::kMergedPerceiver, Kind::kMergedIdefics2, Kind::kMergedPool, Kind::kMergedQFormer};

/// `latents` of the compressor, `d` wide tokens.
inline SmallModel compressing(Kind kind, int64_t latents = 6, int64_t d = 16) {
  SmallModel m(31);
  m.sequence(d, false, false).text(Position::kNone);
  const auto matrix = [&](const std::string& name, int64_t out, int64_t in) {
    m.tensor(name + ".weight", {out, in}, 0.3);
  };
  switch (kind) {
    case Kind::kPerceiver:
      m.perceiver();
      break;
    case Kind::kDecoder: {
      m.perceiver();
      PerceiverDecoderConfig c;
      c.num_queries = latents;
      c.d_queries = 10;
      c.heads = 2;
      c.qk = 8;
      c.v = 6;
      m.parts.perceiver_decoder = c;
      m.tensor("perceiver.decoder.queries", {latents, 10});
      m.norm("perceiver.decoder.norm_queries", 10);
      m.norm("perceiver.decoder.norm_latents", 12);
      m.layer("perceiver.decoder.", 12, 10, 8, 6, 1);
      break;
    }
    case Kind::kIdefics2:
    case Kind::kFlamingo: {
      const bool idefics = kind == Kind::kIdefics2;
      LatentResamplerConfig c;
      c.num_latents = latents;
      c.layers = 2;
      c.heads = 4;
      c.kv_heads = idefics ? 2 : 4;
      c.head_dim = 5;
      c.mlp_hidden = 4 * d;
      c.rms_norm = c.gated_mlp = idefics;
      c.activation = idefics ? Activation::kSilu : Activation::kRelu;
      m.parts.resampler = c;
      m.tensor("resampler.latents", {latents, d});
      const auto norm = [&](const std::string& name) {
        m.tensor(name + ".weight", {d}, 0.1, 1.0);
        if (!idefics) m.tensor(name + ".bias", {d}, 0.1);
      };
      for (int i = 0; i < 2; ++i) {
        const std::string stem = "resampler." + std::to_string(i) + ".";
        norm(stem + "norm_latents");
        norm(stem + "norm_context");
        norm(stem + "norm_mlp");
        matrix(stem + "q", 20, d);
        matrix(stem + "k", c.kv_heads * 5, d);
        matrix(stem + "v", c.kv_heads * 5, d);
        matrix(stem + "o", d, 20);
        if (idefics) matrix(stem + "mlp.gate", 4 * d, d);
        matrix(stem + "mlp.up", 4 * d, d);
        matrix(stem + "mlp.down", d, 4 * d);
      }
      norm("resampler.norm");
      break;
    }
    case Kind::kQFormer: {
      QFormerConfig c;
      c.num_latents = latents;
      c.d_latents = 12;
      c.layers = 3;
      c.heads = 3;
      c.cross_frequency = 2;
      c.mlp_hidden = 24;
      m.parts.qformer = c;
      m.tensor("qformer.queries", {latents, 12});
      m.norm("qformer.norm", 12);
      for (int i = 0; i < 3; ++i) {
        const std::string stem = "qformer." + std::to_string(i) + ".";
        for (const char* part : {"self", "cross"}) {
          const bool cross = part[0] == 'c';
          if (cross && i == 1) continue;
          m.affine(stem + part + ".q", 12, 12);
          m.affine(stem + part + ".k", 12, cross ? d : 12);
          m.affine(stem + part + ".v", 12, cross ? d : 12);
          m.affine(stem + part + ".o", 12, 12);
          m.norm(stem + part + ".norm", 12);
        }
        m.affine(stem + "mlp.up", 24, 12);
        m.affine(stem + "mlp.down", 12, 24);
        m.norm(stem + "mlp.norm", 12);
      }
      break;
    }
    case Kind::kAttentionPool:
    case Kind::kMean:
    case Kind::kPrefix:
    case Kind::kSuffix: {
      PoolConfig c;
      c.kind = kind == Kind::kAttentionPool ? PoolKind::kAttention
               : kind == Kind::kMean        ? PoolKind::kMean
               : kind == Kind::kPrefix      ? PoolKind::kPrefix
                                            : PoolKind::kSuffix;
      if (c.kind == PoolKind::kAttention) {
        c.heads = 4;
        c.mlp_hidden = 24;
        c.activation = Activation::kGeluTanh;
        m.tensor("pool.probe", {1, d});
        matrix("pool.in", 3 * d, d);
        m.tensor("pool.in.bias", {3 * d}, 0.2);
        m.affine("pool.o", d, d);
        m.norm("pool.norm", d);
        m.affine("pool.mlp.up", 24, d);
        m.affine("pool.mlp.down", d, 24);
      } else {
        c.count = c.kind == PoolKind::kMean ? latents : 2;
        if (c.kind == PoolKind::kSuffix) {
          c.norm = c.dense_bias = true;
          c.dense = 5;
          c.activation = Activation::kTanh;
          m.norm("pool.norm", d);
          m.affine("pool.dense", 5, d);
        }
      }
      m.parts.pool = c;
      break;
    }
    case Kind::kMerge:
      m.parts.merge = MergeConfig{latents, false};
      break;
    case Kind::kMergedPerceiver:
    case Kind::kMergedIdefics2:
    case Kind::kMergedPool:
    case Kind::kMergedQFormer:
      m = compressing(kind == Kind::kMergedPerceiver  ? Kind::kPerceiver
                      : kind == Kind::kMergedIdefics2 ? Kind::kIdefics2
                      : kind == Kind::kMergedQFormer  ? Kind::kQFormer
                                                      : Kind::kAttentionPool,
                      latents, d);
      m.parts.merge = MergeConfig{25, false};
      break;
  }
  return m;
}

inline OwnedItem token_item(int64_t count, int64_t d, Random& random) {
  return make_item(Format::kF32Tokens, {count, d}, random, Modality::kText);
}

}  // namespace sns
