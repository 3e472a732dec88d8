#include "backend/cuda/runtime.h"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace sns::gpu {
namespace {

/// Memory that models and sessions gave back stays with the process up to this much.
constexpr uint64_t kKept = uint64_t{1} << 30;

void say(char* cause, int64_t size, const char* call, cudaError_t error) {
  std::snprintf(cause, static_cast<size_t>(size), "%s: %s (%d)", call, cudaGetErrorString(error),
                static_cast<int>(error));
}

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

/// An error that is not sticky must not be met again by the next launch's check.
int32_t cleared(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) cudaGetLastError();
  return error;
}

int32_t use_device(int32_t index) { return cleared(cudaSetDevice(index)); }
const char* error_text(int32_t error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

int32_t allocate(int64_t bytes, void** out) {
  int device = 0;
  cudaMemPool_t pool;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetDefaultMemPool(&pool, device);
  if (error == cudaSuccess) {
    uint64_t kept = kKept;
    error = cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept);
  }
  if (error == cudaSuccess) error = cudaMallocAsync(out, static_cast<size_t>(bytes), cudaStreamPerThread);
  if (error == cudaSuccess) error = cudaStreamSynchronize(cudaStreamPerThread);
  return cleared(error);
}
int32_t release(void* device) {
  cudaError_t error = cudaFreeAsync(device, cudaStreamPerThread);
  if (error == cudaSuccess) error = cudaStreamSynchronize(cudaStreamPerThread);
  return cleared(error);
}
int32_t allocate_host(int64_t bytes, void** out) {
  return cleared(cudaHostAlloc(out, static_cast<size_t>(bytes), cudaHostAllocPortable));
}
int32_t release_host(void* host) { return cleared(cudaFreeHost(host)); }

int32_t stream_create(void** out) {
  return cleared(cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(out), cudaStreamNonBlocking));
}
int32_t stream_destroy(void* stream) { return cleared(cudaStreamDestroy(stream_of(stream))); }
int32_t stream_synchronize(void* stream) { return cleared(cudaStreamSynchronize(stream_of(stream))); }

/// A copy of a graph, which may be told to read from elsewhere.
struct CopyIn {
  cudaGraphNode_t node;
  void* device;
  const void* host;
  size_t bytes;
};
/// What this thread is capturing.
struct Capture {
  cudaStream_t stream = nullptr;
  std::vector<CopyIn> copies;
};
thread_local Capture capture;

/// The node that the stream's last call became: what the next one will depend on. A node itself is not asked:
/// nothing says that it gives a copy's parameters back as they were.
cudaError_t last_node(cudaStream_t stream, cudaGraphNode_t* node) {
  cudaStreamCaptureStatus status;
  const cudaGraphNode_t* last = nullptr;
  size_t count = 0;
#if CUDART_VERSION >= 13000
  const cudaError_t error =
      cudaStreamGetCaptureInfo(stream, &status, nullptr, nullptr, &last, nullptr, &count);
#else
  const cudaError_t error = cudaStreamGetCaptureInfo_v2(stream, &status, nullptr, nullptr, &last, &count);
#endif
  if (error != cudaSuccess) return error;
  if (status != cudaStreamCaptureStatusActive || count != 1) return cudaErrorStreamCaptureInvalidated;
  *node = last[0];
  return cudaSuccess;
}

int32_t copy_in(void* device, const void* host, int64_t bytes, void* stream) {
  const auto size = static_cast<size_t>(bytes);
  cudaError_t error = cudaMemcpyAsync(device, host, size, cudaMemcpyHostToDevice, stream_of(stream));
  if (error == cudaSuccess && capture.stream && capture.stream == stream) {
    CopyIn copy{nullptr, device, host, size};
    error = last_node(stream_of(stream), &copy.node);
    capture.copies.push_back(copy);
  }
  return cleared(error);
}
int32_t copy_out(void* host, const void* device, int64_t bytes, void* stream) {
  return cleared(
      cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream_of(stream)));
}
int32_t copy(void* to, const void* from, int64_t bytes, void* stream) {
  return cleared(
      cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream_of(stream)));
}
int32_t fill(void* device, int32_t byte, int64_t bytes, void* stream) {
  return cleared(cudaMemsetAsync(device, byte, static_cast<size_t>(bytes), stream_of(stream)));
}

int32_t event_create(void** out) {
  return cleared(cudaEventCreateWithFlags(reinterpret_cast<cudaEvent_t*>(out),
                                          cudaEventDisableTiming | cudaEventBlockingSync));
}
int32_t event_destroy(void* event) { return cleared(cudaEventDestroy(event_of(event))); }
int32_t event_record(void* event, void* stream) {
  return cleared(cudaEventRecord(event_of(event), stream_of(stream)));
}
int32_t event_query(void* event) { return cleared(cudaEventQuery(event_of(event))); }
int32_t event_synchronize(void* event) { return cleared(cudaEventSynchronize(event_of(event))); }
int32_t stream_wait(void* stream, void* event) {
  return cleared(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0));
}

