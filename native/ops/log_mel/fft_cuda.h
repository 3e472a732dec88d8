#pragma once

// The half-size complex FFT of a frame in shared memory, made by one warp: decimation in time, in place,
// radices 2, 3, 4, 5 and 8, by the passes of LogMelPlan (greater primes are left to an FFT library).

#include "backend/cuda/kernel.h"
#include "ops/log_mel/log_mel_plan.h"

namespace sns::gpu {

template <class T>
struct alignas(2 * sizeof(T)) Complex {
  T re, im;
  __device__ Complex operator+(const Complex& o) const { return {re + o.re, im + o.im}; }
  __device__ Complex operator-(const Complex& o) const { return {re - o.re, im - o.im}; }
  __device__ Complex operator*(const Complex& w) const {
    return {re * w.re - im * w.im, re * w.im + im * w.re};
  }
  __device__ Complex scaled(T s) const { return {s * re, s * im}; }
  /// this − i·o
  __device__ Complex minus_i(const Complex& o) const { return {re + o.im, im - o.re}; }
  /// this + i·o
  __device__ Complex plus_i(const Complex& o) const { return {re - o.im, im + o.re}; }
};

/// The radix-point DFT of x, in place.
template <int kRadix, class T>
__device__ inline void dft(Complex<T> (&x)[kRadix]) {
  using C = Complex<T>;
  if constexpr (kRadix == 2) {
    const C a = x[0];
    x[0] = a + x[1], x[1] = a - x[1];
  } else if constexpr (kRadix == 3) {
    const C sum = x[1] + x[2], diff = (x[1] - x[2]).scaled(static_cast<T>(0.86602540378443864676));
    const C mid = x[0] + sum.scaled(static_cast<T>(-0.5));
    x[0] = x[0] + sum, x[1] = mid.minus_i(diff), x[2] = mid.plus_i(diff);
  } else if constexpr (kRadix == 4) {
    const C a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], e = x[1] - x[3];
    x[0] = a + c, x[1] = b.minus_i(e), x[2] = a - c, x[3] = b.plus_i(e);
  } else if constexpr (kRadix == 5) {
    constexpr T c1 = static_cast<T>(0.30901699437494742410), c2 = static_cast<T>(-0.80901699437494742410);
    constexpr T s1 = static_cast<T>(0.95105651629515357212), s2 = static_cast<T>(0.58778525229247312917);
    const C p = x[1] + x[4], q = x[1] - x[4], r = x[2] + x[3], u = x[2] - x[3];
    const C a1 = x[0] + p.scaled(c1) + r.scaled(c2), b1 = q.scaled(s1) + u.scaled(s2);
    const C a2 = x[0] + p.scaled(c2) + r.scaled(c1), b2 = q.scaled(s2) - u.scaled(s1);
    x[0] = x[0] + p + r;
    x[1] = a1.minus_i(b1), x[4] = a1.plus_i(b1), x[2] = a2.minus_i(b2), x[3] = a2.plus_i(b2);
  } else {
    static_assert(kRadix == 8, "radix");
    constexpr T h = static_cast<T>(0.70710678118654752440);
    C even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
    dft<4>(even);
    dft<4>(odd);
    // times e^(−iπ/4), −i and e^(−3iπ/4)
    const C t1 = C{odd[1].re + odd[1].im, odd[1].im - odd[1].re}.scaled(h);
    const C t3 = C{odd[3].im - odd[3].re, -(odd[3].re + odd[3].im)}.scaled(h);
    x[0] = even[0] + odd[0], x[4] = even[0] - odd[0];
    x[1] = even[1] + t1, x[5] = even[1] - t1;
    x[2] = even[2].minus_i(odd[2]), x[6] = even[2].plus_i(odd[2]);
    x[3] = even[3] + t3, x[7] = even[3] - t3;
  }
}

/// One pass over `rows` complex points.
template <int kRadix, class T>
__device__ inline void fft_pass(int m, int rows, const Complex<T>* twiddle, Complex<T>* x, int lane) {
  for (int b = lane; b < rows / kRadix; b += 32) {
    const int j = b % m;
    Complex<T>* at = x + b / m * kRadix * m + j;
    const Complex<T>* w = twiddle + j * (kRadix - 1);
    Complex<T> v[kRadix];
    v[0] = at[0];
    SNS_UNROLL
    for (int q = 1; q < kRadix; ++q) v[q] = at[q * m] * w[q - 1];
    dft<kRadix>(v);
    SNS_UNROLL
    for (int q = 0; q < kRadix; ++q) at[q * m] = v[q];
  }
}

/// x [half] in the order of LogMelPlan::Tables::row at first, in natural order at last. Ends with the warp in
/// step.
template <class T>
__device__ inline void fft(const FftPass* passes, int count, int half, const T* twiddles, Complex<T>* x,
                           int lane) {
  for (int p = 0; p < count; ++p) {
    const int m = static_cast<int>(passes[p].m);
    const auto* w = reinterpret_cast<const Complex<T>*>(twiddles + passes[p].twiddles);
    switch (passes[p].radix) {
      case 2:
        fft_pass<2>(m, half, w, x, lane);
        break;
      case 3:
        fft_pass<3>(m, half, w, x, lane);
        break;
      case 4:
        fft_pass<4>(m, half, w, x, lane);
        break;
      case 5:
        fft_pass<5>(m, half, w, x, lane);
        break;
      default:
        fft_pass<8>(m, half, w, x, lane);
    }
    __syncwarp();
  }
}

}  // namespace sns::gpu
