#include "simt/async.h"

#include "core/bfloat16.h"
#include "simt/block.h"
#include "simt/tensor_core.h"

namespace simt {
namespace {

MBarrier& find(uint64_t* bar) {
  auto it = block_now->mbarriers.find(bar);
  if (it == block_now->mbarriers.end()) throw Fault("mbarrier used before its initialisation");
  return it->second;
}

void complete(MBarrier& b) {
  if (b.pending != 0 || b.transactions != 0) return;
  b.pending = b.expected;
  ++b.phase;
  ++b.news;
}

void arrive(MBarrier& b) {
  if (b.pending == 0) throw Fault("more arrivals at an mbarrier than it expects");
  --b.pending;
  complete(b);
}

void land(MBarrier& b, const Landing& landing) {
  perform(landing.copies);
  if (landing.bytes == 0) return arrive(b);
  for (const Copy& c : landing.copies) {
    const auto offset = static_cast<unsigned char*>(c.to) - block_now->dynamic->data();
    if (block_now->dynamic->holds(c.to, 1))
      perform({{block_now->proxy->data() + offset, c.from, c.bytes, c.valid}});
  }
  b.transactions -= landing.bytes;
  complete(b);
}

void issue(MBarrier& b, Landing landing) {
  if (!schedule_now.copy_at_wait) return land(b, landing);
  b.landings.push_back(std::move(landing));
  ++b.news;
}

bool in_shared(const void* p, size_t bytes) {
  return block_now->dynamic->holds(p, bytes) ||
         std::any_of(block_now->statics.begin(), block_now->statics.end(),
                     [&](auto& entry) { return entry.second->holds(p, bytes); });
}

}  // namespace

void mbarrier_init(uint64_t* bar, uint32_t count) {
  if (!in_shared(bar, sizeof(*bar)) || reinterpret_cast<uintptr_t>(bar) % 8 != 0) {
    throw Fault("an mbarrier is 8 aligned bytes of shared memory");
  }
  MBarrier b;
  b.expected = b.pending = count;
  block_now->mbarriers[bar] = b;
}

void mbarrier_init_fence() {
  for (auto& entry : block_now->mbarriers) entry.second.fenced = true;
}

void mbarrier_arrive(uint64_t* bar) { arrive(find(bar)); }

void mbarrier_expect(uint64_t* bar, uint32_t bytes) { find(bar).transactions += bytes; }

void mbarrier_wait(uint64_t* bar, uint32_t parity) {
  MBarrier& b = find(bar);
  // As try_wait.parity: passes once the phase of this parity is over.
  while ((b.phase & 1) == parity) {
    if (b.landings.empty()) {
      wait_past(&b.news, b.news);
      continue;
    }
    // Nothing orders copies among each other.
    auto next = schedule_now.run_ahead ? b.landings.end() - 1 : b.landings.begin();
    const Landing landing = std::move(*next);
    b.landings.erase(next);
    land(b, landing);
  }
}

void copy_arrive(uint64_t* bar) {
  MBarrier& b = find(bar);
  ++b.pending;
  Landing landing{{}, 0};
  for (const auto& group : running->groups) {
    landing.copies.insert(landing.copies.end(), group.begin(), group.end());
  }
  landing.copies.insert(landing.copies.end(), running->open_group.begin(), running->open_group.end());
  running->groups.clear();
  running->open_group.clear();
  issue(b, std::move(landing));
}

void bulk_copy(void* shared, const void* global, uint32_t bytes, uint64_t* bar) {
  if (bytes == 0 || bytes % 16 != 0 || reinterpret_cast<uintptr_t>(shared) % 16 != 0 ||
      reinterpret_cast<uintptr_t>(global) % 16 != 0) {
    throw Fault("bulk copy is not a multiple of, or not aligned to, 16 bytes");
  }
  if (!in_shared(shared, bytes)) throw Fault("bulk copy to outside of shared memory");
  MBarrier& b = find(bar);
  if (!b.fenced) throw Fault("bulk copy on an mbarrier whose initialisation was not fenced");
  if (!block_now->proxy) block_now->proxy = std::make_unique<SharedArray>(block_now->dynamic->bytes);
  const int size = static_cast<int>(bytes);
  issue(b, {{{shared, global, size, size}}, bytes});
}

// ---- wgmma
// ------------------------------------------------------------------------------------------------------

namespace {

constexpr int kM = 16, kN = 128, kK = 16, kRowBytes = 128;  // kM: of a warp
constexpr uint64_t kBase = 1024;  // of dynamic shared memory, in addresses as descriptors have them
constexpr uint32_t kPoisoned = 0xFFFFFFFFu;

/// B of a descriptor, [kK][kN].
void decode(uint64_t descriptor, float (&b)[kK][kN]) {
  const auto field = [&](int bit) { return (descriptor >> bit & 0x3FFF) * 16; };
  const uint64_t start = field(0), eight_rows = field(32);
  if (descriptor >> 62 != 1 || (descriptor >> 49 & 7) != 0) throw Fault("wgmma: swizzle is not 128 bytes");
  if (eight_rows != 8 * kRowBytes) throw Fault("wgmma: eight rows are 1024 bytes");
  if (start % 1024 + kK * 2 > kRowBytes || start % (kK * 2) != 0) {
    throw Fault("wgmma: B does not start at 16 columns of a row of 1024-byte aligned memory");
  }
  SharedArray* memory = block_now->proxy.get();
  if (!memory || start < kBase || start - kBase + kN * kRowBytes > memory->bytes + start % 1024) {
    throw Fault("wgmma: B is not in dynamic shared memory");
  }
  for (int n = 0; n < kN; ++n) {
    for (int k = 0; k < kK; ++k) {
      uint64_t at = start + static_cast<uint64_t>(n * kRowBytes + k * 2);
      at ^= (at >> 7 & 7) << 4;
      uint16_t bits;
      std::memcpy(&bits, memory->data() + (at - kBase), sizeof(bits));
      b[k][n] = sns::from_bf16(bits);
    }
  }
}

Thread& lane_of(int warp, int lane) {
  return *(*block_now->threads)[static_cast<size_t>(warp * kWarp + lane)];
}

Sums& sums_of(Thread& t, const float* d) {
  return *std::find_if(t.sums.begin(), t.sums.end(), [&](const Sums& s) { return s.d == d; });
}

/// One wgmma of a warp; ops[lane].
void multiply(int warp, const std::array<const Wgmma*, kWarp>& ops) {
  struct Operands {
    float a[kM][kK], b[kK][kN], c[kM][kN];
  };
  static thread_local const auto operands = std::make_unique<Operands>();  // too large for a fiber's stack
  auto& [a, b, c] = *operands;
  decode(ops[0]->b, b);
  std::array<Sums*, kWarp> sums;
  for (int lane = 0; lane < kWarp; ++lane) {
    const int group = lane / 4, pair = lane % 4;
    sums[static_cast<size_t>(lane)] = &sums_of(lane_of(warp, lane), ops[static_cast<size_t>(lane)]->d);
    for (int i = 0; i < 4; ++i) {
      const uint32_t bits = ops[static_cast<size_t>(lane)]->a_then[static_cast<size_t>(i)];
      for (int e = 0; e < 2; ++e) {
        a[group + i % 2 * 8][2 * pair + e + i / 2 * 8] =
            sns::from_bf16(static_cast<uint16_t>(e ? bits >> 16 : bits));
      }
    }
    for (int i = 0; i < 64; ++i) {
      c[group + i / 2 % 2 * 8][i / 4 * 8 + 2 * pair + i % 2] =
          sums[static_cast<size_t>(lane)]->values[static_cast<size_t>(i)];
    }
  }
  tensor_core(a, b, c);
  for (int lane = 0; lane < kWarp; ++lane) {
    for (int i = 0; i < 64; ++i) {
      sums[static_cast<size_t>(lane)]->values[static_cast<size_t>(i)] =
          c[lane / 4 + i / 2 % 2 * 8][i / 4 * 8 + 2 * (lane % 4) + i % 2];
    }
  }
}

/// The last lane of a warp has brought its descriptor.
void issued(uint32_t* table) {
  const int index = running->warp;
  Warp& warp = block_now->warps[static_cast<size_t>(index)];
  for (int lane = 1; lane < kWarp; ++lane) {
    if (std::memcmp(table, table + 2 * lane, 8) != 0) throw Fault("wgmma: descriptors differ in a warp");
  }
  uint64_t b;
  std::memcpy(&b, table, sizeof(b));
  auto& history = block_now->wgmmas[static_cast<size_t>(index / 4)];
  if (warp.wgmmas == history.size()) history.push_back(b);
  if (history[warp.wgmmas++] != b) throw Fault("wgmma: descriptors differ in a warpgroup");
  if (schedule_now.copy_at_wait) return;
  std::array<const Wgmma*, kWarp> ops;
  for (int lane = 0; lane < kWarp; ++lane) {
    ops[static_cast<size_t>(lane)] = &lane_of(index, lane).wgmma_open.back();
  }
  multiply(index, ops);
}

/// The kernel gets its registers back, if it left them alone.
void settle(Thread& t, const Wgmma& op) {
  if (std::memcmp(op.a, op.a_then.data(), sizeof(op.a_then)) != 0) {
    throw Fault("wgmma: registers of A written before the wait, " + where(t));
  }
  Sums& sums = sums_of(t, op.d);
  if (--sums.in_flight > 0) return;
  for (int i = 0; i < 64; ++i) {
    uint32_t bits;
    std::memcpy(&bits, sums.d + i, sizeof(bits));
    if (bits != kPoisoned) throw Fault("wgmma: sums written before the wait, " + where(t));
  }
  std::memcpy(sums.d, sums.values.data(), sizeof(sums.values));
  t.sums.erase(t.sums.begin() + (&sums - t.sums.data()));
}

/// The last lane of a warp waits: its groups but the last `pending` are over.
void finish_groups(uint32_t* table) {
  const int index = running->warp;
  while (lane_of(index, 0).wgmma_groups.size() > table[0]) {
    std::array<std::vector<Wgmma>, kWarp> group;
    for (int lane = 0; lane < kWarp; ++lane) {
      auto& groups = lane_of(index, lane).wgmma_groups;
      group[static_cast<size_t>(lane)] = std::move(groups.front());
      groups.erase(groups.begin());
    }
    for (size_t i = 0; i < group[0].size(); ++i) {
      std::array<const Wgmma*, kWarp> ops;
      for (size_t lane = 0; lane < kWarp; ++lane) ops[lane] = &group[lane].at(i);
      if (schedule_now.copy_at_wait) multiply(index, ops);
      for (int lane = 0; lane < kWarp; ++lane) settle(lane_of(index, lane), *ops[static_cast<size_t>(lane)]);
    }
  }
}

}  // namespace

uint64_t wgmma_descriptor(const void* tile) {
  if (!block_now->dynamic->holds(tile, 1)) throw Fault("wgmma: B is not in dynamic shared memory");
  const auto offset =
      static_cast<uint64_t>(static_cast<const unsigned char*>(tile) - block_now->dynamic->data());
  return uint64_t{1} << 62 | uint64_t{1024 / 16} << 32 | uint64_t{1} << 16 | (offset + kBase) >> 4;
}

void wgmma_fence() {
  Thread& self = *running;
  self.wgmma_fenced = true;
  for (Wgmma& known : self.fenced) std::copy(known.a, known.a + 4, known.a_then.begin());
}

void wgmma_commit() {
  Thread& self = *running;
  self.wgmma_fenced = false;
  self.wgmma_groups.push_back(std::move(self.wgmma_open));
  self.wgmma_open.clear();
}

void wgmma_wait(int pending) {
  const auto value = static_cast<uint32_t>(pending);
  exchange(Collective::kWgmmaWait, &value, 1, finish_groups);
  if (running->wgmma_groups.empty()) running->fenced.clear();
}

void wgmma(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
  Thread& self = *running;
  if (block_now->warps.size() % 4 != 0) throw Fault("wgmma in a block that is not made of warpgroups");
  if (!self.wgmma_fenced) throw Fault("wgmma without wgmma.fence, " + where(self));
  Wgmma op{d, a, {}, b};
  std::copy(a, a + 4, op.a_then.begin());
  const auto known =
      std::find_if(self.fenced.begin(), self.fenced.end(), [&](const Wgmma& k) { return k.a == op.a; });
  if (known == self.fenced.end()) {
    self.fenced.push_back(op);
  } else if (known->a_then != op.a_then) {
    throw Fault("wgmma: registers of A written after wgmma.fence, " + where(self));
  }
  const auto sums =
      std::find_if(self.sums.begin(), self.sums.end(), [&](const Sums& s) { return s.d == op.d; });
  if (sums == self.sums.end()) {
    Sums fresh{op.d, {}, 1};
    std::copy(d, d + 64, fresh.values.begin());
    std::memset(d, kPoison, sizeof(d));
    self.sums.push_back(fresh);
  } else {
    ++sums->in_flight;
  }
  self.wgmma_open.push_back(op);
  uint32_t words[2];
  std::memcpy(words, &b, sizeof(b));
  exchange(Collective::kWgmma, words, 2, issued);
}

void check_nothing_in_flight(const Block& block) {
  for (const auto& entry : block.mbarriers) {
    if (!entry.second.landings.empty()) throw Fault("the block ends with copies in flight");
  }
  for (const auto& t : *block.threads) {
    if (!t->wgmma_open.empty() || !t->wgmma_groups.empty())
      throw Fault("the block ends with wgmma in flight");
  }
  for (size_t w = 0; w < block.warps.size(); ++w) {
    if (w / 4 < block.wgmmas.size() && block.warps[w].wgmmas != block.wgmmas[w / 4].size()) {
      throw Fault("wgmma: not every warp of a warpgroup took part");
    }
  }
}

}  // namespace simt
