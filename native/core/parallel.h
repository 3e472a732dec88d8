#pragma once

#include <cstdint>
#include <type_traits>

namespace sns {

/// Fork-join over independent tasks. An op's numbers must not depend on threads() or on which worker ran
/// what.
class Parallel {
 public:
  /// `worker` is in [0, threads()): it names a private slice of the op's scratch.
  using Task = void (*)(void* context, int64_t index, int worker);

  virtual ~Parallel() = default;
  virtual int threads() const = 0;
  /// Runs task(context, i, worker) for every i in [0, count) and returns when all are done. Tasks must not
  /// throw.
  virtual void run(int64_t count, Task task, void* context) = 0;
};

/// No threads at all: the caller does everything.
class Serial final : public Parallel {
 public:
  int threads() const override { return 1; }
  void run(int64_t count, Task task, void* context) override {
    for (int64_t i = 0; i < count; ++i) task(context, i, 0);
  }
};

/// parallel.run with a callable f(index, worker); nothing is allocated.
template <class F>
void parallel_for(Parallel& parallel, int64_t count, F&& f) {
  using Fn = std::remove_reference_t<F>;
  parallel.run(
      count, [](void* c, int64_t i, int w) { (*static_cast<Fn*>(c))(i, w); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace sns
