#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/log_mel/log_mel_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <limits>

#include "ops/log_mel/frames-inl.h"
#include "ops/log_mel/mel-inl.h"
#include "ops/log_mel/normalise-inl.h"

#ifndef SNS_OPS_LOG_MEL_CPU_ONCE_
#define SNS_OPS_LOG_MEL_CPU_ONCE_
namespace sns {
namespace {
// Frames of one task: enough that handing tasks out costs nothing, few enough to share a second of sound.
constexpr int64_t kTaskFrames = 32;
}  // namespace
}  // namespace sns
#endif

HWY_BEFORE_NAMESPACE();
namespace sns {
namespace HWY_NAMESPACE {

// Frames [first, first + count) on one worker: a vector of float lanes at a time; where the spectrum is
// float64, its two halves after each other.
void LogMelFrames(const LogMelPlan& plan, const MelSignal& signal, const MelTarget& target, int64_t first,
                  int64_t count, const MelWorkspace& w, float* clip_max) {
  const LogMelPlan::Tables& t = plan.tables();
  const hn::ScalableTag<float> df;
  const hn::ScalableTag<double> dd;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(df));
  constexpr int64_t kWide = static_cast<int64_t>(hn::MaxLanes(dd));
  const MelOutput out(plan, target);
  for (int64_t f = first; f < first + count; f += kLanes) {
    const FrameSource source = Stage(plan.config(), t, signal, f, kLanes, w);
    const int64_t valid = first + count - f < kLanes ? first + count - f : kLanes;
    if (t.wide) {
      for (int64_t half = 0; half < valid; half += kWide) {
        Transform(dd, plan.config(), t, t.f64, source, half, static_cast<double*>(w.fft));
        Spectrum(dd, plan.config(), t, t.f64, static_cast<const double*>(w.fft), kLanes, w.spectrum + half);
      }
    } else {
      Transform(df, plan.config(), t, t.f32, source, 0, static_cast<float*>(w.fft));
      Spectrum(df, plan.config(), t, t.f32, static_cast<const float*>(w.fft), kLanes, w.spectrum);
    }
    out.write(df, t, w.spectrum, f, valid, clip_max);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sns
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/dispatch.h"

namespace sns {
namespace {

// The widest vectors decide the layout, so that the size of the scratch does not depend on the CPU.
constexpr int64_t kMaxLanes = 16;

struct Layout {
  MelWorkspace* workers = nullptr;
  float* clip_max = nullptr;  // [threads][kMaxLanes]: a cache line each
};

Layout lay_out(Carver& c, const LogMelPlan& plan, int threads) {
  const LogMelPlan::Tables& t = plan.tables();
  const LogMelConfig& config = plan.config();
  Layout l;
  l.workers = c.take<MelWorkspace>(threads);
  l.clip_max = c.take<float>(threads * kMaxLanes);
  const int64_t stage = stage_size(config, t, kMaxLanes);
  for (int i = 0; i < threads; ++i) {
    MelWorkspace w;
    w.fft = c.take<std::byte>((t.half + 1 + t.spare_rows) * 2 * 64);
    w.spectrum = c.take<float>((t.half + 1) * kMaxLanes);
    w.stage = c.take<float>(stage);
    w.stage_previous = config.preemphasis_signal ? c.take<float>(stage) : nullptr;
    if (l.workers) l.workers[i] = w;
  }
  return l;
}

// All frames of the target, kTaskFrames to a task.
void run_frames(const LogMelPlan& plan, const MelSignal& signal, const MelTarget& target, const Layout& l,
                Parallel& parallel) {
  const auto run = SNS_DISPATCH(LogMelFrames);
  parallel_for(parallel, ceil_div(target.count, kTaskFrames), [&](int64_t i, int worker) {
    const int64_t first = i * kTaskFrames;
    run(plan, signal, target, target.first + first, std::min(kTaskFrames, target.count - first),
        l.workers[worker], l.clip_max + worker * kMaxLanes);
  });
}

}  // namespace

size_t log_mel_scratch(const LogMelPlan& plan, int64_t, int threads) {
  Carver c(nullptr);
  lay_out(c, plan, threads);
  return c.bytes();
}

void log_mel_cpu(const LogMelPlan& plan, const LogMelArgs& args, void* scratch, Parallel& parallel) {
  const LogMelConfig& config = plan.config();
  const int64_t frames = plan.frames(args.sample_count);
  if (frames == 0) return;
  Carver c(scratch);
  const Layout l = lay_out(c, plan, parallel.threads());
  for (int64_t i = 0; i < parallel.threads(); ++i) {
    l.clip_max[i * kMaxLanes] = -std::numeric_limits<float>::infinity();
  }
  const MelSignal signal{args.samples, args.s16, 0, args.sample_count, args.sample_count};
  const MelTarget target{args.y, args.ldy, config.mel_major != 0, 0, frames};
  run_frames(plan, signal, target, l, parallel);

  // What needs the whole clip. Rows of y are frames or mel bins; a chunk of rows or columns is a task.
  const bool clip = config.clip == ClipRange::kClipMax, norm = config.norm != FeatureNorm::kNone;
  if (!clip && !norm) return;
  const int64_t rows = config.mel_major ? config.n_mels : frames;
  const int64_t cols = config.mel_major ? frames : config.n_mels;
  if (clip) {
    float top = l.clip_max[0];
    for (int64_t i = 1; i < parallel.threads(); ++i) top = std::max(top, l.clip_max[i * kMaxLanes]);
    const float low = static_cast<float>(top - config.clip_range);
    const float scale = norm ? 1.0f : static_cast<float>(config.out_scale);
    const float shift = norm ? 0.0f : static_cast<float>(config.out_shift);
    const auto clip_rows = SNS_DISPATCH(ClipRows);
    const int64_t chunk = std::max<int64_t>(1, 16384 / cols);
    parallel_for(parallel, ceil_div(rows, chunk), [&](int64_t i, int) {
      const int64_t first = i * chunk;
      clip_rows(args.y + first * args.ldy, std::min(chunk, rows - first), cols, args.ldy, low, scale, shift);
    });
  }
  if (norm) {
    const auto normalise = config.mel_major ? SNS_DISPATCH(NormaliseRow) : SNS_DISPATCH(NormaliseColumns);
    const int64_t chunk = config.mel_major ? 1 : kMaxLanes;
    parallel_for(parallel, ceil_div(config.n_mels, chunk), [&](int64_t i, int) {
      const int64_t first = i * chunk;
      normalise(config, args.y + first * (config.mel_major ? args.ldy : 1),
                std::min(chunk, config.n_mels - first), frames, args.ldy);
    });
  }
}

void log_mel_frames_cpu(const LogMelPlan& plan, const SignalPart& part, int64_t first, int64_t count,
                        float* y, int64_t ldy, void* scratch, Parallel& parallel) {
  if (count <= 0) return;
  Carver c(scratch);
  const Layout l = lay_out(c, plan, parallel.threads());
  for (int64_t i = 0; i < parallel.threads(); ++i) l.clip_max[i * kMaxLanes] = 0;
  const MelSignal signal{part.samples, false, part.begin, part.end, part.total};
  const MelTarget target{y, ldy, false, first, count};
  run_frames(plan, signal, target, l, parallel);
}

}  // namespace sns
#endif
