// The device that libsensorium_simt.so offers instead of a GPU: native/backend/cuda/runtime.h over
// simt/stream.h.

#include "backend/cuda/runtime.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "simt/simt.h"
#include "simt/stream.h"

namespace sns::gpu {
namespace {

using simt::Graph;
using simt::Stream;

struct Event {
  Stream* stream = nullptr;  ///< null: never recorded, or what it waited for is done
  bool asked = false;
};
Stream* stream_of(void* stream) { return static_cast<Stream*>(stream); }
Event* event_of(void* event) { return static_cast<Event*>(event); }

int32_t use_device(int32_t index) { return index == 0 ? simt::device_status() : 101; }
const char* error_text(int32_t error) {
  switch (error) {
    case simt::kOutOfMemory:
      return "out of memory";
    case simt::kIllegalAddress:
      return "an illegal memory access was encountered";
    case simt::kLaunchFailure:
      return "unspecified launch failure";
    default:
      return "error of the SIMT device";
  }
}

int32_t allocate(int64_t bytes, void** out) { return simt::device_allocate(static_cast<size_t>(bytes), out); }
int32_t release(void* device) { return simt::device_release(device); }
int32_t allocate_host(int64_t bytes, void** out) {
  return simt::host_allocate(static_cast<size_t>(bytes), out);
}
int32_t release_host(void* host) { return simt::host_release(host); }

int32_t stream_create(void** out) {
  *out = new Stream;
  return simt::device_status();
}
int32_t stream_destroy(void* stream) {
  const int32_t status = stream_of(stream)->drain();
  delete stream_of(stream);
  return status;
}
int32_t stream_synchronize(void* stream) { return stream_of(stream)->drain(); }

int32_t copy_in(void* device, const void* host, int64_t bytes, void* stream) {
  return stream_of(stream)->copy_in({device, host, static_cast<size_t>(bytes)});
}
int32_t copy(void* to, const void* from, int64_t bytes, void* stream) {
  return simt::enqueue(stream, [=] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
}
int32_t fill(void* device, int32_t byte, int64_t bytes, void* stream) {
  return simt::enqueue(stream, [=] { std::memset(device, byte, static_cast<size_t>(bytes)); });
}

int32_t event_create(void** out) {
  *out = new Event;
  return simt::device_status();
}
int32_t event_destroy(void* event) {
  delete event_of(event);
  return simt::device_status();
}
int32_t event_record(void* event, void* stream) {
  *event_of(event) = {stream_of(stream), false};
  return simt::device_status();
}
int32_t event_synchronize(void* event) {
  Stream* stream = event_of(event)->stream;
  event_of(event)->stream = nullptr;
  return stream ? stream->drain() : simt::device_status();
}
/// Never done at the first question, so that waiting is waited for.
int32_t event_query(void* event) {
  Event* e = event_of(event);
  if (e->stream && !e->asked) {
    e->asked = true;
    return simt::kNotReady;
  }
  return event_synchronize(event);
}
int32_t stream_wait(void*, void* event) { return event_synchronize(event); }

int32_t capture_begin(void* stream) { return stream_of(stream)->capture_begin(); }
int32_t capture_end(void* stream, void** graph) {
  *graph = nullptr;
  return stream_of(stream)->capture_end(reinterpret_cast<Graph**>(graph));
}
int32_t graph_copy_from(void* graph, void* device, const void* host) {
  return static_cast<Graph*>(graph)->copy_from(device, host);
}
int32_t graph_launch(void* graph, void* stream) {
  return stream_of(stream)->launch(*static_cast<Graph*>(graph));
}
int32_t graph_destroy(void* graph) {
  delete static_cast<Graph*>(graph);
  return simt::device_status();
}

}  // namespace

int32_t device_count(char*, int64_t) { return 1; }

int32_t device_info(int32_t, sns_cuda_device* out, char*, int64_t) {
  std::memset(out, 0, sizeof(*out));
  std::strcpy(out->name, "host SIMT executor");
  out->memory_bytes = int64_t{1} << 32;
  out->multiprocessors = simt::kMultiprocessors;
  out->major = simt::compute_capability() / 10;
  out->minor = simt::compute_capability() % 10;
  out->usable = 1;
  return 0;
}

const sns_cuda_runtime kRuntime = {
    use_device,    error_text,     allocate,           release,         allocate_host, release_host,
    stream_create, stream_destroy, stream_synchronize, copy_in,         copy,          copy,
    fill,          event_create,   event_destroy,      event_record,    event_query,   event_synchronize,
    stream_wait,   capture_begin,  capture_end,        graph_copy_from, graph_launch,  graph_destroy,
};

}  // namespace sns::gpu

/// For tests: simt::control.
extern "C" __attribute__((visibility("default"))) void sns_simt_control(const char* what, int64_t n) {
  simt::control(what, n);
}
