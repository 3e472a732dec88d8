#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cpu/isa.h"
#include "core/memory.h"
#include "ops/attention/attention.h"

namespace sns {

/// Keys whose scores are held at a time.
constexpr int64_t kKeyBlock = 128;
/// Widest query panel (two AVX-512 vectors); narrower machines use less of it.
constexpr int64_t kMaxPanel = 32;
/// Columns of V and of the sums are padded to whole vectors of any machine.
constexpr int64_t kColumnPad = 16;

/// How one sequence is cut. A function of that sequence's shape alone: how a row is summed up, and so every
/// bit of it, must not depend on neighbours or threads.
struct AttentionCut {
  int64_t rows = 0;        ///< (query, head of the group) pairs per key/value head
  int64_t block_rows = 0;  ///< rows of one task
  int64_t blocks = 0;
  int64_t splits = 1;  ///< pieces that the keys are cut into
  int64_t split_keys = 0;
};

AttentionCut attention_cut(const AttentionArgs& args, int64_t queries, int64_t keys);

/// Rows [row, row+rows) of one sequence and key/value head against keys [key, key+keys). Row r is head
/// r mod group of the group at query r div group, so heads that share keys share their panels.
struct AttentionTask {
  int64_t query = 0;  ///< first query of the sequence
  int64_t row = 0, rows = 0;
  int64_t kv_head = 0;
  int64_t key = 0, keys = 0;
  int64_t part = -1;  ///< where its unnormalised rows go, or −1 when it has all keys and writes y
  int64_t parts = 1;  ///< on the first task of several: how many follow each other
};

/// One worker's private memory.
struct AttentionWorker {
  float* q = nullptr;        ///< [panels][qk_dim][panel], scale·log2(e) folded in
  float* k = nullptr;        ///< [kKeyBlock][qk_dim]
  float* v = nullptr;        ///< [kKeyBlock][v_pad]
  float* s = nullptr;        ///< [kKeyBlock][panel]: scores, then probabilities
  float* o = nullptr;        ///< [rows][v_pad]
  float* top = nullptr;      ///< [rows] running maximum (log2)
  float* sum = nullptr;      ///< [rows] running Σ2^(s−top)
  float* rescale = nullptr;  ///< [panel]
  float* weight = nullptr;   ///< [kKeyBlock] of the keys that take part, with a mask
};

/// What tasks that share a row leave for the merge.
struct AttentionParts {
  float* o = nullptr;  ///< [part_rows][v_pad]
  float* top = nullptr;
  float* sum = nullptr;
};

/// Whether bfloat16 was asked for and is used.
inline bool attention_in_bf16(const AttentionArgs& a) {
  return a.precision == Precision::kFast && a.qk_dim >= kAttentionFastDim && has_avx512_bf16();
}

inline int64_t attention_v_pad(const AttentionArgs& a) { return round_up(a.v_dim, kColumnPad); }

}  // namespace sns
