#pragma once

#include "ops/segment_mean/segment_mean.h"

namespace sns {

/// segment_mean_cpu on the GPU; `segments` itself is a device array.
int segment_mean_cuda(const SegmentMeanArgs& args, void* stream);

}  // namespace sns
