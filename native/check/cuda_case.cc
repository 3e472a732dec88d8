#include "check/cuda_case.h"

#include <algorithm>
#include <cstring>

namespace sns {
namespace {

constexpr int64_t kGuard = 256;  // keeps the payload as aligned as the block
constexpr unsigned char kGuardByte = 0xA5, kPoison = 0xFF;

}  // namespace

CudaCase::CudaCase(const CudaDevicePtr& device) : device_(entered(device)), stream_(device_) {}

void* CudaCase::place(const void* host, int64_t bytes, bool back) {
  if (!host) return nullptr;
  const auto* begin = static_cast<const unsigned char*>(host);
  for (const Block& b : blocks_) {
    const auto* first = static_cast<const unsigned char*>(b.host);
    if (!first || begin < first || begin + bytes > first + b.bytes) continue;
    return static_cast<unsigned char*>(b.memory.data()) + kGuard + (begin - first);
  }
  return add(host, bytes, back);
}

void* CudaCase::add(const void* host, int64_t bytes, bool back) {
  AlignedArray<unsigned char> image(bytes + 2 * kGuard);
  std::fill(image.begin(), image.end(), kGuardByte);
  std::fill_n(image.data() + kGuard, bytes, kPoison);
  if (host && bytes > 0) std::memcpy(image.data() + kGuard, host, static_cast<size_t>(bytes));
  Block b{const_cast<void*>(host), bytes, back, CudaBlock(device_, CudaBlock::Place::kDevice, image.size())};
  device_->upload(b.memory.data(), image.data(), image.size());
  blocks_.push_back(std::move(b));
  return static_cast<unsigned char*>(blocks_.back().memory.data()) + kGuard;
}

bool CudaCase::done() {
  bool intact = true;
  const auto untouched = [](unsigned char c) { return c == kGuardByte; };
  for (const Block& b : blocks_) {
    AlignedArray<unsigned char> image(b.bytes + 2 * kGuard);
    stream_.copy_out(image.data(), b.memory.data(), image.size());
    stream_.synchronize();
    const unsigned char *payload = image.data() + kGuard, *end = payload + b.bytes;
    intact = intact && std::all_of(payload - kGuard, payload, untouched) &&
             std::all_of(end, end + kGuard, untouched);
    if (b.back && b.bytes > 0) std::memcpy(b.host, payload, static_cast<size_t>(b.bytes));
  }
  return intact;
}

}  // namespace sns
