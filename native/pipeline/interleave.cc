#include "pipeline/interleave.h"

#include <algorithm>
#include <tuple>

namespace sns {
namespace {

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

/// The item's rows as one run, or those of a sound as one run for each column of its grid and row of it.
TokenRun* split(const ItemPlan& plan, const int64_t* span, TokenRun* out) {
  const auto add = [&](int64_t time, int64_t first, int64_t count) {
    TokenRun& run = *out++ = {};
    run.time = time;
    run.first = first;
    run.count = count;
    run.rank = static_cast<int32_t>(plan.item.modality);
  };
  if (plan.audio.grid_t == 0 || plan.body == 0) {
    if (plan.rows() > 0) add(plan.span_start_us, plan.first, plan.rows());
    return out;
  }
  const int64_t body = plan.body_row(), head = body - plan.first, tail = plan.rows() - head - plan.body;
  if (head > 0) add(span[2 * body], plan.first, head);
  int64_t last = span[2 * body];
  for (int64_t t = 0; t < plan.grid_w; ++t) {
    last = span[2 * (body + t)];
    for (int64_t f = 0; f < plan.grid_h; ++f) add(last, body + f * plan.grid_w + t, 1);
  }
  if (tail > 0) add(last, body + plan.body, tail);
  return out;
}

}  // namespace

int64_t interleave(const ItemPlan* plans, int64_t count, const int64_t* span, TokenOrder order,
                   int64_t chunk_us, TokenRun* out) {
  TokenRun* const begin = out;
  for (int64_t i = 0; i < count;) {
    if (plans[i].item.modality == Modality::kText) {
      out = split(plans[i++], span, out);
      continue;
    }
    TokenRun* const first = out;
    const int64_t sequence = plans[i].item.sequence;
    for (; i < count && plans[i].item.sequence == sequence && plans[i].item.modality != Modality::kText;
         ++i) {
      out = split(plans[i], span, out);
    }
    if (order == TokenOrder::kChunks) {
      for (TokenRun* run = first; run < out; ++run) run->chunk = floor_div(run->time, chunk_us);
    }
    const bool chunks = order == TokenOrder::kChunks;
    // Total, so that an unstable sort, which needs no memory, keeps the items' order on ties. A sound's begin
    // and end tokens have its first and last token's time and stand around them; columns of patches keep
    // their frequencies.
    std::sort(first, out, [chunks](const TokenRun& a, const TokenRun& b) {
      return std::tuple(a.chunk, chunks ? a.rank : 0, a.time, a.rank, a.first) <
             std::tuple(b.chunk, chunks ? b.rank : 0, b.time, b.rank, b.first);
    });
  }
  // Rows that follow each other again are one run.
  TokenRun* end = begin;
  for (const TokenRun* run = begin; run < out; ++run) {
    if (end > begin && end[-1].first + end[-1].count == run->first) {
      end[-1].count += run->count;
    } else {
      *end++ = *run;
    }
  }
  return end - begin;
}

void reorder(const TokenRun* runs, int64_t count, const TokenTable& from, const TokenTable& to) {
  int64_t row = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = runs[i].first, n = runs[i].count;
    std::copy_n(from.modality + first, n, to.modality + row);
    std::copy_n(from.item + first, n, to.item + row);
    std::copy_n(from.grid + 2 * first, 2 * n, to.grid + 2 * row);
    std::copy_n(from.span + 2 * first, 2 * n, to.span + 2 * row);
    std::copy_n(from.position + 3 * first, 3 * n, to.position + 3 * row);
    row += n;
  }
}

}  // namespace sns
