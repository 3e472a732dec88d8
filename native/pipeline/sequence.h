#pragma once

#include "ops/pack/pack.h"
#include "pipeline/model.h"

namespace sns {

/// Rotary positions of one item (position_ids.h).
struct PositionPlan {
  int64_t lead = 0;          ///< of the first begin or prefix token
  bool counts_lead = false;  ///< whether the others count on from it, or have the same
  int64_t base = 0;          ///< from which the body's rows, columns and times count
  bool clock = false;        ///< whether its tokens' times count
  int64_t origin_us = 0;     ///< of the clock
  int64_t end = 0;           ///< of the end token
};

/// Where one item's tokens stand in the packed sequence: [begin] [prefix…] [body…] [end].
struct ItemPlan {
  Item item;
  int64_t first = 0;    ///< row of its first token
  int64_t special = 0;  ///< 1 when begin and end stand around it
  int64_t prefix = 0;
  int64_t body = 0;
  int64_t grid_h = 0, grid_w = 0;  ///< of the body; tokens run row-major
  ImageTokenizer::Shape image;
  AudioTokenizer::Shape audio = {};
  int64_t span_start_us = 0, span_end_us = 0;  ///< of the whole item
  PositionPlan position;
  int64_t rows() const { return 2 * special + prefix + body; }
  int64_t body_row() const { return first + special + prefix; }
  /// Whether a tokenizer makes its tokens, and so an encoder reads them.
  bool tokenized() const { return item.format != Format::kF32Tokens; }
};

/// What one item's dims alone say; `first` and the times are left 0. Throws naming the field ("height").
ItemPlan plan_shape(const Model& model, const Item& item);
/// plan_shape plus size of the data and times; the data itself is not touched.
ItemPlan plan_item(const Model& model, const Item& item);
/// Checks that the item's samples, pixels, features or ids are in range; throws kOutOfRange.
void check_data(const Model& model, const ItemPlan& plan);

/// The arrays that describe every token (sns_result).
struct TokenTable {
  int32_t* modality = nullptr;
  int32_t* item = nullptr;
  int32_t* grid = nullptr;
  int64_t* span = nullptr;
  int32_t* position = nullptr;
};
/// Everything but the positions, which need the whole sequence (position_ids.h).
void describe(const Model& model, const ItemPlan& plan, int64_t index, const TokenTable& table);

/// Row and column [prefix + body, 2] of each token of an item, as rotary encoders turn by them; returns the
/// end.
int32_t* put_grid(const ItemPlan& plan, int32_t* out);

/// At most this many segments stand for one item.
constexpr int64_t kSegmentsPerItem = 4;
/// Appends the item's segments and returns their number. Bodies that a tokenizer writes lie in `tokens`
/// already.
int64_t add_segments(const Model& model, const ItemPlan& plan, const float* tokens, PackSegment* out);

}  // namespace sns