int32_t capture_begin(void* stream) {
  const cudaError_t error = cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal);
  capture = {error == cudaSuccess ? stream_of(stream) : nullptr, {}};
  return cleared(error);
}
struct Graph {
  cudaGraph_t captured = nullptr;  ///< kept: nodes are named by it
  cudaGraphExec_t executable = nullptr;
  std::vector<CopyIn> copies;
  size_t next = 0;  ///< copy that is asked for next, if they are asked for in their order
};
Graph* graph_of(void* graph) { return static_cast<Graph*>(graph); }

int32_t graph_destroy(void* graph) {
  const std::unique_ptr<Graph> g(graph_of(graph));
  cudaError_t error = g->executable ? cudaGraphExecDestroy(g->executable) : cudaSuccess;
  if (g->captured) {
    const cudaError_t second = cudaGraphDestroy(g->captured);
    if (error == cudaSuccess) error = second;
  }
  return cleared(error);
}
int32_t capture_end(void* stream, void** graph) {
  *graph = nullptr;
  auto g = std::make_unique<Graph>();
  g->copies = std::move(capture.copies);
  capture = {};
  cudaError_t error = cudaStreamEndCapture(stream_of(stream), &g->captured);
  if (error == cudaSuccess) error = cudaGraphInstantiate(&g->executable, g->captured, 0);
  if (error == cudaSuccess) error = cudaGraphUpload(g->executable, stream_of(stream));
  if (error == cudaSuccess) {
    *graph = g.release();
  } else {
    graph_destroy(g.release());
  }
  return cleared(error);
}
int32_t graph_copy_from(void* graph, void* device, const void* host) {
  Graph& g = *graph_of(graph);
  for (size_t i = 0; i < g.copies.size(); ++i) {
    CopyIn& copy = g.copies[g.next];
    g.next = (g.next + 1) % g.copies.size();
    if (copy.device != device) continue;
    if (copy.host == host) return cudaSuccess;
    const cudaError_t error = cudaGraphExecMemcpyNodeSetParams1D(g.executable, copy.node, device, host,
                                                                 copy.bytes, cudaMemcpyHostToDevice);
    if (error == cudaSuccess) copy.host = host;
    return cleared(error);
  }
  return cudaErrorInvalidValue;
}
int32_t graph_launch(void* graph, void* stream) {
  return cleared(cudaGraphLaunch(graph_of(graph)->executable, stream_of(stream)));
}

}  // namespace

int32_t device_count(char* cause, int64_t cause_size) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    // Also what a machine without any driver answers.
    std::snprintf(cause, static_cast<size_t>(cause_size),
                  "no NVIDIA driver, or one older than CUDA %d.%d needs (35)", CUDART_VERSION / 1000,
                  CUDART_VERSION % 1000 / 10);
    return 0;
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    std::snprintf(cause, static_cast<size_t>(cause_size), "no CUDA device");
    return 0;
  }
  if (error != cudaSuccess) {
    say(cause, cause_size, "cudaGetDeviceCount", error);
    return 0;
  }
  return count;
}

int32_t device_info(int32_t index, sns_cuda_device* out, char* cause, int64_t cause_size) {
  cudaDeviceProp p;
  const cudaError_t error = cudaGetDeviceProperties(&p, index);
  if (error != cudaSuccess) {
    say(cause, cause_size, "cudaGetDeviceProperties", error);
    return 1;
  }
  std::memset(out, 0, sizeof(*out));
  std::memcpy(out->name, p.name, sizeof(out->name) - 1);  // both are zero-padded
  out->memory_bytes = static_cast<int64_t>(p.totalGlobalMem);
  out->multiprocessors = p.multiProcessorCount;
  out->major = p.major;
  out->minor = p.minor;
  out->usable = p.major > 7 || (p.major == 7 && p.minor >= 5);
  if (!out->usable) {
    std::snprintf(cause, static_cast<size_t>(cause_size), "%s has compute capability %d.%d; 7.5 is needed",
                  p.name, p.major, p.minor);
  }
  return 0;
}

const sns_cuda_runtime kRuntime = {
    use_device,    error_text,     allocate,           release,         allocate_host, release_host,
    stream_create, stream_destroy, stream_synchronize, copy_in,         copy_out,      copy,
    fill,          event_create,   event_destroy,      event_record,    event_query,   event_synchronize,
    stream_wait,   capture_begin,  capture_end,        graph_copy_from, graph_launch,  graph_destroy,
};

}  // namespace sns::gpu
