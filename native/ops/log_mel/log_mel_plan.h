#pragma once

#include <cstdint>
#include <vector>

#include "core/memory.h"
#include "ops/log_mel/log_mel.h"

namespace sns {

// The definitions, in float64: the plan rounds them once, the oracle uses them as they are.

/// Throws kInvalidArgument naming the field that is wrong.
void validate(const LogMelConfig& config);
/// [win_length], without input_scale.
std::vector<double> window_values(const LogMelConfig& config);
/// Dense [n_mels, n_fft/2 + 1].
std::vector<double> mel_filterbank(const LogMelConfig& config);
/// First sample of frame f's window; negative or past the end where the padding is needed.
int64_t window_start(const LogMelConfig& config, int64_t frame);
/// Which of n samples stands at position i, which may lie outside the signal; −1 = a zero.
int64_t padded_source(FramePadding padding, int64_t i, int64_t n);
int64_t frame_count(const LogMelConfig& config, int64_t samples);

/// Length of the real transform that is computed: odd ones are padded with zeros to twice their length, where
/// every second bin is theirs.
inline int64_t fft_length(const LogMelConfig& config) {
  return config.n_fft % 2 == 0 ? config.n_fft : 2 * config.n_fft;
}

/// Whether a radix has no butterfly of its own: a prime above 5.
inline bool is_summed(int64_t radix) { return radix == 7 || radix > 8; }

/// One pass of the half-size complex FFT: decimation in time, in place, radix·m rows to a group. Radices are
/// 2, 3, 4, 5, 8 and, written as the sum it is, any greater prime.
struct FftPass {
  int64_t radix;
  int64_t m;         ///< product of the earlier radices
  int64_t twiddles;  ///< offset of [m][radix − 1][2] factors e^(−2πi·jq/(radix·m)) in Typed::twiddle
  int64_t roots;     ///< greater primes: offset of [radix] pairs cos, sin of 2πq/radix there
};

struct LogMelPlan::Tables {
  /// Tables in the type the spectrum is computed in.
  template <class T>
  struct Typed {
    AlignedArray<T> window;   ///< [span], times input_scale, zero past win_length
    AlignedArray<T> twiddle;  ///< cos, −sin pairs, pass by pass; then the roots of greater primes
    AlignedArray<T> split;    ///< cos, sin of 2πk/(2·half) for k ≤ half/2: complex to real spectrum
  };

  /// The spectrum is computed in float64 where a logarithm or a z-score follows: a quiet band beside a loud
  /// one drowns in float32's rounding (−140 dB), and its logarithm would be wrong by whole units instead of
  /// 5e-4. Likewise wherever the loud part may not be in the result at all: a band outside the filters, a DC
  /// offset that is removed or that a rectangular window keeps in bin 0; and the long sums of greater primes.
  /// What is left for float32 is the plain mel spectrogram of the whole band (the defaults of torchaudio and
  /// librosa).
  bool wide = false;
  Typed<float> f32;
  Typed<double> f64;

  int64_t half = 0;  ///< complex points, fft_length/2
  int64_t span = 0;  ///< win_length rounded up to 4: what a frame reads
  std::vector<FftPass> passes;
  int64_t local_passes = 0;   ///< leading passes that stay within a cache-sized run of rows …
  int64_t local_rows = 1;     ///< … of this length
  int64_t spare_rows = 0;     ///< rows behind x that passes of greater primes use
  AlignedArray<int32_t> row;  ///< [half + 1] where complex sample c goes (digit reversal); the last is spare

  int64_t bin_begin = 0, bin_end = 0;  ///< bins that any filter looks at
  struct Filter {
    int32_t first_bin;
    int32_t count;
    int32_t weights;  ///< offset in `weight`
  };
  AlignedArray<Filter> filter;  ///< [n_mels]
  AlignedArray<float> weight;  ///< with the ½ (¼ of the power) that the split to the real spectrum leaves out
};

}  // namespace sns
