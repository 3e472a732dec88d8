#include "pipeline/position_ids.h"

#include <algorithm>
#include <cmath>

namespace sns {
namespace {

enum class Body { kCounted, kPicture, kFrames, kPatches };

Body body_of(const Model& model, const ItemPlan& plan) {
  if (!plan.tokenized() || plan.item.modality == Modality::kText) return Body::kCounted;
  if (plan.item.modality == Modality::kImage) return Body::kPicture;
  return model.audio()->patches() ? Body::kPatches : Body::kFrames;
}

bool has_clock(const Model& model, const ItemPlan& plan) {
  return plan.body > 0 && body_of(model, plan) != Body::kCounted && plan.span_end_us > plan.span_start_us;
}

/// When its last token begins.
int64_t last_start(const Model& model, const ItemPlan& plan) {
  if (plan.audio.grid_t == 0) return plan.span_start_us;
  const AudioTokenizer& audio = *model.audio();
  const int64_t step = audio.patches() ? audio.config().stride_time : 1;
  return plan.item.start_us +
         audio.micros(
             audio.tile_start_x2(plan.audio.before + (plan.audio.grid_t - 1) * step, plan.audio.duration_x2));
}

/// Ids from the clock's start to `us`; too many for 31 bits are only that.
int64_t ticks(const Model& model, const PositionPlan& p, int64_t us) {
  constexpr int64_t kTooMany = int64_t{1} << 40;
  int64_t since;
  if (__builtin_sub_overflow(us, p.origin_us, &since)) return kTooMany;
  // The division comes last, so that whole ids stay whole.
  const double ids = std::floor(static_cast<double>(since) * model.ids_per_second() / 1e6);
  return static_cast<int64_t>(std::min(ids, static_cast<double>(kTooMany)));
}

/// Of the items on one clock that starts at `next`; returns the first id past them.
int64_t place_clock(const Model& model, ItemPlan* plans, int64_t count, int64_t next) {
  const ItemPlan& first = plans[0];
  int64_t origin = first.span_start_us;
  for (int64_t i = 1; i < count; ++i) origin = std::min(origin, plans[i].span_start_us);
  const int64_t base = next + first.special + first.prefix;
  int64_t top = base;
  for (int64_t i = 0; i < count; ++i) {
    ItemPlan& plan = plans[i];
    PositionPlan& p = plan.position;
    p.clock = true;
    p.base = base;
    p.origin_us = origin;
    p.counts_lead = i == 0;
    p.lead = i == 0 ? next : base + ticks(model, p, plan.span_start_us);
    p.end = base + ticks(model, p, plan.span_end_us);
    top = std::max(top, base + ticks(model, p, last_start(model, plan)));
    if (i + 1 < count && plan.special > 0) top = std::max(top, p.end);
    const Body body = body_of(model, plan);
    if (body != Body::kFrames) top = std::max(top, base + plan.grid_h - 1);
    if (body == Body::kPicture) top = std::max(top, base + plan.grid_w - 1);
  }
  ItemPlan& last = plans[count - 1];
  last.position.end = top + 1;
  return top + 1 + last.special;
}

/// Of an item without a clock.
int64_t place_one(const Model& model, ItemPlan& plan, int64_t next) {
  PositionPlan& p = plan.position;
  p = {};
  p.counts_lead = true;
  p.lead = next;
  p.base = next + plan.special + plan.prefix;
  p.end = p.base;
  if (plan.body > 0) {
    p.end += body_of(model, plan) == Body::kPicture ? std::max(plan.grid_h, plan.grid_w) : plan.body;
  }
  return p.end + plan.special;
}

}  // namespace

void place(const Model& model, ItemPlan* plans, int64_t count, int64_t index) {
  int64_t next = 0;
  for (int64_t i = 0; i < count;) {
    const int64_t first = i;
    if (has_clock(model, plans[i])) {
      while (i < count && has_clock(model, plans[i])) ++i;
      next = place_clock(model, plans + first, i - first, next);
    } else {
      next = place_one(model, plans[i++], next);
    }
    if (next > INT32_MAX) {
      const std::string field = "items[" + std::to_string(index + i - 1) + "].start_us";
      throw Error(Code::kLimitExceeded, field,
                  field + ": at " + std::to_string(model.ids_per_second()) +
                      " ids a second the sequence's positions pass " + std::to_string(INT32_MAX),
                  INT32_MAX);
    }
  }
}

void write_positions(const Model& model, const ItemPlan& plan, const int64_t* span, int32_t* position) {
  const PositionPlan& p = plan.position;
  const auto put = [&position](int64_t t, int64_t h, int64_t w) {
    *position++ = static_cast<int32_t>(t);
    *position++ = static_cast<int32_t>(h);
    *position++ = static_cast<int32_t>(w);
  };
  const int64_t lead = plan.special + plan.prefix;
  for (int64_t i = 0; i < lead; ++i) {
    const int64_t id = p.lead + (p.counts_lead ? i : 0);
    put(id, id, id);
  }
  const Body body = body_of(model, plan);
  span += 2 * lead;
  for (int64_t y = 0, i = 0; y < plan.grid_h; ++y) {
    for (int64_t x = 0; x < plan.grid_w; ++x, ++i) {
      const int64_t t = p.base + (p.clock ? ticks(model, p, span[2 * i]) : 0);
      switch (body) {
        case Body::kCounted:
          put(p.base + i, p.base + i, p.base + i);
          break;
        case Body::kPicture:
          put(t, p.base + y, p.base + x);
          break;
        case Body::kFrames:
          put(t, t, t);
          break;
        case Body::kPatches:
          put(t, p.base + y, t);
          break;
      }
    }
  }
  if (plan.special > 0) put(p.end, p.end, p.end);
}

}  // namespace sns
