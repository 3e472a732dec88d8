#include "abi/dlpack.h"
#include "abi/guard.h"
#include "abi/session_turn.h"

namespace sns {
namespace {

const std::shared_ptr<CudaSession>& cuda_session(sns_session session) {
  const std::shared_ptr<CudaSession>& cuda = session->session.cuda();
  if (!cuda) throw Error(Code::kUnavailable, "session", "session: its engine runs on the CPU");
  return cuda;
}

/// A tensor over the session's memory, which it keeps.
struct Exported {
  DLManagedTensor tensor = {};
  int64_t shape[2] = {};
  std::shared_ptr<const CudaSession> owner;
};

DLManagedTensor* export_tensor(sns_session session, int32_t what) {
  const std::shared_ptr<CudaSession>& cuda = cuda_session(session);
  const Result& r = session->session.result();
  const Model& model = session->session.model();
  auto exported = std::make_unique<Exported>();
  const float* data = nullptr;
  switch (checked_enum(what, int32_t{SNS_OUT_EMBEDDING}, "what")) {
    case SNS_OUT_TOKENS:
      data = cuda->device_output().tokens;
      exported->shape[0] = r.tokens_count;
      exported->shape[1] = model.d_model();
      break;
    case SNS_OUT_LATENTS:
      data = cuda->device_output().latents;
      exported->shape[0] = r.latents_count;
      exported->shape[1] = model.compressor() ? model.compressor()->dim() : 0;
      break;
    default:
      data = cuda->device_output().embedding;
      exported->shape[0] = r.sequences;
      exported->shape[1] = model.head() ? model.head()->config().dim : 0;
  }
  if (!data) throw Error(Code::kIllegalState, "what", "what: the session has no such result");
  exported->owner = cuda;
  DLManagedTensor& t = exported->tensor;
  t.dl_tensor.data = const_cast<float*>(data);
  t.dl_tensor.device = {2, cuda->device_index()};
  t.dl_tensor.ndim = 2;
  t.dl_tensor.dtype = {2, 32, 1};
  t.dl_tensor.shape = exported->shape;
  t.manager_ctx = exported.get();
  t.deleter = [](DLManagedTensor* self) { delete static_cast<Exported*>(self->manager_ctx); };
  return &exported.release()->tensor;
}

}  // namespace
}  // namespace sns

extern "C" {

int32_t sns_session_set_output(sns_session session, int32_t output) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    const bool keep = sns::checked_bool(output, "output");
    const sns::SessionTurn turn(session);
    sns::cuda_session(session)->keep_on_device(keep);
  });
}

int32_t sns_session_device_result(sns_session session, sns_device_result* out) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::checked_struct(out, "out");
    const sns::SessionTurn turn(session);
    const sns::CudaSession& cuda = *sns::cuda_session(session);
    out->tokens = cuda.device_output().tokens;
    out->latents = cuda.device_output().latents;
    out->embedding = cuda.device_output().embedding;
    out->stream = cuda.stream();
    out->event = cuda.event();
    out->index = cuda.device_index();
  });
}

int32_t sns_session_dlpack(sns_session session, int32_t what, void** out) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::not_null(out, "out");
    const sns::SessionTurn turn(session);
    *out = sns::export_tensor(session, what);
  });
}

void sns_dlpack_delete(void* tensor) {
  auto* managed = static_cast<DLManagedTensor*>(tensor);
  if (managed && managed->deleter) managed->deleter(managed);
}

int32_t sns_session_use_stream(sns_session session, void* stream) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    const sns::SessionTurn turn(session);
    sns::cuda_session(session)->use_stream(stream);
  });
}

int32_t sns_session_wait_event(sns_session session, void* event) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::not_null(event, "event");
    const sns::SessionTurn turn(session);
    sns::cuda_session(session)->wait_event(event);
  });
}

int32_t sns_session_inbox(sns_session session, int64_t bytes, void** out) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::not_null(out, "out");
    if (bytes < 1) sns::invalid("bytes", std::to_string(bytes) + " is below 1");
    const sns::SessionTurn turn(session);
    *out = sns::cuda_session(session)->inbox(bytes);
  });
}

int32_t sns_session_query(sns_session session, sns_session_info* out) {
  return sns::guard([&] {
    sns::not_null(session, "session");
    sns::checked_struct(out, "out");
    const sns::SessionTurn turn(session);
    const sns::CudaSession& cuda = *sns::cuda_session(session);
    out->host_bytes = cuda.host_bytes();
    out->device_bytes = cuda.device_bytes();
    out->graphs = cuda.graphs();
  });
}

}  // extern "C"
