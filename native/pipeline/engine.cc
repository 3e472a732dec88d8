#include "pipeline/engine.h"

#include "backend/cpu/device.h"

namespace sns {
namespace {

int checked_threads(int threads) {
  if (threads < 0) {
    throw Error(Code::kInvalidArgument, "threads", "threads: " + std::to_string(threads) + " is negative");
  }
  if (threads > Engine::kMaxThreads) {
    throw Error(Code::kLimitExceeded, "threads",
                "threads: " + std::to_string(threads) + " is above " + std::to_string(Engine::kMaxThreads),
                Engine::kMaxThreads);
  }
  return threads > 0 ? threads : std::min(cpu_processors(), Engine::kMaxThreads);
}

}  // namespace

Engine::Engine(int threads, Precision precision, std::shared_ptr<const CudaDevice> cuda)
    : pool_(checked_threads(threads)), precision_(precision), cuda_(std::move(cuda)) {}

Engine::Lease Engine::lease(size_t bytes) {
  const int64_t size = static_cast<int64_t>(bytes);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& block : idle_) {
      if (block.data() && block.size() >= size) return Lease(*this, std::move(block));
    }
  }
  return Lease(*this, AlignedArray<unsigned char>(size));
}

void Engine::give_back(AlignedArray<unsigned char> block) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  AlignedArray<unsigned char>* smallest = &idle_[0];
  for (auto& slot : idle_) {
    if (slot.size() < smallest->size()) smallest = &slot;
  }
  if (smallest->size() < block.size()) smallest->swap(block);
}

}  // namespace sns
