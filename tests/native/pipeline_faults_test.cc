#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "pipeline_support.h"

// Every allocation that is made while an engine, a model and a session come into being fails once: each time
// the answer must be std::bad_alloc (std::system_error for a thread), nothing may leak (AddressSanitizer
// looks) and what was there before must go on working. The global operator new is this test's own, so that it
// can fail and be counted.

namespace {

std::atomic<int64_t> new_calls{0};
std::atomic<int64_t> fail_new_after{-1};

void* counted_new(size_t size, size_t align = 0) {
  new_calls.fetch_add(1);
  if (fail_new_after.load() >= 0 && fail_new_after.fetch_sub(1) == 0) throw std::bad_alloc();
  void* p =
      align ? std::aligned_alloc(align, (size + align - 1) / align * align) : std::malloc(size ? size : 1);
  if (!p) throw std::bad_alloc();
  return p;
}

// Not inlined: GCC would take the free() for a mismatch with the operator new that it also sees through.
[[gnu::noinline]] void release(void* p) { std::free(p); }

}  // namespace

void* operator new(size_t size) { return counted_new(size); }
void* operator new[](size_t size) { return counted_new(size); }
void* operator new(size_t size, std::align_val_t a) { return counted_new(size, static_cast<size_t>(a)); }
void* operator new[](size_t size, std::align_val_t a) { return counted_new(size, static_cast<size_t>(a)); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, size_t) noexcept { release(p); }
void operator delete[](void* p, size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { release(p); }

namespace sns {
namespace {

SmallModel everything() {
  SmallModel m(21);
  m.sequence(16, true, true).image(Position::kSinCos).patches(Position::kSinCos, 0).text(Position::kLearned);
  m.perceiver();
  return m;
}

std::vector<OwnedItem> requests(Random& random) {
  std::vector<OwnedItem> items;
  items.push_back(make_item(Format::kU8Hwc, {12, 9, 3}, random));
  items.push_back(make_item(Format::kF32Chw, {8, 8, 3}, random));
  items.push_back(make_item(Format::kI64Ids, {13}, random));
  items.push_back(make_item(Format::kF32Pcm, {700}, random));
  items.push_back(make_item(Format::kS16Pcm, {400}, random));
  items.push_back(make_item(Format::kF32Tokens, {3, 16}, random, Modality::kText));
  return items;
}

/// Fails the n-th allocation for n = 0, 1, … until everything succeeds. Returns how many had to be failed.
template <class Arm>
int64_t fail_each(Arm arm) {
  const SmallModel m = everything();
  Random random(22);
  const std::vector<OwnedItem> owned = requests(random);
  std::vector<Item> items;
  for (const OwnedItem& o : owned) items.push_back(o.item);
  const auto survivor_engine = std::make_shared<Engine>(2);

  for (int64_t n = 0;; ++n) {
    EXPECT_LT(n, 100000);
    bool failed = false;
    try {
      arm(n);
      const auto engine = std::make_shared<Engine>(2);
      const auto model = std::make_shared<const Model>(engine, m.parts);
      Session session(model, small_limits());
      arm(-1);
    } catch (const std::bad_alloc&) {
      failed = true;
    } catch (const std::system_error&) {
      failed = true;
    }
    arm(-1);
    if (!failed) return n;
    if (n % 16 == 0) {
      Session session(std::make_shared<const Model>(survivor_engine, m.parts), small_limits());
      EXPECT_GT(run(session, items).tokens_count, 0);
    }
  }
}

TEST(Faults, EveryBulkAllocationCanFail) { EXPECT_GT(fail_each(set_alloc_failure), 50); }

TEST(Faults, EveryOperatorNewCanFail) {
  EXPECT_GT(fail_each([](int64_t n) { fail_new_after.store(n); }), 20);
}

TEST(Faults, ARunAllocatesNothing) {
  Random random(23);
  const std::vector<OwnedItem> owned = requests(random);
  std::vector<Item> items;
  for (const OwnedItem& o : owned) items.push_back(o.item);
  Session session(everything().make(3), small_limits());
  run(session, items);
  set_alloc_failure(0);  // any bulk allocation would throw
  const int64_t before = new_calls.load();
  Result r;
  for (int i = 0; i < 20; ++i) r = run(session, items);
  const int64_t after = new_calls.load();
  set_alloc_failure(-1);
  EXPECT_EQ(before, after);
  EXPECT_GT(r.tokens_count, 0);
}

TEST(Faults, TheFirstRunAllocatesNothingEither) {
  Random random(24);
  const std::vector<OwnedItem> owned = requests(random);
  std::vector<Item> items;
  for (const OwnedItem& o : owned) items.push_back(o.item);
  Session session(everything().make(3), small_limits());
  const int64_t before = new_calls.load();
  run(session, items);
  EXPECT_EQ(before, new_calls.load());
}

}  // namespace
}  // namespace sns
