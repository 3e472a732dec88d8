// The five functions of cuFFT that the device pipeline calls, as a plain DFT in stream order, so that the
// road through cuFFT runs without it.

#include <cmath>
#include <vector>

#include "simt/stream.h"

namespace {

struct Plan {
  int n = 0, batch = 0;
  void* stream = nullptr;
};
std::vector<Plan>& plans() {
  static std::vector<Plan> all;
  return all;
}

template <class T>
int transform(int plan, T* x, T* y) {
  const Plan p = plans().at(static_cast<size_t>(plan));
  return simt::enqueue(p.stream, [p, x, y] {
    const int bins = p.n / 2 + 1;
    std::vector<double> cosine(static_cast<size_t>(p.n)), sine(static_cast<size_t>(p.n));
    for (int i = 0; i < p.n; ++i) {
      cosine[static_cast<size_t>(i)] = std::cos(2 * M_PI * i / p.n);
      sine[static_cast<size_t>(i)] = std::sin(2 * M_PI * i / p.n);
    }
    for (int row = 0; row < p.batch; ++row) {
      const T* in = x + static_cast<int64_t>(row) * p.n;
      T* out = y + static_cast<int64_t>(row) * 2 * bins;
      bool silent = true;
      for (int i = 0; i < p.n; ++i) silent = silent && in[i] == 0;
      for (int k = 0; k < bins; ++k) {
        double re = 0, im = 0;
        size_t turn = 0;  // i·k mod n
        for (int i = 0; !silent && i < p.n; ++i) {
          re += in[i] * cosine[turn];
          im -= in[i] * sine[turn];
          turn += static_cast<size_t>(k);
          if (turn >= static_cast<size_t>(p.n)) turn -= static_cast<size_t>(p.n);
        }
        out[2 * k] = static_cast<T>(re);
        out[2 * k + 1] = static_cast<T>(im);
      }
    }
  });
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int cufftPlanMany(int* plan, int rank, int* n, int*, int, int, int*, int, int, int, int batch) {
  if (rank != 1) return 4;
  plans().push_back({*n, batch, nullptr});
  *plan = static_cast<int>(plans().size()) - 1;
  return 0;
}
EXPORT int cufftSetStream(int plan, void* stream) {
  plans().at(static_cast<size_t>(plan)).stream = stream;
  return 0;
}
EXPORT int cufftExecR2C(int plan, float* x, void* y) { return transform(plan, x, static_cast<float*>(y)); }
EXPORT int cufftExecD2Z(int plan, double* x, void* y) { return transform(plan, x, static_cast<double*>(y)); }
EXPORT int cufftDestroy(int) { return 0; }
