#pragma once

#include <cstddef>

namespace simt {

/// A stackful coroutine: switch_to() swaps the machine's callee-saved state in a few nanoseconds, which is
/// what makes tens of thousands of blocks a second possible (ucontext makes a system call per switch).
class Fiber {
 public:
  static constexpr size_t kStackBytes = 64 * 1024;

  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes this fiber start `entry(argument)` on its own stack at the next switch; entry must never return,
  /// its last act is switch_to another fiber.
  void prepare(void (*entry)(void*), void* argument);
  /// Leaves `from`, continues `to`. A default-made Fiber stands for the host thread that does the first
  /// switch.
  static void switch_to(Fiber& from, Fiber& to);

 private:
  static void start();
  void* stack_ = nullptr;
  void* stack_pointer_ = nullptr;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  // AddressSanitizer must be told which stack is in use.
  void* fake_stack_ = nullptr;
  const void* bottom_ = nullptr;
  size_t size_ = 0;
};

}  // namespace simt
