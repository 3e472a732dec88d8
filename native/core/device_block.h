#pragma once

#include "core/memory.h"

namespace sns {

/// Cuts the same pieces out of a block of host memory, which is filled, and of the device memory that it will
/// be copied to. With null blocks it only counts (see Carver).
class DeviceBlock {
 public:
  DeviceBlock(void* host, void* device) : host_(host), device_(device) {}
  /// The piece on the host; *on_device is its place on the device.
  template <class T>
  T* take(int64_t count, const T** on_device) {
    *on_device = device_.take<T>(count);
    return host_.take<T>(count);
  }
  size_t bytes() const { return host_.bytes(); }

 private:
  Carver host_, device_;
};

}  // namespace sns
