#include "simt/fiber.h"

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace simt {
namespace {

// The fiber being left and the one being entered by the switch under way on this host thread.
inline thread_local Fiber* leaving = nullptr;
inline thread_local Fiber* entering = nullptr;

}  // namespace

#if defined(__x86_64__)

// Saves the System V callee-saved registers on the old stack, swaps stacks, restores from the new one.
extern "C" void simt_swap(void** save, void* restore);
asm(R"(
.text
.type simt_swap, @function
simt_swap:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_swap, .-simt_swap
)");

void Fiber::prepare(void (*entry)(void*), void* argument) {
  if (!stack_) {
    stack_ = std::aligned_alloc(64, kStackBytes);
    if (!stack_) throw std::bad_alloc();
  }
  entry_ = entry;
  argument_ = argument;
  bottom_ = stack_;
  size_ = kStackBytes;
  auto top = reinterpret_cast<uintptr_t>(stack_) + kStackBytes;
  auto** sp = reinterpret_cast<void**>(top & ~uintptr_t{15});
  *--sp = nullptr;  // where start() would return to; keeps the stack aligned as after a call
  *--sp = reinterpret_cast<void*>(&Fiber::start);
  for (int i = 0; i < 6; ++i) *--sp = nullptr;
  stack_pointer_ = sp;
}

#else

void Fiber::prepare(void (*entry)(void*), void* argument) {
  if (!stack_pointer_) stack_pointer_ = new ucontext_t;
  if (!stack_) stack_ = std::aligned_alloc(64, kStackBytes);
  if (!stack_) throw std::bad_alloc();
  entry_ = entry;
  argument_ = argument;
  bottom_ = stack_;
  size_ = kStackBytes;
  auto* context = static_cast<ucontext_t*>(stack_pointer_);
  getcontext(context);
  context->uc_stack.ss_sp = stack_;
  context->uc_stack.ss_size = kStackBytes;
  context->uc_link = nullptr;
  makecontext(context, &Fiber::start, 0);
}

#endif

Fiber::~Fiber() {
#if !defined(__x86_64__)
  delete static_cast<ucontext_t*>(stack_pointer_);
#endif
  std::free(stack_);
}

void Fiber::start() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &leaving->bottom_, &leaving->size_);
#endif
  entering->entry_(entering->argument_);
  std::abort();  // entry returned
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
  leaving = &from;
  entering = &to;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.size_);
#endif
#if defined(__x86_64__)
  simt_swap(&from.stack_pointer_, to.stack_pointer_);
#else
  if (!from.stack_pointer_) from.stack_pointer_ = new ucontext_t;
  swapcontext(static_cast<ucontext_t*>(from.stack_pointer_), static_cast<ucontext_t*>(to.stack_pointer_));
#endif
#if defined(__SANITIZE_ADDRESS__)
  // `leaving` now is whoever switched back to us; learn its stack (the host thread's is unknown at first).
  __sanitizer_finish_switch_fiber(from.fake_stack_, &leaving->bottom_, &leaving->size_);
#endif
}

}  // namespace simt
