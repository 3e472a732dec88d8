#include "simt/stream.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>

#include "simt/simt.h"

namespace simt {
namespace {

struct Block {
  unsigned char* pages;
  size_t accessible, total, bytes;
};

struct Device {
  std::recursive_mutex mutex;
  std::map<void*, Block> blocks;
  std::map<const void*, size_t> host_blocks;  ///< page-locked
  int64_t held = 0, limit = int64_t{1} << 32;
  int status = kDone;
  int64_t fail_at = -1;  ///< pieces of work until one fails; negative = never
  int open = 0;
};

Device& device() {
  static Device instance;
  return instance;
}

void protect(const Device& d, int access) {
  for (const auto& entry : d.blocks) mprotect(entry.second.pages, entry.second.accessible, access);
}

/// The page-locked block that [p, p + bytes) lies in, or null.
const void* locked_block(const void* p, size_t bytes) {
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  auto after = d.host_blocks.upper_bound(p);
  if (after == d.host_blocks.begin()) return nullptr;
  const auto& [begin, size] = *--after;
  const auto at = static_cast<size_t>(static_cast<const char*>(p) - static_cast<const char*>(begin));
  return at + bytes <= size ? begin : nullptr;
}

/// While it lives, this process may touch device memory.
class Access {
 public:
  explicit Access(Device& d) : device_(d), lock_(d.mutex) {
    if (device_.open++ == 0) protect(device_, PROT_READ | PROT_WRITE);
  }
  ~Access() {
    if (--device_.open == 0) protect(device_, PROT_NONE);
  }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

 private:
  Device& device_;
  std::lock_guard<std::recursive_mutex> lock_;
};

}  // namespace

int Stream::enqueue(Work work) {
  if (const int status = device_status()) return status;
  if (captured_) {
    captured_->nodes.push_back({std::move(work), {}});
  } else {
    waiting_.push_back(std::move(work));
  }
  return kDone;
}

int Stream::copy_in(const CopyIn& copy) {
  if (!captured_) return enqueue([copy] { std::memcpy(copy.device, copy.host, copy.bytes); });
  if (const int status = device_status()) return status;
  if (!locked_block(copy.host, copy.bytes)) return kInvalidValue;
  captured_->nodes.push_back({nullptr, copy});
  return kDone;
}

int Graph::copy_from(void* device, const void* host) {
  for (Node& node : nodes) {
    if (node.copy.device != device) continue;
    const void* const block = locked_block(host, node.copy.bytes);
    if (!block || block != locked_block(node.copy.host, node.copy.bytes)) return kInvalidValue;
    node.copy.host = host;
    return device_status();
  }
  return kInvalidValue;
}

int Stream::drain() {
  if (captured_) return kInvalidValue;  // as CUDA: a capturing stream cannot be waited for
  Device& d = device();
  const Access access(d);
  std::vector<Work> work;
  work.swap(waiting_);
  for (const Work& w : work) {
    if (d.status != kDone) break;
    if (d.fail_at >= 0 && d.fail_at-- == 0) {
      d.status = kIllegalAddress;
      break;
    }
    try {
      w();
    } catch (const std::exception& fault) {
      std::fprintf(stderr, "SIMT device: %s\n", fault.what());
      d.status = kLaunchFailure;
    }
  }
  return d.status;
}

int Stream::capture_begin() {
  if (captured_) return kInvalidValue;
  captured_ = std::make_unique<Graph>();
  return device_status();
}

int Stream::capture_end(Graph** graph) {
  if (!captured_) return kInvalidValue;
  *graph = captured_.release();
  return device_status();
}

int Stream::launch(const Graph& graph) {
  for (const Graph::Node& node : graph.nodes) {
    if (const int status = node.work ? enqueue(node.work) : copy_in(node.copy)) return status;
  }
  return kDone;
}

int enqueue(void* stream, Work work) {
  if (!stream) {
    work();
    return kDone;
  }
  return static_cast<Stream*>(stream)->enqueue(std::move(work));
}

bool device_has_room(size_t bytes) {
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  return d.held + static_cast<int64_t>(bytes) <= d.limit;
}

int device_allocate(size_t bytes, void** out) {
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  if (d.status) return d.status;
  if (!device_has_room(bytes)) return kOutOfMemory;
  constexpr size_t kAlign = 256;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t padded = (bytes + kAlign - 1) / kAlign * kAlign;
  Block b;
  b.accessible = (padded + page - 1) / page * page;
  b.total = b.accessible + page;
  b.bytes = bytes;
  void* pages = mmap(nullptr, b.total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return kOutOfMemory;
  b.pages = static_cast<unsigned char*>(pages);
  std::memset(b.pages, 0xFF, b.accessible);  // NaN: what nobody wrote shows
  mprotect(b.pages, b.total, PROT_NONE);
  if (d.open > 0) mprotect(b.pages, b.accessible, PROT_READ | PROT_WRITE);
  *out = b.pages + (b.accessible - padded);
  d.blocks[*out] = b;
  d.held += static_cast<int64_t>(bytes);
  return kDone;
}

int device_release(void* p) {
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  const auto found = d.blocks.find(p);
  if (found == d.blocks.end()) return kInvalidValue;
  d.held -= static_cast<int64_t>(found->second.bytes);
  munmap(found->second.pages, found->second.total);
  d.blocks.erase(found);
  return d.status;
}

int host_allocate(size_t bytes, void** out) {
  if (!device_has_room(bytes)) return kOutOfMemory;
  *out = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!*out) return kOutOfMemory;
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  d.host_blocks[*out] = bytes;
  return d.status;
}

int host_release(void* p) {
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  if (d.host_blocks.erase(p) == 0) return kInvalidValue;
  std::free(p);
  return d.status;
}

int device_status() {
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  return d.status;
}

void control(const char* what, int64_t n) {
  Device& d = device();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  if (!std::strcmp(what, "fail")) d.fail_at = n;
  if (!std::strcmp(what, "memory")) d.limit = n;
  if (!std::strcmp(what, "capability")) set_compute_capability(static_cast<int>(n));
  if (!std::strcmp(what, "schedule")) set_schedule(n < 4 ? schedules(1)[static_cast<size_t>(n)] : Schedule{});
  if (!std::strcmp(what, "reset")) {
    set_compute_capability(90);
    d.status = kDone;
    d.fail_at = -1;
    d.limit = int64_t{1} << 32;
  }
}

}  // namespace simt
