#include "pipeline/session.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "backend/cpu/device.h"
#include "pipeline/position_ids.h"
#include "pipeline/positions.h"

namespace sns {
namespace {

class Stopwatch {
 public:
  /// Nanoseconds since the last call (or construction).
  int64_t lap() {
    const auto now = std::chrono::steady_clock::now();
    const int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_).count();
    last_ = now;
    return ns;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

[[noreturn]] void over_limit(const std::string& field, int64_t value, const char* name, int64_t limit) {
  throw Error(Code::kLimitExceeded, field,
              field + ": " + std::to_string(value) + " exceeds the session's " + name + " of " +
                  std::to_string(limit),
              limit);
}

/// Error of one item, named items[i].field.
Error of_item(const Error& e, int64_t index) {
  const std::string item = "items[" + std::to_string(index) + "]";
  return Error(e.code(), item + "." + e.field(), item + "." + e.what(), e.limit());
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model, const SessionLimits& limits)
    : model_(std::move(model)), limits_(limits) {
  validate(limits);
  if (model_->cuda()) cuda_ = std::make_shared<CudaSession>(model_, limits);
  if (const ImageTokenizer* image = model_->image()) {
    resize_space_ = image->resize_space(limits.max_pixels, model_->engine().threads());
  }
  Carver size(nullptr);
  lay_out(size);
  if (size.bytes() > static_cast<size_t>(cpu_memory_bytes())) throw std::bad_alloc();
  workspace_ = AlignedArray<unsigned char>(static_cast<int64_t>(size.bytes()));
  Carver carver(workspace_.data());
  at_ = lay_out(carver);
  prepare();
}

TokenTable Session::lay_out_table(Carver& carver) const {
  const int64_t tokens = limits_.max_tokens;
  TokenTable t;
  t.modality = carver.take<int32_t>(tokens);
  t.item = carver.take<int32_t>(tokens);
  t.grid = carver.take<int32_t>(tokens * 2);
  t.span = carver.take<int64_t>(tokens * 2);
  t.position = carver.take<int32_t>(tokens * 3);
  return t;
}

Session::Ordered Session::lay_out_ordered(Carver& carver) const {
  const int64_t tokens = limits_.max_tokens;
  Ordered o;
  o.table = lay_out_table(carver);
  o.runs = carver.take<TokenRun>(tokens);
  if (cuda_) return o;  // the rest lies on the device
  o.tokens = carver.take<float>(checked_mul(tokens, model_->d_model(), "max_tokens"));
  o.segments = carver.take<PackSegment>(tokens);
  return o;
}

Session::Pieces Session::lay_out(Carver& carver) const {
  const int64_t d = model_->d_model(), tokens = limits_.max_tokens;
  const int threads = model_->engine().threads();
  Pieces p;
  p.plans = carver.take<ItemPlan>(limits_.max_items);
  p.table = lay_out_table(carver);
  p.cu_seqlens = carver.take<int64_t>(limits_.max_sequences + 1);
  if (model_->compressor()) {
    p.max_latents = carver.take<int64_t>(limits_.max_sequences);
    p.cu_latents = carver.take<int64_t>(limits_.max_sequences + 1);
  }
  if (cuda_) {  // the rest lies on the device
    if (const Head* head = model_->head()) p.head = head->lay_out(carver, limits_.max_sequences);
    return p;
  }
  p.segments = carver.take<PackSegment>(limits_.max_items * kSegmentsPerItem);
  p.tokens = carver.take<float>(checked_mul(tokens, d, "max_tokens"));
  size_t scratch = 0;
  if (const ImageTokenizer* image = model_->image()) {
    scratch = std::max(scratch, image->scratch(limits_.max_pixels, tokens, threads));
    scratch = std::max(scratch, resize_space_.scratch);
    p.pixels =
        carver.take<uint8_t>(checked_mul(resize_space_.bytes, image->config().geometry.frames, "max_pixels"));
    if (image->makes_positions()) {
      const int64_t patches = image->max_patches(limits_.max_pixels, tokens);
      if (image->config().position == Position::kSinCos) {
        p.image.axis = carver.take<float>(checked_mul(patches, d / 2, "max_pixels"));
      }
      if (const int64_t width = image->feature_width()) {
        p.fourier = carver.take<float>(checked_mul(patches, width, "max_pixels"));
      }
      p.image.rows = carver.take<float>(checked_mul(patches, d, "max_pixels"));
    }
  }
  if (const AudioTokenizer* audio = model_->audio()) {
    scratch = std::max(scratch, audio->scratch(limits_.max_samples, tokens, threads));
    p.features = carver.take<float>(checked_mul(audio->max_feature_rows(limits_.max_samples),
                                                audio->config().log_mel.n_mels, "max_samples"));
    if (audio->config().position == Position::kSinCos) {
      const int64_t rows = audio->max_tokens(tokens);
      if (audio->patches()) {
        p.audio.axis = carver.take<float>(checked_mul(rows, d / 2, "max_tokens"));
        p.audio.rows = carver.take<float>(checked_mul(rows, d, "max_tokens"));
      } else {
        p.frames = carver.take<float>(checked_mul(rows, d, "max_tokens"));
      }
    }
  }
  if (const TextEmbedder* text = model_->text()) {
    if (text->config().position == Position::kSinCos) {
      p.text = carver.take<float>(checked_mul(std::min(tokens, text->config().max_tokens), d, "max_tokens"));
    }
  }
  bool encoded = false;
  int64_t rotary_head = 0;
  for (int m = 0; m < kModalities; ++m) {
    const Encoder* encoder = model_->encoder(static_cast<Modality>(m));
    if (!encoder) continue;
    encoded = true;
    if (encoder->config().rotary) rotary_head = std::max(rotary_head, d / encoder->config().heads);
    scratch = std::max(scratch, encoder->scratch(tokens, limits_.max_items, threads));
  }
  if (encoded) p.encoder = Encoder::lay_out(carver, d, tokens, limits_.max_items, rotary_head);
  if (const Compressor* compressor = model_->compressor()) {
    p.compressor =
        carver.take<unsigned char>(static_cast<int64_t>(compressor->workspace(compressor_limits())));
    scratch = std::max(scratch, compressor->scratch(compressor_limits()));
  }
  if (const Head* head = model_->head()) {
    p.head = head->lay_out(carver, limits_.max_sequences);
    scratch = std::max(scratch, head->scratch(limits_.max_sequences, threads));
  }
  p.scratch = carver.take<unsigned char>(static_cast<int64_t>(scratch));
  return p;
}

void Session::prepare() {
  const auto added = [this](Modality m) { return model_->encoder(m) ? nullptr : model_->modality(m); };
  const int64_t d = model_->d_model(), tokens = limits_.max_tokens;
  if (at_.image.axis) {
    sincos_axis(model_->image()->max_patches(limits_.max_pixels, tokens), d / 2, at_.image.axis);
  }
  if (at_.audio.axis) sincos_axis(model_->audio()->max_tokens(tokens), d / 2, at_.audio.axis);
  if (at_.frames) {
    sincos_1d(model_->audio()->max_tokens(tokens), d, added(Modality::kAudio), at_.frames);
  }
  if (at_.text) {
    sincos_1d(std::min(tokens, model_->text()->config().max_tokens), d, added(Modality::kText), at_.text);
  }
  if (const Compressor* compressor = model_->compressor()) {
    if (!cuda_) compressor->prepare(compressor_memory());
    set_latents(compressor->max_latents());
    at_.cu_latents[0] = 0;
  }
  at_.cu_seqlens[0] = 0;
}

void Session::set_order(TokenOrder order, int64_t chunk_us) {
  const bool chunks = order == TokenOrder::kChunks;
  if (chunks ? chunk_us < 1 : chunk_us != 0) {
    throw Error(
        Code::kInvalidArgument, "chunk_us",
        "chunk_us: " + std::to_string(chunk_us) + (chunks ? " is below 1" : ", without chunks it is 0"));
  }
  if (order != TokenOrder::kItems && cuda_) cuda_->reserve_order();
  if (order != TokenOrder::kItems && !order_memory_.data()) {
    Carver size(nullptr);
    lay_out_ordered(size);
    if (size.bytes() > static_cast<size_t>(cpu_memory_bytes())) throw std::bad_alloc();
    order_memory_ = AlignedArray<unsigned char>(static_cast<int64_t>(size.bytes()));
    Carver carver(order_memory_.data());
    ordered_ = lay_out_ordered(carver);
  }
  order_ = order;
  chunk_us_ = chunk_us;
}

/// Fills ordered_.runs from the described tokens of `count` items.
int64_t Session::order_runs(int64_t count) {
  return interleave(at_.plans, count, at_.table.span, order_, chunk_us_, ordered_.runs);
}

/// Moves the packed tokens of `count` items to where their order wants them.
void Session::reorder(Result& result, int64_t count) {
  const int64_t d = model_->d_model();
  PackArgs move;
  move.segment_count = order_runs(count);
  for (int64_t i = 0; i < move.segment_count; ++i) {
    PackSegment& segment = ordered_.segments[i] = {};
    segment.rows = at_.tokens + ordered_.runs[i].first * d;
    segment.ld = d;
    segment.count = ordered_.runs[i].count;
  }
  move.segments = ordered_.segments;
  move.dim = move.ldy = d;
  move.y = ordered_.tokens;
  pack_cpu(move, model_->engine().parallel());
  sns::reorder(ordered_.runs, move.segment_count, at_.table, ordered_.table);
  tokens_ = ordered_.tokens;
  result.table = ordered_.table;
}

void Session::set_adapter(std::shared_ptr<const Adapter> adapter) {
  if (adapter) {
    const int64_t width = model_->row_width();
    const Compressor* compressor = model_->compressor();
    if (adapter->config().d != width) {
      throw Error(Code::kInvalidShape, "adapter",
                  "adapter: of width " + std::to_string(adapter->config().d) + ", the model's " +
                      (compressor ? "latents" : "tokens") + " have " + std::to_string(width));
    }
    const int64_t rows = compressor
                             ? checked_mul(limits_.max_sequences, compressor->max_latents(), "max_sequences")
                             : limits_.max_tokens;
    if (cuda_) {
      cuda_->set_adapter(adapter, rows);
      adapter_ = std::move(adapter);
      return;
    }
    const int64_t bytes = static_cast<int64_t>(adapter->scratch(rows, model_->engine().threads()));
    AlignedArray<unsigned char> scratch;
    if (bytes > adapter_scratch_.size()) scratch = AlignedArray<unsigned char>(bytes);
    if (!adapted_.data()) adapted_ = AlignedArray<float>(checked_mul(rows, width, "adapter"));
    if (scratch.data()) adapter_scratch_ = std::move(scratch);
  }
  if (cuda_) cuda_->set_adapter(nullptr, 0);
  adapter_ = std::move(adapter);
}

/// Fills the kind of each sequence's head; throws where the model has none for it.
void Session::choose_heads(int64_t count) {
  static const char* const kKinds[] = {"image", "audio", "text", "several modalities"};
  for (int64_t i = 0; i < count;) {
    const int64_t first = i, sequence = at_.plans[i].item.sequence;
    int32_t kind = static_cast<int32_t>(at_.plans[i].item.modality);
    int64_t rows = 0;
    for (; i < count && at_.plans[i].item.sequence == sequence; ++i) {
      if (static_cast<int32_t>(at_.plans[i].item.modality) != kind) kind = kJointHead;
      rows += at_.plans[i].rows();
    }
    const int32_t head = model_->head()->choose(kind);
    const std::string item = "items[" + std::to_string(first) + "]";
    if (head < 0) {
      throw Error(Code::kInvalidArgument, item + ".modality",
                  item + ".modality: sequence " + std::to_string(sequence) + " is of " + kKinds[kind] +
                      ", and the model has no head for it");
    }
    const Compressor* compressor = model_->compressor();
    if (rows == 0 && (!compressor || compressor->latents(0, at_.max_latents[sequence]) == 0)) {
      throw Error(Code::kInvalidShape, item + ".count",
                  item + ".count: sequence " + std::to_string(sequence) + " has no tokens to embed");
    }
    at_.head.kind[sequence] = head;
  }
}

/// The adapter and the head, on the latents or, without a compressor, the tokens. Compressors may look at
/// their own rows again, so adapted rows lie elsewhere.
void Session::finish_rows(Result& result) {
  const bool latents = result.cu_latents != nullptr;
  const float*& rows = latents ? result.latents : result.tokens;
  Parallel& parallel = model_->engine().parallel();
  if (adapter_) {
    adapter_->run(rows, latents ? result.latents_count : result.tokens_count, adapted_.data(),
                  adapter_scratch_.data(), parallel);
    rows = adapted_.data();
  }
  if (const Head* head = model_->head()) {
    head->run(rows, latents ? result.cu_latents : result.cu_seqlens, result.sequences, at_.head, at_.scratch,
              parallel);
    result.embedding = at_.head.embedding;
  }
}

/// Fills plans; returns the number of sequences.
int64_t Session::plan(const ItemSource& items, int64_t count) {
  int64_t tokens = 0, sequence = -1;
  for (int64_t i = 0; i < count; ++i) {
    const Item item = items.get(items.context, i);
    const auto field = [i](const char* name) { return "items[" + std::to_string(i) + "]." + name; };
    if (item.sequence < sequence || item.sequence > sequence + 1 || item.sequence < 0) {
      throw Error(Code::kInvalidArgument, field("sequence"),
                  field("sequence") + ": " + std::to_string(item.sequence) +
                      " (sequences start at 0, never decrease and skip none)");
    }
    sequence = item.sequence;
    if (sequence >= limits_.max_sequences) {
      over_limit(field("sequence"), sequence + 1, "max_sequences", limits_.max_sequences);
    }
    const bool image = is_image(item.format);
    const bool sound = item.format == Format::kS16Pcm || item.format == Format::kF32Pcm;
    ItemPlan plan;
    try {
      plan = plan_item(*model_, item);
    } catch (const Error& e) {
      throw of_item(e, i);
    }
    if (image && item.dims[0] * item.dims[1] > limits_.max_pixels) {
      over_limit(field("pixels"), item.dims[0] * item.dims[1], "max_pixels", limits_.max_pixels);
    }
    if (image && item.format != Format::kF32Chw) {
      try {
        check_resize(plan);
      } catch (const Error& e) {
        throw of_item(e, i);
      }
    }
    if (sound && item.dims[0] > limits_.max_samples) {
      over_limit(field("samples"), item.dims[0], "max_samples", limits_.max_samples);
    }
    plan.first = tokens;
    tokens += plan.rows();
    if (tokens > limits_.max_tokens) over_limit(field("tokens"), tokens, "max_tokens", limits_.max_tokens);
    at_.plans[i] = plan;
  }
  for (int64_t first = 0, i = 0; first < count; first = i) {
    while (i < count && at_.plans[i].item.sequence == at_.plans[first].item.sequence) ++i;
    place(*model_, at_.plans + first, i - first, first);
  }
  return sequence + 1;
}

/// The workspace holds any picture of up to max_pixels whose sides differ by up to 200 times.
void Session::check_resize(const ItemPlan& plan) const {
  const ImageConfig& config = model_->image()->config();
  if (config.resize.none()) return;
  const ResizePlan& resize = plan.image.resize;
  const int64_t channels = config.geometry.channels;
  const int64_t bytes = checked_mul(checked_mul(resize.height, resize.width, "height"), channels, "height");
  const size_t scratch =
      resize_u8_scratch(resize_args(config.resize, resize, channels), model_->engine().threads());
  if (bytes > resize_space_.bytes || scratch > resize_space_.scratch) {
    throw Error(Code::kLimitExceeded, resize.in_h > resize.in_w ? "height" : "width",
                std::to_string(resize.in_h) + "x" + std::to_string(resize.in_w) +
                    ": too long and narrow for a session of " + std::to_string(limits_.max_pixels) +
                    " max_pixels",
                limits_.max_pixels);
  }
}

const float* Session::sincos_positions(GridTable& table, Modality modality, int64_t grid_h, int64_t grid_w) {
  if (!table.rows) return nullptr;
  if (table.grid_h != grid_h || table.grid_w != grid_w) {
    const float* add = model_->encoder(modality) ? nullptr : model_->modality(modality);
    sincos_2d(grid_h, grid_w, model_->d_model(), table.axis, add, table.rows);
    table.grid_h = grid_h;
    table.grid_w = grid_w;
  }
  return table.rows;
}

const float* Session::image_positions(const ItemPlan& plan) {
  const ImageTokenizer& image = *model_->image();
  GridTable& table = at_.image;
  if (is_fourier(image.config().position)) {
    if (table.grid_h != plan.grid_h || table.grid_w != plan.grid_w) {
      image.fourier(plan.grid_h, plan.grid_w, at_.fourier, table.rows, at_.scratch,
                    model_->engine().parallel());
      table.grid_h = plan.grid_h;
      table.grid_w = plan.grid_w;
    }
    return table.rows;
  }
  if (image.config().position != Position::kLearned) {
    return sincos_positions(table, Modality::kImage, plan.grid_h, plan.grid_w);
  }
  if (const float* own = image.own_positions(plan.grid_h, plan.grid_w)) return own;
  if (table.grid_h != plan.grid_h || table.grid_w != plan.grid_w) {
    image.interpolate(plan.grid_h, plan.grid_w, table.rows, at_.scratch, model_->engine().parallel());
    table.grid_h = plan.grid_h;
    table.grid_w = plan.grid_w;
  }
  return table.rows;
}

/// Writes the item's body to y.
void Session::tokenize(const ItemPlan& plan, float* y) {
  if (plan.body == 0) return;
  const Item& item = plan.item;
  Parallel& parallel = model_->engine().parallel();
  switch (item.format) {
    case Format::kU8Hwc:
    case Format::kF32Chw:
    case Format::kU8Thwc:
      model_->image()->run(item.format, item.data, plan.image, item.dims[0], item.dims[1],
                           image_positions(plan), at_.pixels, y, at_.scratch, parallel);
      break;
    case Format::kS16Pcm:
    case Format::kF32Pcm:
    case Format::kF32Features: {
      const float* sincos =
          at_.frames ? at_.frames : sincos_positions(at_.audio, Modality::kAudio, plan.grid_h, plan.grid_w);
      model_->audio()->run(item.format, item.data, item.dims[0], plan.audio, at_.features, sincos, y,
                           at_.scratch, parallel);
      break;
    }
    case Format::kI64Ids:
      model_->text()->run(static_cast<const int64_t*>(item.data), item.dims[0], at_.text, y, parallel);
      break;
    case Format::kF32Tokens:
      break;
  }
}

/// All items of one modality: into the packed sequence, or through the modality's encoder, which leaves them
/// there with their prefix tokens.
void Session::tokenize_all(Modality modality, int64_t count) {
  const int64_t d = model_->d_model();
  const Encoder* encoder = model_->encoder(modality);
  const Encoder::Buffers& b = at_.encoder;
  int64_t items = 0;
  const auto each = [&](auto&& visit) {
    for (int64_t i = 0; i < count; ++i) {
      const ItemPlan& plan = at_.plans[i];
      if (plan.item.modality == modality && plan.tokenized()) visit(plan);
    }
  };
  if (!encoder) {
    each([&](const ItemPlan& plan) { tokenize(plan, at_.tokens + plan.body_row() * d); });
    return;
  }
  b.cu_items[0] = 0;
  each([&](const ItemPlan& plan) {
    float* x = b.x + b.cu_items[items] * d;
    if (plan.prefix > 0) {
      std::memcpy(x, model_->prefix(modality), static_cast<size_t>(plan.prefix * d) * sizeof(float));
    }
    tokenize(plan, x + plan.prefix * d);
    b.cu_items[items + 1] = b.cu_items[items] + plan.prefix + plan.body;
    if (encoder->config().rotary) put_grid(plan, b.grid + 2 * b.cu_items[items]);
    ++items;
  });
  if (items == 0) return;
  encoder->run(items, b, at_.scratch, model_->engine().parallel());
  items = 0;
  each([&](const ItemPlan& plan) {
    const int64_t rows = plan.prefix + plan.body;
    if (rows > 0) {
      encoder->finish(b.x + b.cu_items[items] * d, rows, at_.tokens + (plan.first + plan.special) * d,
                      model_->engine().parallel());
    }
    ++items;
  });
}

void Session::set_latents(int64_t max_latents) {
  if (!model_->compressor()) {
    throw Error(Code::kInvalidArgument, "max_latents", "max_latents: the model has no compressor");
  }
  if (max_latents < 1) {
    throw Error(Code::kInvalidArgument, "max_latents",
                "max_latents: " + std::to_string(max_latents) + " is below 1");
  }
  std::fill(at_.max_latents, at_.max_latents + limits_.max_sequences, max_latents);
}

void Session::set_sequence_latents(const int64_t* max_latents, int64_t count) {
  if (count < 0) throw Error(Code::kInvalidArgument, "count", "count: negative");
  if (count > limits_.max_sequences) over_limit("count", count, "max_sequences", limits_.max_sequences);
  for (int64_t i = 0; i < count; ++i) {
    if (max_latents[i] >= 1) continue;
    const std::string field = "max_latents[" + std::to_string(i) + "]";
    throw Error(Code::kInvalidArgument, field, field + ": " + std::to_string(max_latents[i]) + " is below 1");
  }
  set_latents(model_->compressor() ? model_->compressor()->max_latents() : 1);
  std::copy(max_latents, max_latents + count, at_.max_latents);
}

void Session::attention(int64_t sequence, float* out, int64_t out_count) {
  const Compressor* compressor = model_->compressor();
  if (!compressor || sequences_ == 0) {
    throw Error(Code::kIllegalState, "session", "session: no run that gave latents");
  }
  if (sequence < 0 || sequence >= sequences_) {
    throw Error(
        Code::kInvalidArgument, "sequence",
        "sequence: " + std::to_string(sequence) + " is outside [0, " + std::to_string(sequences_ - 1) + "]");
  }
  const int64_t* t = at_.cu_seqlens + sequence;
  const int64_t* l = at_.cu_latents + sequence;
  const int64_t size = (t[1] - t[0]) * (l[1] - l[0]);
  if (out_count != size) {
    throw Error(Code::kInvalidShape, "out_count",
                "out_count: " + std::to_string(out_count) + ", the weights have " + std::to_string(size));
  }
  if (cuda_) {
    attention_of_device(t[0], t[1] - t[0], l[1] - l[0], out);
    return;
  }
  compressor->attention(compressor_input(sequences_), compressor_memory(), sequence, out,
                        model_->engine().parallel());
}

/// The host's compressor reads the sequence's tokens once more: what passes between the ops is not kept on
/// the GPU in a form that it could go on from.
void Session::attention_of_device(int64_t first, int64_t tokens, int64_t latents, float* out) {
  const Compressor& compressor = *model_->compressor();
  Parallel& parallel = model_->engine().parallel();
  AlignedArray<float> rows(checked_mul(tokens, model_->d_model(), "attention"));
  cuda_->copy_tokens(first, tokens, rows.data());
  const int64_t cu_tokens[] = {0, tokens}, cu_latents[] = {0, latents};
  const CompressorInput in{rows.data(), cu_tokens, cu_latents, 1};
  CompressorMemory memory{{tokens, 1, model_->engine().threads()}};
  AlignedArray<unsigned char> workspace(static_cast<int64_t>(compressor.workspace(memory.limits)));
  AlignedArray<unsigned char> scratch(static_cast<int64_t>(compressor.scratch(memory.limits)));
  memory.workspace = workspace.data();
  memory.scratch = scratch.data();
  compressor.prepare(memory);
  compressor.run(in, memory, parallel);
  compressor.attention(in, memory, 0, out, parallel);
}

/// Checks the whole request before any work is done; what the result says of its sizes is filled in.
void Session::accept(const ItemSource& items, int64_t count) {
  sequences_ = 0;
  if (count < 0) throw Error(Code::kInvalidArgument, "count", "count: negative");
  if (count > limits_.max_items) over_limit("count", count, "max_items", limits_.max_items);
  result_ = {};
  result_.sequences = plan(items, count);
  for (int64_t i = 0; i < count; ++i) {
    try {
      check_data(*model_, at_.plans[i]);
    } catch (const Error& e) {
      throw of_item(e, i);
    }
  }
  if (model_->head()) choose_heads(count);
  for (int64_t i = 0; i < count; ++i) {
    const ItemPlan& plan = at_.plans[i];
    result_.tokens_count = plan.first + plan.rows();
    at_.cu_seqlens[plan.item.sequence + 1] = result_.tokens_count;
  }
  result_.cu_seqlens = at_.cu_seqlens;
  if (const Compressor* compressor = model_->compressor()) {
    for (int64_t s = 0; s < result_.sequences; ++s) {
      const int64_t latents =
          compressor->latents(at_.cu_seqlens[s + 1] - at_.cu_seqlens[s], at_.max_latents[s]);
      at_.cu_latents[s + 1] = at_.cu_latents[s] + latents;
    }
    result_.latents_count = at_.cu_latents[result_.sequences];
    result_.cu_latents = at_.cu_latents;
  }
}

/// Where every token comes from.
void Session::describe_all(int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const ItemPlan& plan = at_.plans[i];
    describe(*model_, plan, i, at_.table);
    write_positions(*model_, plan, at_.table.span + 2 * plan.first, at_.table.position + 3 * plan.first);
  }
  result_.table = at_.table;
}

void Session::compute(int64_t count) {
  Stopwatch watch;
  tokenize_all(Modality::kImage, count);
  result_.times.image = watch.lap();
  tokenize_all(Modality::kAudio, count);
  result_.times.audio = watch.lap();
  tokenize_all(Modality::kText, count);
  result_.times.text = watch.lap();
  PackArgs pack;
  pack.segments = at_.segments;
  pack.dim = pack.ldy = model_->d_model();
  pack.y = at_.tokens;
  for (int64_t i = 0; i < count; ++i) {
    pack.segment_count += add_segments(*model_, at_.plans[i], at_.tokens, at_.segments + pack.segment_count);
  }
  describe_all(count);
  pack_cpu(pack, model_->engine().parallel());
  tokens_ = at_.tokens;
  if (order_ != TokenOrder::kItems) reorder(result_, count);
  result_.tokens = tokens_;
  result_.times.pack = watch.lap();
  if (const Compressor* compressor = model_->compressor()) {
    result_.latents = compressor->run(compressor_input(result_.sequences), compressor_memory(),
                                      model_->engine().parallel());
    result_.times.latents = watch.lap();
  }
  if (adapter_ || model_->head()) {
    finish_rows(result_);
    result_.times.embedding = watch.lap();
  }
}

void Session::start(const ItemSource& items, int64_t count) {
  started_ = std::chrono::steady_clock::now();
  accept(items, count);
  if (!cuda_) {
    compute(count);
    return;
  }
  CudaSession::Request request;
  request.plans = at_.plans;
  request.count = count;
  request.sequences = result_.sequences;
  request.cu_seqlens = result_.cu_seqlens;
  request.cu_latents = result_.cu_latents;
  request.head = at_.head;
  if (order_ == TokenOrder::kItems) {
    cuda_->start(request);
    describe_all(count);  // while the device computes
    return;
  }
  describe_all(count);
  request.runs = ordered_.runs;
  request.run_count = order_runs(count);
  cuda_->start(request);
  sns::reorder(request.runs, request.run_count, at_.table, ordered_.table);
  result_.table = ordered_.table;
}

bool Session::poll() { return !cuda_ || cuda_->poll(); }

Result Session::finish() {
  if (cuda_ && !cuda_->keeps_on_device()) {
    cuda_->wait();
    result_.tokens = cuda_->host_output().tokens;
    result_.latents = cuda_->host_output().latents;
    result_.embedding = cuda_->host_output().embedding;
  }
  sequences_ = result_.sequences;
  result_.times.total =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - started_)
          .count();
  return result_;
}

Result Session::run(const ItemSource& items, int64_t count) {
  start(items, count);
  return finish();
}

}  // namespace sns
