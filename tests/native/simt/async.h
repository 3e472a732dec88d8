#pragma once

// What runs beside the threads on compute capability 9.0, at the contract of native/backend/cuda/hopper.h:
//  - A bulk copy or a cp.async that was handed to an mbarrier lands when it is issued, or one by one, in any
//  order,
//    when somebody waits for that barrier: both schedules, so that data used without the wait or with the
//    wrong parity, a wrong count of bytes, and a buffer refilled too early show.
//  - wgmma multiplies when issued or when waited for, on shared memory as bulk copies left it (the threads'
//  own
//    stores are of another proxy). Its sums are NaN in the kernel's registers until then, must not be written
//    meanwhile, and nor may the registers of A. Descriptors are decoded: swizzle, alignment, bounds.
//  - A block must not end with any of it in flight.

#include <cstdint>

namespace simt {

void mbarrier_init(uint64_t* bar, uint32_t count);
void mbarrier_init_fence();
void mbarrier_arrive(uint64_t* bar);
void mbarrier_expect(uint64_t* bar, uint32_t bytes);
void mbarrier_wait(uint64_t* bar, uint32_t parity);
void copy_arrive(uint64_t* bar);
void bulk_copy(void* shared, const void* global, uint32_t bytes, uint64_t* bar);

uint64_t wgmma_descriptor(const void* tile);
void wgmma_fence();
void wgmma_commit();
void wgmma_wait(int pending_groups);
void wgmma(float (&d)[64], const uint32_t (&a)[4], uint64_t b);

}  // namespace simt
