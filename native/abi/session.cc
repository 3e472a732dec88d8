#include "abi/convert.h"
#include "abi/guard.h"
#include "abi/handles.h"
#include "abi/session_turn.h"

namespace sns {
namespace {

void require_started(sns_session session) {
  if (session->started.load(std::memory_order_acquire)) return;
  throw Error(Code::kIllegalState, "session", "session: no request was started");
}

Item get_item(const void* context, int64_t index) {
  try {
    return convert(static_cast<const sns_item*>(context)[index]);
  } catch (const Error& e) {
    const std::string item = "items[" + std::to_string(index) + "].";
    throw Error(e.code(), item + e.field(), item + e.what(), e.limit());
  }
}

sns_result to_c(const Session& session, const Result& r) {
  const Compressor* compressor = session.model().compressor();
  sns_result o = {};
  o.tokens_count = r.tokens_count;
  o.d_model = session.model().d_model();
  o.sequences = r.sequences;
  o.latents_count = r.latents_count;
  o.d_latents = compressor ? compressor->dim() : 0;
  o.tokens = r.tokens;
  o.modality = r.table.modality;
  o.item = r.table.item;
  o.grid = r.table.grid;
  o.span = r.table.span;
  o.position = r.table.position;
  o.cu_seqlens = r.cu_seqlens;
  o.latents = r.latents;
  o.cu_latents = r.cu_latents;
  o.d_embedding = session.model().head() ? session.model().head()->config().dim : 0;
  o.embedding = r.embedding;
  o.image_ns = r.times.image;
  o.audio_ns = r.times.audio;
  o.text_ns = r.times.text;
  o.pack_ns = r.times.pack;
  o.latents_ns = r.times.latents;
  o.embedding_ns = r.times.embedding;
  o.total_ns = r.times.total;
  return o;
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_session_create(sns_model model, const sns_session_limits* limits, sns_session* out) {
  return sns::guard([&] {
    sns::not_null(model, "model");
    sns::not_null(out, "out");
    sns::checked_struct(limits, "limits");
    sns::SessionLimits l;
    l.max_items = limits->max_items;
    l.max_sequences = limits->max_sequences;
    l.max_tokens = limits->max_tokens;
    l.max_pixels = limits->max_pixels;
    l.max_samples = limits->max_samples;
    *out = std::make_unique<sns_session_t>(model->model, l).release();
  });
}

int32_t sns_session_run(sns_session session, const sns_item* items, int64_t count, sns_result* out) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::not_null(out, "out");
    if (count != 0) sns::not_null(items, "items");
    const sns::SessionTurn turn(session);
    *out = sns::to_c(session->session, session->session.run({sns::get_item, items}, count));
  });
}

int32_t sns_session_set_order(sns_session session, int32_t order, int64_t chunk_us) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    const sns::SessionTurn turn(session);
    session->session.set_order(sns::checked_enum(order, sns::TokenOrder::kChunks, "order"), chunk_us);
  });
}

int32_t sns_session_start(sns_session session, const sns_item* items, int64_t count) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    if (count != 0) sns::not_null(items, "items");
    const sns::SessionTurn turn(session);
    session->session.start({sns::get_item, items}, count);
    session->started.store(true, std::memory_order_release);
  });
}

int32_t sns_session_poll(sns_session session, int32_t* done) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::not_null(done, "done");
    const sns::Turn turn(session->busy, "session");
    sns::require_started(session);
    *done = session->session.poll() ? 1 : 0;
  });
}

int32_t sns_session_finish(sns_session session, sns_result* out) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::not_null(out, "out");
    const sns::Turn turn(session->busy, "session");
    sns::require_started(session);
    session->started.store(false, std::memory_order_release);
    *out = sns::to_c(session->session, session->session.finish());
  });
}

int32_t sns_session_set_latents(sns_session session, int64_t max_latents) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    const sns::SessionTurn turn(session);
    session->session.set_latents(max_latents);
  });
}

int32_t sns_session_set_sequence_latents(sns_session session, const int64_t* max_latents, int64_t count) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    if (count != 0) sns::not_null(max_latents, "max_latents");
    const sns::SessionTurn turn(session);
    session->session.set_sequence_latents(max_latents, count);
  });
}

int32_t sns_session_attention(sns_session session, int64_t sequence, float* out, int64_t out_count) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    if (out_count != 0) sns::not_null(out, "out");
    const sns::SessionTurn turn(session);
    session->session.attention(sequence, out, out_count);
  });
}

int32_t sns_session_workspace(sns_session session, int64_t* bytes) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    *sns::not_null(bytes, "bytes") = session->session.workspace_bytes();
  });
}

int32_t sns_session_set_adapter(sns_session session, sns_adapter adapter) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    const sns::SessionTurn turn(session);
    session->session.set_adapter(adapter ? adapter->adapter : nullptr);
  });
}

void sns_session_destroy(sns_session session) { delete session; }

}  // extern "C"
