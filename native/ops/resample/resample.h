#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory.h"
#include "core/parallel.h"

namespace sns {

/// Band-limited resampling, torchaudio's rule `sinc_interp_hann`: rates reduced by their gcd to orig:target,
/// base = 0.99·min(orig, target), half-width = ⌈6·orig/base⌉ input samples, Hann-squared-cosine window;
/// filter taps in float64, rounded once to float. Output length ⌈target·n/orig⌉. Source:
/// torchaudio.functional.resample (lowpass_filter_width = 6, rolloff = 0.99).
///
/// torchaudio keeps 2·half_width + orig taps a phase, all but ≈ 12·orig/base of them zero; only those are
/// kept here, so coprime rates such as 44100:16001 stay small.
class ResampleFilter {
 public:
  /// Largest table of taps that is built; rates that would need more (coprime and huge) are refused.
  static constexpr int64_t kMaxTaps = int64_t{1} << 24;
  ResampleFilter() = default;
  /// Rates in Hz, both in [1, 2³¹); throws kLimitExceeded past kMaxTaps, kInvalidArgument on rates out of
  /// range.
  ResampleFilter(int64_t orig_rate, int64_t target_rate);
  int64_t orig() const { return orig_; }      ///< reduced by the gcd
  int64_t target() const { return target_; }  ///< reduced by the gcd
  int64_t half_width() const { return half_width_; }
  int64_t taps_per_phase() const { return taps_per_phase_; }  ///< that are kept
  const float* taps() const { return taps_.data(); }          ///< [target, taps_per_phase]
  /// Input sample of phase p's first tap, relative to the start of the period: output j·target + p is
  /// Σ_t taps[p][t]·x[j·orig + first(p) + t]. Never decreases with p.
  int64_t first(int64_t phase) const { return first_[phase]; }
  /// ⌈target·n/orig⌉
  int64_t output_length(int64_t input_length) const;

 private:
  int64_t orig_ = 1, target_ = 1, half_width_ = 0, taps_per_phase_ = 0;
  AlignedArray<float> taps_;
  AlignedArray<int64_t> first_;
};

constexpr double kResampleNmse = 1e-12;

/// x [n] → y [output_length(n)]; no overlap. Equal rates copy.
void resample_cpu(const ResampleFilter& filter, const float* x, int64_t n, float* y, Parallel& parallel);

/// How many outputs are the same however an input of which `received` samples are known goes on.
int64_t resample_final_outputs(const ResampleFilter& filter, int64_t received);
/// Inputs before this one are of no use to outputs ≥ `output`.
int64_t resample_first_needed(const ResampleFilter& filter, int64_t output);
/// Outputs [first, first + count) of an input of which samples [x_begin, x_end) are held at x; `total` is its
/// length, or anything ≥ x_end while more may come and the outputs are final. Every input from
/// resample_first_needed(first) on is held. The same bits as resample_cpu gives for the whole input.
void resample_range_cpu(const ResampleFilter& filter, const float* x, int64_t x_begin, int64_t x_end,
                        int64_t total, int64_t first, int64_t count, float* y);
/// float64 oracle straight from the formula.
void resample_ref(int64_t orig_rate, int64_t target_rate, const float* x, int64_t n, double* y);

}  // namespace sns
