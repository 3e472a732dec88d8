#include "pipeline/sequence.h"

#include <algorithm>

#include "ops/finite/finite.h"

namespace sns {
namespace {

[[noreturn]] void fail(Code code, const char* field, const std::string& what) {
  throw Error(code, field, std::string(field) + ": " + what);
}

int64_t element_size(Format format) {
  switch (format) {
    case Format::kU8Hwc:
    case Format::kU8Thwc:
      return 1;
    case Format::kS16Pcm:
      return 2;
    case Format::kI64Ids:
      return 8;
    default:
      return 4;
  }
}

/// Names of the used dims of a format; the rest must be 0.
struct Dims {
  const char* names[3];
};
Dims dims_of(Format format) {
  switch (format) {
    case Format::kU8Hwc:
    case Format::kF32Chw:
    case Format::kU8Thwc:
      return {{"height", "width", "channels"}};
    case Format::kS16Pcm:
    case Format::kF32Pcm:
      return {{"samples", nullptr, nullptr}};
    case Format::kF32Features:
      return {{"frames", "n_mels", nullptr}};  // dims[2], frames before them, is no size
    case Format::kI64Ids:
      return {{"count", nullptr, nullptr}};
    case Format::kF32Tokens:
      return {{"count", "d_model", nullptr}};
  }
  return {};
}

bool fits(Modality modality, Format format) {
  switch (format) {
    case Format::kU8Hwc:
    case Format::kF32Chw:
    case Format::kU8Thwc:
      return modality == Modality::kImage;
    case Format::kS16Pcm:
    case Format::kF32Pcm:
    case Format::kF32Features:
      return modality == Modality::kAudio;
    case Format::kI64Ids:
      return modality == Modality::kText;
    case Format::kF32Tokens:
      return true;
  }
  return false;
}

int64_t elements(const Item& item) {
  const Dims dims = dims_of(item.format);
  int64_t count = 1;
  for (int i = 0; i < 3; ++i) {
    if (dims.names[i]) {
      count = checked_mul(count, item.dims[i], dims.names[i]);
    } else if (item.dims[i] != 0 && !(i == 2 && item.format == Format::kF32Features)) {
      fail(Code::kInvalidArgument, "dims", "dims[" + std::to_string(i) + "] is not used and must be 0");
    }
  }
  return count;
}

void expect_width(const char* field, int64_t given, int64_t expected) {
  if (given != expected) {
    fail(Code::kInvalidShape, field, std::to_string(given) + ", the model's is " + std::to_string(expected));
  }
}

void plan_image(const ImageTokenizer* image, const Item& item, ItemPlan& plan) {
  if (!image) fail(Code::kInvalidArgument, "modality", "the model has no image tokenizer");
  expect_width("channels", item.dims[2], image->config().geometry.channels);
  plan.image = image->shape(item.format, item.dims[0], item.dims[1]);
  plan.grid_h = plan.image.grid_h;
  plan.grid_w = plan.image.grid_w;
  plan.prefix = image->config().prefix_tokens;
}

void plan_audio(const AudioTokenizer* audio, const Item& item, ItemPlan& plan) {
  if (!audio) fail(Code::kInvalidArgument, "modality", "the model has no audio tokenizer");
  if (item.format == Format::kF32Features) {
    expect_width("n_mels", item.dims[1], audio->config().log_mel.n_mels);
    plan.audio = audio->shape_of_features(item.dims[0], item.dims[2]);
  } else {
    plan.audio = audio->shape_of_samples(item.dims[0]);
  }
  plan.grid_h = plan.audio.grid_f;
  plan.grid_w = plan.audio.grid_t;
  plan.prefix = audio->config().prefix_tokens;
}

}  // namespace

ItemPlan plan_shape(const Model& model, const Item& item) {
  ItemPlan plan;
  plan.item = item;
  if (!fits(item.modality, item.format)) {
    fail(Code::kInvalidArgument, "format", "this format does not hold items of this modality");
  }
  elements(item);
  plan.special = model.begin(item.modality) ? 1 : 0;
  switch (item.format) {
    case Format::kU8Hwc:
    case Format::kF32Chw:
    case Format::kU8Thwc:
      plan_image(model.image(), item, plan);
      break;
    case Format::kS16Pcm:
    case Format::kF32Pcm:
    case Format::kF32Features:
      plan_audio(model.audio(), item, plan);
      break;
    case Format::kI64Ids:
      if (!model.text()) fail(Code::kInvalidArgument, "modality", "the model has no text embedder");
      model.text()->check_count(item.dims[0]);
      plan.grid_h = 1;
      plan.grid_w = item.dims[0];
      break;
    case Format::kF32Tokens:
      expect_width("d_model", item.dims[1], model.d_model());
      plan.grid_h = 1;
      plan.grid_w = item.dims[0];
      break;
  }
  plan.body = checked_mul(plan.grid_h, plan.grid_w, "tokens");
  if (plan.body > kMaxCount) {
    throw Error(Code::kLimitExceeded, "tokens",
                "tokens: " + std::to_string(plan.body) + " is above " + std::to_string(kMaxCount), kMaxCount);
  }
  return plan;
}

ItemPlan plan_item(const Model& model, const Item& item) {
  ItemPlan plan = plan_shape(model, item);
  int64_t bytes = checked_mul(elements(item), element_size(item.format), "bytes");
  if (item.format == Format::kU8Thwc) {
    bytes = checked_mul(bytes, model.image()->config().geometry.frames, "bytes");
  }
  if (item.bytes != bytes) {
    fail(Code::kInvalidShape, "bytes",
         std::to_string(item.bytes) + ", the dims say " + std::to_string(bytes));
  }
  if (plan.audio.grid_t > 0) {
    const int64_t duration = model.audio()->micros(plan.audio.duration_x2);
    if (__builtin_add_overflow(item.start_us, duration, &plan.span_end_us)) {
      fail(Code::kInvalidArgument, "start_us", "the sound's end overflows 64 bits");
    }
    const int64_t before = plan.audio.before;
    plan.span_start_us =
        item.start_us +
        (before > 0 ? model.audio()->micros(model.audio()->tile_start_x2(before, plan.audio.duration_x2))
                    : 0);
  } else {
    if (item.end_us < item.start_us) fail(Code::kInvalidArgument, "end_us", "before start_us");
    plan.span_start_us = item.start_us;
    plan.span_end_us = item.end_us;
  }
  return plan;
}

void check_data(const Model& model, const ItemPlan& plan) {
  const Item& item = plan.item;
  if (!item.data) {
    if (item.bytes == 0) return;
    fail(Code::kInvalidArgument, "data", "null");
  }
  if (reinterpret_cast<uintptr_t>(item.data) % static_cast<uintptr_t>(element_size(item.format)) != 0) {
    fail(Code::kInvalidArgument, "data", "not aligned to its elements");
  }
  if (item.format == Format::kI64Ids) {
    const int64_t* ids = static_cast<const int64_t*>(item.data);
    const int64_t bad = model.text()->first_invalid(ids, item.dims[0]);
    if (bad >= 0) {
      const int64_t vocabulary = model.text()->config().vocabulary;
      throw Error(Code::kOutOfRange, "data",
                  "data[" + std::to_string(bad) + "]: id " + std::to_string(ids[bad]) +
                      " is outside the vocabulary [0, " + std::to_string(vocabulary) + ")",
                  vocabulary);
    }
  } else if (element_size(item.format) == 4) {
    check_finite("data", static_cast<const float*>(item.data), item.bytes / 4);
  }
}

void describe(const Model& model, const ItemPlan& plan, int64_t index, const TokenTable& table) {
  const int64_t first = plan.first, rows = plan.rows();
  const int32_t modality = static_cast<int32_t>(plan.item.modality);
  for (int64_t r = first; r < first + rows; ++r) {
    table.modality[r] = modality;
    table.item[r] = static_cast<int32_t>(index);
    table.grid[2 * r] = table.grid[2 * r + 1] = -1;
    table.span[2 * r] = plan.span_start_us;
    table.span[2 * r + 1] = plan.span_end_us;
  }
  const int64_t body = plan.body_row();
  int32_t* grid = table.grid + 2 * body;
  for (int64_t y = 0; y < plan.grid_h; ++y) {
    for (int64_t x = 0; x < plan.grid_w; ++x, grid += 2) {
      grid[0] = static_cast<int32_t>(y);
      grid[1] = static_cast<int32_t>(x);
    }
  }
  if (plan.audio.grid_t == 0) return;
  const AudioTokenizer& audio = *model.audio();
  const int64_t step = audio.step(), width = audio.width();
  const int64_t duration = plan.audio.duration_x2, start = plan.item.start_us, before = plan.audio.before;
  int64_t* span = table.span + 2 * body;
  int64_t at = audio.micros(audio.tile_start_x2(before, duration));
  for (int64_t t = 0; t < plan.grid_w; ++t) {
    const int64_t end = audio.micros(audio.tile_start_x2(before + t * step + width, duration));
    span[2 * t] = start + at;
    span[2 * t + 1] = start + end;
    at = step == width ? end : audio.micros(audio.tile_start_x2(before + (t + 1) * step, duration));
  }
  for (int64_t f = 1; f < plan.grid_h; ++f) {
    std::copy(span, span + 2 * plan.grid_w, span + 2 * f * plan.grid_w);
  }
}

int32_t* put_grid(const ItemPlan& plan, int32_t* out) {
  out = std::fill_n(out, 2 * plan.prefix, 0);
  for (int64_t row = 0; row < plan.grid_h; ++row) {
    for (int64_t column = 0; column < plan.grid_w; ++column) {
      *out++ = static_cast<int32_t>(row);
      *out++ = static_cast<int32_t>(column);
    }
  }
  return out;
}

int64_t add_segments(const Model& model, const ItemPlan& plan, const float* tokens, PackSegment* out) {
  const Modality m = plan.item.modality;
  const int64_t d = model.d_model();
  PackSegment* const first = out;
  const auto add = [&](const float* rows, int64_t count, const float* modality) {
    if (count == 0) return;
    out->rows = rows;
    out->ld = d;
    out->count = count;
    out->modality = modality;
    out->position = nullptr;
    ++out;
  };
  add(model.begin(m), plan.special, nullptr);
  if (plan.tokenized() && model.encoder(m)) {  // its output lies in place, prefix tokens included
    add(tokens + (plan.first + plan.special) * d, plan.prefix + plan.body, model.modality(m));
    add(model.end(m), plan.special, nullptr);
    return out - first;
  }
  if (plan.prefix > 0) {
    add(model.prefix(m), plan.prefix, nullptr);
  }
  if (plan.item.format == Format::kF32Tokens) {
    add(static_cast<const float*>(plan.item.data), plan.body, model.modality(m));
  } else {
    add(tokens + plan.body_row() * d, plan.body, nullptr);
  }
  add(model.end(m), plan.special, nullptr);
  return out - first;
}

}  // namespace sns
