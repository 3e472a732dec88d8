#pragma once

// Run-time choice among the copies of a kernel that hwy/foreach_target.h compiled. Include after
// hwy/highway.h, in the HWY_ONCE part of a *_cpu.cc:
//
//   const auto kernel = SNS_DISPATCH(LinearKernel);   // a function pointer
//   kernel(args...);
//
// Highway's own dispatcher needs its shared library; this one is header-only, so the product stays one file.

#include <hwy/highway.h>

#include "backend/cpu/isa.h"

#if defined(__x86_64__)
#define SNS_DISPATCH(FN)                                     \
  (::sns::isa() == ::sns::Isa::kAvx512 ? HWY_CHOOSE_AVX3(FN) \
   : ::sns::isa() == ::sns::Isa::kAvx2 ? HWY_CHOOSE_AVX2(FN) \
                                       : HWY_CHOOSE_SSE4(FN))
#else
#define SNS_DISPATCH(FN) (&HWY_STATIC_DISPATCH(FN))
#endif
