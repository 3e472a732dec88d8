#include "pipeline/cuda/session.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "pipeline/positions.h"

namespace sns {
namespace {

constexpr int kGraphs = 16;
constexpr int64_t kDataAlign = 256;
/// Requests whose items are larger together go to the device in waves, without a graph.
constexpr int64_t kMostStaged = int64_t{32} << 20;
/// How long wait() asks before it blocks: a few times what the wake-up from blocking costs.
constexpr std::chrono::microseconds kSpin{100};

constexpr int64_t kFloat = sizeof(float);

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

int64_t bucket_of_bytes(int64_t bytes) { return kDataAlign * bucket(ceil_div(bytes, kDataAlign)); }

bool is_sound(Format f) { return f == Format::kS16Pcm || f == Format::kF32Pcm || f == Format::kF32Features; }

}  // namespace

/// What the modality's sine-cosine positions carry.
const float* CudaSession::added(Modality m, bool on_device) const {
  if (weights_.encoder(m)) return nullptr;
  return on_device ? weights_.rows(m).modality : model_.modality(m);
}

CudaSession::CudaSession(std::shared_ptr<const Model> model, const SessionLimits& limits)
    : owner_(std::move(model)),
      model_(*owner_),
      weights_(*model_.cuda()),
      limits_(limits),
      sizes_{limits.max_items, limits.max_tokens, limits.max_sequences},
      stream_(entered(weights_.device())),
      graphs_(weights_.device(), kGraphs, key_size()),
      key_(key_size()),
      layout_(3 + 5 * limits.max_items),
      cu_items_host_(limits.max_items + 1) {
  const CudaDevicePtr& device = weights_.device();
  if (const CudaImage* image = weights_.image()) {
    pictures_.emplace(*image, device, limits, added(Modality::kImage, true));
  }
  if (const CudaAudio* audio = weights_.audio()) {
    sounds_.emplace(*audio, device, limits, added(Modality::kAudio, false), added(Modality::kAudio, true));
  }
  if (model_.text() && model_.text()->config().position == Position::kSinCos) {
    const int64_t rows = std::min(limits.max_tokens, model_.text()->config().max_tokens),
                  d = model_.d_model();
    AlignedArray<float> table(checked_mul(rows, d, "max_tokens"));
    sincos_1d(rows, d, added(Modality::kText, false), table.data());
    text_positions_ = CudaArray<float>(device, table.data(), table.size());
  }
  if (const CudaCompressor* compressor = weights_.compressor()) compression_ = compressor->session();

  Carver size(nullptr);
  lay_out(size);
  workspace_ = CudaBlock(device, CudaBlock::Place::kDevice, static_cast<int64_t>(size.bytes()));
  Carver carver(workspace_.data());
  at_ = lay_out(carver);
  const int64_t staging = checked_add(parcel_bytes(), staging_bytes(), "max_pixels");
  staging_ = CudaBlock(device, CudaBlock::Place::kHost, staging);
  in_ = CudaBlock(device, CudaBlock::Place::kDevice, staging);
  Carver results_size(nullptr);
  lay_out_results(results_size);
  out_ = CudaBlock(device, CudaBlock::Place::kHost, static_cast<int64_t>(results_size.bytes()));
  Carver results(out_.data());
  host_output_ = lay_out_results(results);

  const size_t items = static_cast<size_t>(limits.max_items);
  order_.resize(items);
  batches_.resize(items);
  picture_items_.resize(items);
  sound_items_.resize(items);
  extras_.resize(items, DeviceBlock(nullptr, nullptr));
  stream_.check(device->runtime().event_create(&event_), "event");
}

CudaSession::~CudaSession() {
  const sns_cuda_runtime& runtime = stream_.device().runtime();
  runtime.use_device(stream_.device().index());
  runtime.stream_synchronize(stream_.get());
  runtime.event_destroy(event_);
}

CudaSession::Pieces CudaSession::lay_out(Carver& carver) const {
  const CudaDevice& device = stream_.device();
  const int64_t d = model_.d_model(), tokens = limits_.max_tokens;
  const auto take = [&](int64_t width) {
    return carver.take<float>(checked_mul(tokens, width, "max_tokens"));
  };
  Pieces p;
  p.tokens = take(d);
  int64_t scratch = 0;
  float *normed = nullptr, *qkv = nullptr;
  bool first = true;
  for (int m = 0; m < kModalities; ++m) {
    const CudaEncoder* encoder = weights_.encoder(static_cast<Modality>(m));
    if (!encoder) continue;
    if (first) {
      normed = take(d);
      qkv = take(checked_mul(3, d, "d_model"));
      first = false;
    }
    p.encoder[m] = {take(d), normed, qkv};
    if (encoder->config().rotary) p.encoder[m].turns = take(encoder->head_dim());
    scratch = std::max(scratch, encoder->scratch(device, sizes_));
  }
  if (pictures_) {
    const_cast<CudaPictures&>(*pictures_).lay_out(carver);
  }
  if (sounds_) {
    const_cast<CudaSounds&>(*sounds_).lay_out(carver);
    scratch = std::max(scratch, sounds_->scratch());
  }
  if (compression_) {
    compression_->lay_out(carver, sizes_);
    scratch = std::max(scratch, compression_->scratch(device, sizes_));
  }
  if (const CudaHead* head = weights_.head()) p.head = head->lay_out(carver, limits_.max_sequences);
  p.scratch = {carver.take<unsigned char>(scratch), scratch};
  return p;
}

CudaSession::Output CudaSession::lay_out_results(Carver& carver) const {
  Output o;
  o.tokens = carver.take<float>(checked_mul(limits_.max_tokens, model_.d_model(), "max_tokens"));
  if (const Compressor* c = model_.compressor()) {
    const int64_t rows = checked_mul(limits_.max_sequences, c->max_latents(), "max_sequences");
    o.latents = carver.take<float>(checked_mul(rows, c->dim(), "max_sequences"));
  }
  if (const Head* head = model_.head()) {
    o.embedding = carver.take<float>(checked_mul(limits_.max_sequences, head->config().dim, "max_sequences"));
  }
  return o;
}

int64_t CudaSession::parcel_bytes() const {
  constexpr int64_t kArrays = 5 + 2 * kModalities;
  const int64_t offsets = (limits_.max_sequences + 1) * 2 + (limits_.max_items + 1) * kModalities;
  const int64_t segments = limits_.max_items * (kSegmentsPerItem + 2) + limits_.max_tokens;
  // Every text and every run of finished tokens may be a batch of its own.
  const int64_t rows =
      static_cast<int64_t>(std::max(sizeof(PackSegment), sizeof(EmbedCudaItem) + kAlign) + kAlign);
  return kArrays * static_cast<int64_t>(kAlign) + offsets * static_cast<int64_t>(sizeof(int64_t)) +
         segments * static_cast<int64_t>(sizeof(PackSegment)) + limits_.max_items * rows + grid_bytes() +
         (pictures_ ? pictures_->parcel_bytes() : 0) + (sounds_ ? sounds_->parcel_bytes() : 0) +
         (compression_ ? compression_->parcel_bytes(sizes_) : 0) +
         (weights_.head() ? CudaHead::parcel_bytes(limits_.max_sequences) : 0) + kDataAlign;
}

/// Of the rows and columns by which rotary encoders turn.
int64_t CudaSession::grid_bytes() const {
  int64_t bytes = 0;
  for (int m = 0; m < kModalities; ++m) {
    const CudaEncoder* encoder = weights_.encoder(static_cast<Modality>(m));
    if (!encoder || !encoder->config().rotary) continue;
    bytes += limits_.max_tokens * static_cast<int64_t>(2 * sizeof(int32_t)) + static_cast<int64_t>(kAlign);
  }
  return bytes;
}

/// Enough for the largest item, and for a whole request of usual size.
int64_t CudaSession::staging_bytes() const {
  int64_t largest =
      checked_mul(limits_.max_tokens, std::max<int64_t>(model_.d_model() * kFloat, 8), "max_tokens");
  if (const ImageTokenizer* image = model_.image()) {
    const PatchGeometry& g = image->config().geometry;  // floats of one frame or bytes of all
    largest = std::max(
        largest, checked_mul(limits_.max_pixels, g.channels * std::max(kFloat, g.frames), "max_pixels"));
    largest = checked_add(bucket_of_bytes(largest), pictures_->most_extra_bytes() + kDataAlign, "max_pixels");
  }
  if (const AudioTokenizer* audio = model_.audio()) {
    largest = std::max(largest, checked_mul(limits_.max_samples, kFloat, "max_samples"));
    const int64_t mels = audio->config().log_mel.n_mels;
    const int64_t frames = audio->max_used_frames(limits_.max_tokens);
    largest = std::max(largest, checked_mul(frames, mels * kFloat, "max_samples"));
  }
  largest = bucket_of_bytes(largest + kDataAlign);
  return std::min(checked_mul(largest, limits_.max_items, "max_items"), std::max(largest, kMostStaged));
}

void* CudaSession::inbox(int64_t bytes) {
  if (inbox_size_ < bytes) {
    stream_.device().enter();
    wait();
    graphs_.clear();  // they may read the one before
    inbox_size_ = 0;
    inbox_ = CudaBlock();
    // What is copied of an item may end past it: by a quarter at most, or 15 pieces.
    const int64_t more = bytes / 4 + 16 * kDataAlign;
    inbox_ = CudaBlock(stream_.device_pointer(), CudaBlock::Place::kHost, checked_add(bytes, more, "bytes"));
    inbox_size_ = bytes;
  }
  return inbox_.data();
}

/// What is copied of the item from its place in the inbox, 0 if it lies elsewhere: what follows it may come
/// along.
int64_t CudaSession::inbox_bytes(const ItemPlan& plan) const {
  const auto at = reinterpret_cast<uintptr_t>(plan.item.data);
  const auto begin = reinterpret_cast<uintptr_t>(inbox_.data()),
             end = begin + static_cast<uintptr_t>(inbox_size_);
  const bool inside = inbox_size_ > 0 && at >= begin && at + static_cast<uintptr_t>(plan.item.bytes) <= end;
  return inside ? bucket_of_bytes(staged_bytes(plan)) : 0;
}

void CudaSession::reserve_order() {
  if (ordered_.size() > 0) return;
  stream_.device().enter();
  ordered_ = CudaBlock(stream_.device_pointer(), CudaBlock::Place::kDevice,
                       limits_.max_tokens * model_.d_model() * kFloat);
}

void CudaSession::set_adapter(std::shared_ptr<const Adapter> adapter, int64_t max_rows) {
  if (adapter && (!adapter->cuda() || adapter->cuda()->device() != stream_.device_pointer())) {
    throw Error(Code::kInvalidArgument, "adapter",
                "adapter: made by another engine than the session's, whose GPU has no copy of it");
  }
  stream_.device().enter();
  wait();
  graphs_.clear();  // they read the one before
  adapter_.reset();
  adapted_ = CudaBlock();
  if (!adapter) return;
  const int64_t width = adapter->config().d, scratch = adapter->cuda()->scratch(max_rows);
  Carver size(nullptr);
  size.take<float>(checked_mul(max_rows, width, "adapter"));
  size.take<unsigned char>(scratch);
  adapted_ =
      CudaBlock(stream_.device_pointer(), CudaBlock::Place::kDevice, static_cast<int64_t>(size.bytes()));
  Carver carver(adapted_.data());
  carver.take<float>(max_rows * width);
  adapter_scratch_ = {carver.take<unsigned char>(scratch), scratch};
  adapter_ = std::move(adapter);
}

void CudaSession::use_stream(void* stream) {
  stream_.device().enter();
  wait();
  stream_.borrow(stream);
}

void CudaSession::wait_event(void* event) {
  stream_.device().enter();
  stream_.check(stream_.device().runtime().stream_wait(stream_.get(), event), "event");
}

/// Of the item's data what is read: finished features may be more than are used.
int64_t CudaSession::staged_bytes(const ItemPlan& plan) const {
  if (plan.item.format != Format::kF32Features) return plan.item.bytes;
  return CudaSounds::frames(plan) * plan.item.dims[1] * kFloat;
}

/// Whether every item of its kind has so many rows.
bool CudaSession::fixed(const ItemPlan& plan) const {
  if (is_image(plan.item.format)) return pictures_->fixed(plan);
  return is_sound(plan.item.format) && sounds_->fixed();
}

/// All that decides which work a request is and at which addresses; the rest is data.
int64_t CudaSession::make_key(const Request& r) {
  int64_t n = 0;
  const auto add = [&](std::initializer_list<int64_t> numbers) {
    for (const int64_t number : numbers) key_[n++] = number;
  };
  add({r.count, r.sequences, keep_, run_count_, longest_run_, data_begin_, data_end_, segment_count_});
  add({input_.cu_tokens.rows, input_.cu_tokens.longest, input_.cu_latents.rows, input_.cu_latents.longest,
       input_.empty});
  for (int m = 0; m < kModalities; ++m) {
    add({cu_items_[m].count, cu_items_[m].rows, cu_items_[m].longest});
  }
  if (weights_.head()) {
    for (const int64_t first : at_.head.order.first) add({first});
  }
  if (compression_) {
    const CudaCompression::Key key = compression_->key();
    for (int64_t i = 0; i < key.count; ++i) add({key.numbers[i]});
  }
  for (int64_t i = 0; i < batch_count_; ++i) {
    const Batch& b = batches_[static_cast<size_t>(i)];
    add({static_cast<int64_t>(b.format), b.count, b.staged_end, b.end, b.texts.max_rows, b.rows.max_count});
    if (is_image(b.format)) {
      for (const int64_t number : b.pictures.key()) add({number});
    }
    if (is_sound(b.format)) {
      for (const int64_t number : b.sounds.key()) add({number});
    }
  }
  for (int64_t i = 0; i < items_count_; ++i) {
    const Staged& s = order_[static_cast<size_t>(i)];
    if (s.inbox_bytes > 0) add({i, s.offset, s.inbox_bytes});
  }
  return n;
}

void CudaSession::put_offsets(const Request& r) {
  input_ = {};
  input_.tokens = r.runs ? static_cast<const float*>(ordered_.data()) : at_.tokens;
  const int64_t most = limits_.max_tokens;
  Rows all, sequence;
  int64_t longest = 0;
  for (int64_t i = 0; i < r.count; ++i) {
    const ItemPlan& plan = r.plans[i];
    if (i == 0 || plan.item.sequence != r.plans[i - 1].item.sequence) sequence = {};
    for (Rows* rows : {&all, &sequence}) rows->add(plan.body, fixed(plan), plan.rows() - plan.body);
    longest = std::max(longest, sequence.most(most));
  }
  input_.cu_tokens = sns::put_offsets(parcel_, r.cu_seqlens, r.sequences, all.most(most), longest);
  for (int64_t s = 0; s < r.sequences; ++s) input_.empty += r.cu_seqlens[s] == r.cu_seqlens[s + 1];
  if (r.cu_latents) {
    longest = 0;
    for (int64_t s = 0; s < r.sequences; ++s) {
      longest = std::max(longest, r.cu_latents[s + 1] - r.cu_latents[s]);
    }
    const int64_t one = model_.compressor()->max_latents();
    input_.cu_latents =
        sns::put_offsets(parcel_, r.cu_latents, r.sequences,
                         bucket(r.cu_latents[r.sequences], r.sequences * one), bucket(longest, one));
  }
  for (int m = 0; m < kModalities; ++m) {
    if (!weights_.encoder(static_cast<Modality>(m))) continue;
    int64_t* cu = cu_items_host_.data();
    int64_t items = 0;
    cu[0] = 0;
    all = {};
    longest = 0;
    for (int64_t i = 0; i < r.count; ++i) {
      const ItemPlan& plan = r.plans[i];
      if (static_cast<int>(plan.item.modality) != m || !plan.tokenized()) continue;
      cu[items + 1] = cu[items] + plan.prefix + plan.body;
      ++items;
      Rows item;
      for (Rows* rows : {&all, &item}) rows->add(plan.body, fixed(plan), plan.prefix);
      longest = std::max(longest, item.most(most));
    }
    cu_items_[m] = sns::put_offsets(parcel_, cu, items, all.most(most), longest);
    if (!weights_.encoder(static_cast<Modality>(m))->config().rotary) continue;
    int32_t* grid = parcel_.take(2 * cu_items_[m].rows, &at_.encoder[m].grid);
    for (int64_t i = 0; i < r.count; ++i) {
      const ItemPlan& plan = r.plans[i];
      if (static_cast<int>(plan.item.modality) == m && plan.tokenized()) grid = put_grid(plan, grid);
    }
  }
}

/// The items modality by modality, where each one's body goes, and how the packed sequence is put together.
void CudaSession::put_segments(const Request& r) {
  const int64_t d = model_.d_model();
  PackSegment* const segments = parcel_.take(r.count * kSegmentsPerItem, &segments_);
  segment_count_ = items_count_ = 0;
  PackSegment* prefixes[kModalities] = {};
  int64_t encoded[kModalities] = {};
  for (int m = 0; m < kModalities; ++m) {
    prefix_count_[m] = 0;
    if (cu_items_[m].count > 0 && weights_.rows(static_cast<Modality>(m)).prefix) {
      prefixes[m] = parcel_.take(2 * cu_items_[m].count, &prefixes_[m]);
    }
  }
  int64_t landed = 0;
  bool moves = false;
  const auto add = [&](const float* rows, int64_t count, const float* modality) {
    moves = moves || modality || rows != at_.tokens + landed * d;
    landed += count;
    segments[segment_count_++] = {rows, d, count, modality, nullptr};
  };
  for (int m = 0; m < kModalities; ++m) {
    for (int64_t i = 0; i < r.count; ++i) {
      if (static_cast<int>(r.plans[i].item.modality) == m)
        order_[static_cast<size_t>(items_count_++)].plan = &r.plans[i];
    }
  }
  for (int64_t i = 0; i < r.count; ++i) {
    const ItemPlan& plan = r.plans[i];
    const int m = static_cast<int>(plan.item.modality);
    const CudaModel::Rows& rows = weights_.rows(plan.item.modality);
    if (plan.special > 0) add(rows.begin, plan.special, nullptr);
    if (plan.tokenized() && weights_.encoder(plan.item.modality)) {
      add(at_.encoder[m].x + cu_items_[m].host[encoded[m]++] * d, plan.prefix + plan.body, rows.modality);
    } else {
      if (plan.prefix > 0) add(rows.prefix, plan.prefix, nullptr);
      add(at_.tokens + plan.body_row() * d, plan.body, plan.tokenized() ? nullptr : rows.modality);
    }
    if (plan.special > 0) add(rows.end, plan.special, nullptr);
  }
  if (!moves) segment_count_ = 0;  // every row is where it belongs
  std::fill(encoded, encoded + kModalities, 0);
  for (int64_t i = 0; i < items_count_; ++i) {
    Staged& s = order_[static_cast<size_t>(i)];
    const ItemPlan& plan = *s.plan;
    const int m = static_cast<int>(plan.item.modality);
    s.y = at_.tokens + plan.body_row() * d;
    if (!plan.tokenized() || !weights_.encoder(plan.item.modality)) continue;
    float* x = at_.encoder[m].x + cu_items_[m].host[encoded[m]++] * d;
    s.y = x + plan.prefix * d;
    if (!prefixes[m]) continue;
    prefixes[m][prefix_count_[m]++] = {weights_.rows(plan.item.modality).prefix, d, plan.prefix, nullptr,
                                       nullptr};
    prefixes[m][prefix_count_[m]++] = {s.y, d, plan.body, nullptr, nullptr};
  }
}

/// The packed rows once more, run by run; empty runs fill up their number.
void CudaSession::put_order(const Request& r) {
  run_count_ = longest_run_ = 0;
  if (!r.runs || r.run_count == 0) return;
  const int64_t d = model_.d_model();
  run_count_ = bucket(r.run_count, limits_.max_tokens);
  PackSegment* const segments = parcel_.take(run_count_, &runs_);
  for (int64_t i = 0; i < run_count_; ++i) {
    const TokenRun run = i < r.run_count ? r.runs[i] : TokenRun();
    segments[i] = {at_.tokens + run.first * d, d, run.count, nullptr, nullptr};
    longest_run_ = std::max(longest_run_, run.count);
  }
  longest_run_ = bucket(longest_run_);
}

/// Runs of one format that fit into the session's memory together.
void CudaSession::make_batches() {
  batch_count_ = 0;
  waves_ = false;
  Batch* b = nullptr;
  int64_t used = 0, staged = 0, boxed = 0;  // rows or pixels of the batch, its bytes, those from the inbox
  int64_t end = 0;                          // of the batch before
  const int64_t capacity = staging_.size() - parcel_bytes();
  for (int64_t i = 0; i < items_count_; ++i) {
    Staged& s = order_[static_cast<size_t>(i)];
    const ItemPlan& plan = *s.plan;
    const Format format = plan.item.format;
    const ItemPlan* before = b && b->format == format ? order_[static_cast<size_t>(i - 1)].plan : nullptr;
    s.inbox_bytes = inbox_bytes(plan);
    const int64_t data = s.inbox_bytes > 0 ? 0 : round_up(staged_bytes(plan), kDataAlign);
    const auto bytes = [&](const ItemPlan* previous) {
      return data + (is_image(format) ? round_up(pictures_->extra_bytes(plan, previous), kDataAlign) : 0);
    };
    bool fresh = !before;
    if (before && is_image(format)) fresh = !pictures_->room(used, plan);
    if (before && is_sound(format)) fresh = !sounds_->room(used, plan);
    const int64_t begin = fresh ? end : b->begin;
    const bool wave = begin + bucket_of_bytes((fresh ? 0 : staged) + bytes(fresh ? nullptr : before)) +
                          (fresh ? 0 : boxed) + s.inbox_bytes >
                      capacity;
    if (wave) {
      fresh = waves_ = true;
      end = 0;
    }
    if (fresh) {
      b = &batches_[static_cast<size_t>(batch_count_++)];
      *b = {};
      b->format = format;
      b->first = i;
      b->wave = wave;
      b->begin = end;
      used = staged = boxed = 0;
    }
    s.offset = s.inbox_bytes > 0 ? boxed : b->begin + staged;
    s.extra_offset = b->begin + staged + data;
    staged += bytes(fresh ? nullptr : before);
    boxed += s.inbox_bytes;
    b->staged_end = b->begin + bucket_of_bytes(staged);
    b->end = end = b->staged_end + boxed;
    ++b->count;
    if (is_image(format)) used += pictures_->pixel_bytes(plan);
    if (is_sound(format)) used += sounds_->rows(plan);
  }
  for (int64_t n = 0; n < batch_count_; ++n) {
    const Batch& batch = batches_[static_cast<size_t>(n)];
    for (int64_t i = batch.first; i < batch.first + batch.count; ++i) {
      Staged& s = order_[static_cast<size_t>(i)];
      if (s.inbox_bytes > 0) s.offset += batch.staged_end;
    }
  }
}

/// Room for the arrays of texts and of finished tokens.
void CudaSession::reserve_rows(Batch& b) {
  int64_t count = 0, longest = 0;
  for (int64_t i = b.first; i < b.first + b.count; ++i) {
    count += order_[static_cast<size_t>(i)].plan->body;
    longest = std::max(longest, order_[static_cast<size_t>(i)].plan->body);
  }
  const int64_t d = model_.d_model();
  if (b.format == Format::kF32Tokens) {
    b.rows_host = parcel_.take(b.count, &b.rows.segments);
    b.rows.segment_count = b.count;
    b.rows.dim = b.rows.ldy = d;
    b.rows.max_count = bucket(longest, limits_.max_tokens);
    return;
  }
  const CudaModel::Text& text = *weights_.text();
  b.texts.table = text.table.data();
  b.texts.dim = b.texts.ldy = d;
  b.texts.position = text_positions_.data() ? text_positions_.data() : text.position.data();
  b.texts_host = parcel_.take(b.count, &b.texts.items);
  b.texts.count = b.count;
  *parcel_.take<int64_t>(1, &b.texts.rows) = count;
  b.texts.max_rows = bucket(count, limits_.max_tokens);
}

/// Gives every item its place and fills the batches' arrays. Nothing of the items is read yet.
void CudaSession::place_items() {
  for (int64_t n = 0; n < batch_count_; ++n) {
    Batch& b = batches_[static_cast<size_t>(n)];
    if (is_image(b.format)) {
      b.pictures.format = b.format;
      b.pictures.pictures = &picture_items_[static_cast<size_t>(b.first)];
      b.pictures.count = b.count;
      for (int64_t i = 0; i < b.count; ++i) {
        b.pictures.pictures[i] = {};
        b.pictures.pictures[i].plan = order_[static_cast<size_t>(b.first + i)].plan;
      }
      pictures_->reserve(parcel_, b.pictures);
    } else if (is_sound(b.format)) {
      b.sounds.format = b.format;
      b.sounds.sounds = &sound_items_[static_cast<size_t>(b.first)];
      b.sounds.count = b.count;
      for (int64_t i = 0; i < b.count; ++i) {
        sound_items_[static_cast<size_t>(b.first + i)].plan = order_[static_cast<size_t>(b.first + i)].plan;
      }
      sounds_->reserve(parcel_, b.sounds);
    } else {
      reserve_rows(b);
    }
  }
  if (compression_) compression_->put(input_, parcel_);
  data_begin_ = round_up(static_cast<int64_t>(parcel_.bytes()), kDataAlign);
  data_end_ = data_begin_ + (batch_count_ > 0 ? batches_[static_cast<size_t>(batch_count_ - 1)].end : 0);
  for (int64_t n = 0; n < batch_count_; ++n) {
    Batch& b = batches_[static_cast<size_t>(n)];
    int64_t row = 0;
    for (int64_t i = b.first; i < b.first + b.count; ++i) {
      const Staged& s = order_[static_cast<size_t>(i)];
      const void* data = in(data_begin_ + s.offset);
      if (is_image(b.format)) {
        CudaPicture& p = picture_items_[static_cast<size_t>(i)];
        p.data = data;
        p.y = s.y;
        p.tables = in(data_begin_ + s.extra_offset);
        extras_[static_cast<size_t>(i)] =
            DeviceBlock(staging(data_begin_ + s.extra_offset), in(data_begin_ + s.extra_offset));
      } else if (is_sound(b.format)) {
        CudaSound& sound = sound_items_[static_cast<size_t>(i)];
        sound.data = data;
        sound.y = s.y;
      } else if (b.rows_host) {
        b.rows_host[i - b.first] = {
            static_cast<const float*>(data), model_.d_model(), s.plan->body, nullptr, nullptr, s.y};
      } else {
        b.texts_host[i - b.first] = {static_cast<const int64_t*>(data), s.y, row};
        row += s.plan->body;
      }
    }
    if (is_sound(b.format)) sounds_->fill(b.sounds);
    if (is_image(b.format)) pictures_->fill(b.pictures);
  }
}

/// The batch's bytes, into the staging memory.
void CudaSession::stage(Batch& b) {
  for (int64_t i = b.first; i < b.first + b.count; ++i) {
    const Staged& s = order_[static_cast<size_t>(i)];
    const Item& item = s.plan->item;
    const int64_t bytes = staged_bytes(*s.plan);
    if (bytes > 0 && s.inbox_bytes == 0) {
      std::memcpy(staging(data_begin_ + s.offset), item.data, static_cast<size_t>(bytes));
    }
  }
  if (is_image(b.format) && !same_layout_) {
    pictures_->stage(b.pictures, &extras_[static_cast<size_t>(b.first)]);
  }
}

/// Whether all items are of the sizes and at the places of the request before, whose tables (of resizes and
/// positions, whose making takes longer than what the GPU does with them) are still there.
bool CudaSession::remember_layout(int64_t size_before) {
  int64_t n = 0;
  bool same = !waves_ && size_before > 0;
  const auto add = [&](std::initializer_list<int64_t> numbers) {
    for (const int64_t number : numbers) {
      same = same && layout_[n] == number;
      layout_[n++] = number;
    }
  };
  add({data_begin_, data_end_, items_count_});
  for (int64_t i = 0; i < items_count_; ++i) {
    const Staged& s = order_[static_cast<size_t>(i)];
    const Item& item = s.plan->item;
    add({static_cast<int64_t>(item.format), item.dims[0], item.dims[1], s.offset, s.extra_offset});
  }
  same = same && size_before == n;
  layout_size_ = waves_ ? 0 : n;
  return same;
}

void CudaSession::run(const Batch& b) {
  if (is_image(b.format)) return pictures_->run(stream_, b.pictures);
  if (is_sound(b.format)) return sounds_->run(stream_, b.sounds, at_.scratch);
  if (b.texts.max_rows > 0) stream_.check(stream_.ops().embed(b.texts, stream_.get()), "embed");
  if (b.rows.max_count > 0) stream_.check(stream_.ops().pack(b.rows, stream_.get()), "pack");
}

void CudaSession::encode(Modality modality) {
  const int m = static_cast<int>(modality);
  const CudaEncoder* encoder = weights_.encoder(modality);
  if (!encoder || cu_items_[m].count == 0) return;
  const int64_t d = model_.d_model();
  if (prefix_count_[m] > 0) {
    stream_.check(
        stream_.ops().pack({prefixes_[m], prefix_count_[m], d, at_.encoder[m].x, d, cu_items_[m].longest},
                           stream_.get()),
        "pack");
  }
  encoder->run(stream_, cu_items_[m], at_.encoder[m], at_.scratch);
}

void CudaSession::copy_results() {
  const auto out = [&](const float* to, const float* from, int64_t count) {
    stream_.copy_out(const_cast<float*>(to), from, count * kFloat);
  };
  out(host_output_.tokens, device_output_.tokens, input_.cu_tokens.rows * model_.d_model());
  if (compression_) {
    out(host_output_.latents, device_output_.latents, input_.cu_latents.rows * model_.compressor()->dim());
  }
  if (const Head* head = model_.head()) {
    out(host_output_.embedding, device_output_.embedding, input_.cu_tokens.count * head->config().dim);
  }
}

/// The parcel, and unless they come in waves the items: at once, but for the gaps where the inbox's go.
void CudaSession::copy_staged() {
  int64_t begin = 0, end = data_begin_;
  for (int64_t n = 0; n < (waves_ ? 0 : batch_count_); ++n) {
    const Batch& b = batches_[static_cast<size_t>(n)];
    end = data_begin_ + b.staged_end;
    if (b.staged_end == b.end) continue;
    stream_.copy_in(in(begin), staging(begin), end - begin);
    begin = end = data_begin_ + b.end;
  }
  stream_.copy_in(in(begin), staging(begin), end - begin);
}

/// Everything that the device does for the request.
void CudaSession::enqueue(bool copies) {
  if (copies) copy_staged();
  for (int64_t n = 0; n < batch_count_; ++n) {
    Batch& b = batches_[static_cast<size_t>(n)];
    if (waves_) {
      if (b.wave) stream_.synchronize();  // what was staged before has been read
      stage(b);
      stream_.copy_in(in(data_begin_ + b.begin), staging(data_begin_ + b.begin), b.staged_end - b.begin);
    }
    for (int64_t i = b.first; copies && i < b.first + b.count; ++i) {
      const Staged& s = order_[static_cast<size_t>(i)];
      stream_.copy_in(in(data_begin_ + s.offset), s.plan->item.data, s.inbox_bytes);
    }
    run(b);
  }
  for (int m = 0; m < kModalities; ++m) encode(static_cast<Modality>(m));
  if (segment_count_ > 0) {
    const int64_t d = model_.d_model();
    stream_.check(stream_.ops().pack({segments_, segment_count_, d, at_.tokens, d, input_.cu_tokens.longest},
                                     stream_.get()),
                  "pack");
  }
  if (run_count_ > 0) {
    const int64_t d = model_.d_model();
    stream_.check(
        stream_.ops().pack({runs_, run_count_, d, static_cast<float*>(ordered_.data()), d, longest_run_},
                           stream_.get()),
        "pack");
  }
  device_output_ = {input_.tokens, nullptr, nullptr};
  if (compression_) device_output_.latents = compression_->run(stream_, input_, at_.scratch);
  const float*& rows = compression_ ? device_output_.latents : device_output_.tokens;
  if (adapter_) {
    const int64_t count = compression_ ? input_.cu_latents.rows : input_.cu_tokens.rows;
    auto* const adapted = static_cast<float*>(adapted_.data());
    adapter_->cuda()->run(stream_, rows, count, adapted, adapter_scratch_);
    rows = adapted;
  }
  if (const CudaHead* head = weights_.head()) {
    head->run(stream_, rows, at_.head);
    device_output_.embedding = at_.head.embedding;
  }
  if (copies && !keep_) copy_results();
}

void CudaSession::start(const Request& r) {
  const sns_cuda_runtime& runtime = stream_.device().runtime();
  stream_.device().enter();
  wait();  // for the staging memory
  for (int64_t i = 0; i < r.count; ++i) {
    if (!is_image(r.plans[i].item.format) || pictures_->fits(r.plans[i])) continue;
    const std::string field = "items[" + std::to_string(i) + "].height";
    throw Error(Code::kLimitExceeded, field,
                field + ": too long and narrow for a session of " + std::to_string(limits_.max_pixels) +
                    " max_pixels",
                limits_.max_pixels);
  }
  // A request that fails on its way has written over what was staged, and is not compared with.
  const int64_t layout_size = std::exchange(layout_size_, 0);
  parcel_ = DeviceBlock(staging_.data(), in_.data());
  put_offsets(r);
  put_segments(r);
  put_order(r);
  make_batches();
  if (const CudaHead* head = weights_.head()) {
    head->put(parcel_, r.cu_latents ? input_.cu_latents : input_.cu_tokens, r.head, at_.head);
  }
  place_items();
  same_layout_ = remember_layout(layout_size);
  CudaGraphs::Entry* entry = nullptr;
  bool seen = false;
  if (!waves_) {
    for (int64_t n = 0; n < batch_count_; ++n) stage(batches_[static_cast<size_t>(n)]);
    entry = &graphs_.find(key_.data(), make_key(r), &seen);
  }
  if (entry && seen && !entry->graph) {
    void* const borrowed = stream_.borrowed();
    stream_.borrow(nullptr);  // a caller's stream may be one that cannot be captured
    try {
      stream_.check(runtime.capture_begin(stream_.get()), "graph");
      enqueue(true);
      stream_.check(runtime.capture_end(stream_.get(), &entry->graph), "graph");
    } catch (...) {
      void* graph = nullptr;
      runtime.capture_end(stream_.get(), &graph);
      if (graph) runtime.graph_destroy(graph);
      stream_.borrow(borrowed);
      throw;
    }
    stream_.borrow(borrowed);
  }
  if (entry && entry->graph) {
    for (int64_t i = 0; i < items_count_; ++i) {
      const Staged& s = order_[static_cast<size_t>(i)];
      if (s.inbox_bytes == 0) continue;
      const void* const data = s.plan->item.data;
      stream_.check(runtime.graph_copy_from(entry->graph, in(data_begin_ + s.offset), data), "graph");
    }
    stream_.check(runtime.graph_launch(entry->graph, stream_.get()), "graph");
  } else {
    enqueue(true);
  }
  // A graph does not say where its tokens lie, and requests in another order have others.
  if (compression_ || !adapter_) device_output_.tokens = input_.tokens;
  stream_.check(runtime.event_record(event_, stream_.get()), "event");
  pending_ = true;
}

void CudaSession::recompute() {
  if (waves_) throw Error(Code::kIllegalState, "session", "session: the request was larger than its memory");
  stream_.device().enter();
  enqueue(false);
}

void CudaSession::copy_tokens(int64_t first, int64_t count, float* out) {
  stream_.device().enter();
  const int64_t d = model_.d_model();
  stream_.copy_out(out, input_.tokens + first * d, count * d * kFloat);
  stream_.synchronize();
}

bool CudaSession::poll() {
  if (!pending_) return true;
  stream_.device().enter();
  const int32_t status = stream_.device().runtime().event_query(event_);
  if (status == SNS_CUDA_NOT_READY) return false;
  stream_.check(status, "request");
  pending_ = false;
  return true;
}

void CudaSession::wait() {
  const auto until = std::chrono::steady_clock::now() + kSpin;
  while (!poll()) {
    relax();
    if (std::chrono::steady_clock::now() < until) continue;
    stream_.check(stream_.device().runtime().event_synchronize(event_), "request");
    pending_ = false;
  }
}

}  // namespace sns
