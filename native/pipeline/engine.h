#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "backend/cpu/thread_pool.h"
#include "core/memory.h"
#include "core/precision.h"

namespace sns {

class CudaDevice;

/// A device and its threads; shared by everything made from it.
class Engine {
 public:
  static constexpr int kMaxThreads = 1024;

  /// threads: 0 = all processors of this process. Throws kInvalidArgument or kLimitExceeded.
  explicit Engine(int threads, Precision precision = Precision::kStrict,
                  std::shared_ptr<const CudaDevice> cuda = nullptr);
  /// Where models run; null: on the CPU.
  const std::shared_ptr<const CudaDevice>& cuda() const { return cuda_; }
  int threads() const { return pool_.threads(); }
  /// Of the models made from it.
  Precision precision() const { return precision_; }
  Parallel& parallel() { return pool_; }

  /// Scratch of one call; goes back to the engine when the lease ends.
  class Lease {
   public:
    Lease(Engine& engine, AlignedArray<unsigned char> block) : engine_(engine), block_(std::move(block)) {}
    ~Lease() { engine_.give_back(std::move(block_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    void* data() { return block_.data(); }

   private:
    Engine& engine_;
    AlignedArray<unsigned char> block_;
  };
  Lease lease(size_t bytes);

 private:
  static constexpr size_t kIdleBlocks = 4;
  void give_back(AlignedArray<unsigned char> block) noexcept;

  ThreadPool pool_;
  const Precision precision_;
  std::shared_ptr<const CudaDevice> cuda_;
  std::mutex mutex_;
  AlignedArray<unsigned char> idle_[kIdleBlocks];
};

}  // namespace sns
