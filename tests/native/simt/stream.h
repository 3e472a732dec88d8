#pragma once

// Streams, events, graphs and device memory on the host, as strict as a GPU would be: work waits in its
// stream until somebody waits for it, so that reading a result too early or overwriting an input too early
// shows; and device memory can be touched by kernels and copies only.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace simt {

using Work = std::function<void()>;

/// cudaError_t values that the stand-in gives.
enum Status : int {
  kDone = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotReady = 600,
  kIllegalAddress = 700,
  kLaunchFailure = 719
};

struct CopyIn {
  void* device = nullptr;
  const void* host = nullptr;
  size_t bytes = 0;
};

struct Graph {
  /// A copy where there is no other work.
  struct Node {
    Work work;
    CopyIn copy;
  };
  std::vector<Node> nodes;
  int copy_from(void* device, const void* host);
};

class Stream {
 public:
  /// Waits its turn, or becomes a node of the graph that is being captured.
  int enqueue(Work work);
  int copy_in(const CopyIn& copy);
  /// Runs all that waits. The first failure sticks to the device: everything afterwards gives the same error.
  int drain();
  int capture_begin();
  int capture_end(Graph** graph);
  /// What it does is settled now: a change of the graph, or its end, comes too late for this launch.
  int launch(const Graph& graph);
  bool idle() const { return waiting_.empty(); }

 private:
  std::vector<Work> waiting_;
  std::unique_ptr<Graph> captured_;
};

/// What gpu_launch calls: without a stream the work runs at once and its faults pass through.
int enqueue(void* stream, Work work);

// ---- the device
// ---------------------------------------------------------------------------------------------

/// Pages that only kernels and copies can touch, with a page without access behind the last byte.
int device_allocate(size_t bytes, void** out);
int device_release(void* p);
/// Page-locked host memory, which is all that a graph's copies may read.
int host_allocate(size_t bytes, void** out);
int host_release(void* p);
/// Whether so many bytes would be allocated; page-locked host memory asks, too.
bool device_has_room(size_t bytes);
/// The error that stuck to the device, 0 if none.
int device_status();

/// For tests. "fail": the n-th piece of work from now fails as a kernel with an illegal address would
/// (sticky); "memory": allocations beyond n bytes in all are refused, of page-locked memory, which is not
/// counted, too; "capability": the device's, 90 for 9.0; "schedule": this thread's, one of schedules();
/// "reset": a new device.
void control(const char* what, int64_t n);

}  // namespace simt
