// Single ops, launched through the device's table over operands that lie there.

#include <cmath>
#include <deque>

#include "ops/log_mel/log_mel_check.h"
#include "stages/stage.h"

namespace sns {
namespace {

/// An op's operands on the device, and its launches.
class OpStage {
 public:
  OpStage(const Bench& bench, const char* name) : bench_(bench), stream_(bench.device()) {
    stage.name = name;
    stage.batch = bench.batch;
  }
  Stage stage;

  const gpu::Ops& ops() const { return stream_.ops(); }
  void* stream() const { return stream_.get(); }
  template <class T>
  T* room(int64_t count) {
    blocks_.emplace_back(bench_.device(), CudaBlock::Place::kDevice,
                         std::max<int64_t>(1, count) * static_cast<int64_t>(sizeof(T)));
    return static_cast<T*>(blocks_.back().data());
  }
  void* workspace(size_t bytes) { return room<unsigned char>(static_cast<int64_t>(bytes)); }
  template <class T>
  T* upload(const std::vector<T>& values) {
    T* there = room<T>(static_cast<int64_t>(values.size()));
    bench_.device()->upload(there, values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
    return there;
  }
  /// Standard normal, and whole numbers in [low, high].
  std::vector<float> normals(int64_t count) {
    return repeated<float>(count, [&] { return static_cast<float>(random_.normal()); });
  }
  template <class T>
  std::vector<T> integers(int64_t count, int64_t low, int64_t high) {
    return repeated<T>(count, [&] { return static_cast<T>(random_.integer(low, high)); });
  }
  template <class Pack>
  auto packed(size_t bytes, Pack pack) {
    decltype(pack(nullptr, nullptr)) result{};
    blocks_.push_back(CudaBlock::packed(bench_.device(), bytes,
                                        [&](void* host, void* device) { result = pack(host, device); }));
    return result;
  }
  /// `launch` gives the work to stream() and returns the launcher's status.
  void time(const std::function<int()>& launch) {
    const auto checked = [&] { stream_.check(launch(), stage.name.c_str()); };
    print(bench_, stage, "device", replayed(stream_, bench_.repeats, checked));
  }

 private:
  /// Over and over the same 65 521 values: a prime, so that no two rows are equal.
  template <class T, class Value>
  static std::vector<T> repeated(int64_t count, Value value) {
    std::vector<T> all(static_cast<size_t>(count));
    constexpr size_t kPeriod = 65521;
    for (size_t i = 0; i < all.size(); ++i) all[i] = i < kPeriod ? value() : all[i - kPeriod];
    return all;
  }

  const Bench& bench_;
  std::deque<CudaBlock> blocks_;
  CudaStream stream_;
  Random random_{1};
};

/// 640×480 RGB bytes, PIL's bicubic to the shortest edge 224, the middle 224×224 of it.
void resize(const Bench& b) {
  const int64_t h = b.size(480, 24), w = b.size(640, 32), side = b.size(224, 11);
  OpStage s(b, "resize");
  s.stage.shape = text(w) + "x" + text(h) + " u8 -> " + text(side) + "x" + text(side);
  ResizeU8Args args;
  ResizeGeometry& g = args.geometry;
  g.in_height = h, g.in_width = w;
  g.out_height = side, g.out_width = side * w / h;
  g.crop_x = (g.out_width - side) / 2;
  g.crop_h = g.crop_w = side;
  args.filter = ResizeFilter::kBicubic;
  args.ldx = 3 * w, args.ldy = 3 * side;
  const auto tables = s.packed(resize_u8_cuda_bytes(args), [&](void* host, void* device) {
    return pack_resize_u8_cuda(args, host, device);
  });
  const int64_t in = 3 * h * w, out = 3 * side * side;
  args.x = s.upload(s.integers<uint8_t>(b.batch * in, 0, 255));
  args.y = s.room<uint8_t>(b.batch * out);
  std::vector<ResizeU8Pass> passes(kResizePasses);  // over the pictures as its frames
  void* between = s.workspace(static_cast<size_t>(b.batch) * resize_u8_cuda_workspace(args));
  resize_u8_cuda_passes(tables, args, in, out, between, &passes[0], &passes[1]);
  const ResizeU8Pass* there = s.upload(passes);
  s.stage.bytes = product({b.batch, 3 * h * h + out});  // the square that is kept
  s.time([&] {
    for (int k = 0; k < kResizePasses; ++k) {
      const int64_t blocks = passes[static_cast<size_t>(k)].blocks();
      if (const int status = s.ops().resize_u8(there + k, 1, blocks, b.batch, s.stream())) return status;
    }
    return 0;
  });
}

/// Frames of video, 1080×1920 in 4:2:0, to RGB; swscale's bytes.
void yuv_to_rgb(const Bench& b) {
  YuvArgs args;
  args.height = b.size(1080, 54), args.width = b.size(1920, 96);
  args.ldy = args.width, args.ldu = args.ldv = args.width / 2, args.ldrgb = 3 * args.width;
  const int64_t pixels = args.height * args.width, planes = pixels * 3 / 2;
  OpStage s(b, "yuv_to_rgb");
  s.stage.shape = text(args.height) + "x" + text(args.width) + " 4:2:0 -> RGB";
  const auto tables = s.packed(yuv_cuda_bytes(args),
                               [&](void* host, void* device) { return pack_yuv_cuda(args, host, device); });
  const uint8_t* from = s.upload(s.integers<uint8_t>(b.batch * planes, 16, 235));
  auto* to = s.room<uint8_t>(b.batch * 3 * pixels);
  s.stage.bytes = product({b.batch, planes + 3 * pixels});
  s.time([&] {
    for (int64_t i = 0; i < b.batch; ++i) {
      args.y = from + i * planes;
      args.u = args.y + pixels, args.v = args.u + pixels / 4;
      args.rgb = to + i * 3 * pixels;
      const int status = s.ops().yuv(tables, args, s.stream());
      if (status != 0) return status;
    }
    return 0;
  });
}

/// 10 s from 44.1 to 16 kHz, as torchaudio resamples.
void resample(const Bench& b) {
  const int64_t n = b.size(441000, 441);
  const ResampleFilter filter(44100, 16000);
  const int64_t m = filter.output_length(n);
  OpStage s(b, "resample");
  s.stage.shape = text(n) + " f32 at 44100 -> " + text(m) + " at 16000";
  const auto there = s.packed(resample_cuda_bytes(filter), [&](void* host, void* device) {
    return pack_resample_cuda(filter, host, device);
  });
  const float* x = s.upload(s.normals(b.batch * n));
  auto* y = s.room<float>(b.batch * m);
  s.stage.bytes = product({b.batch, n + m, 4});
  s.stage.flops = product({2, b.batch, m, filter.taps_per_phase()});
  s.time([&] {
    for (int64_t i = 0; i < b.batch; ++i) {
      ResampleCudaArgs args;
      args.x = x + i * n;
      args.x_end = n;
      args.y = y + i * m;
      args.count = m;
      const int status = s.ops().resample(there, args, s.stream());
      if (status != 0) return status;
    }
    return 0;
  });
}

/// Features of 10 s at 16 kHz, s16 → fp32.
void features(const Bench& b, const char* name, const LogMelConfig& config) {
  const int64_t samples = b.size(160000, 1600);
  const LogMelPlan plan(config);
  const int64_t frames = plan.frames(samples), mels = config.n_mels;
  OpStage s(b, name);
  s.stage.shape =
      text(samples) + " s16 -> " + text(frames) + "x" + text(mels) + ", n_fft " + text(config.n_fft);
  const auto there = s.packed(log_mel_cuda_bytes(plan), [&](void* host, void* device) {
    return pack_log_mel_cuda(plan, host, device);
  });
  const int16_t* x = s.upload(s.integers<int16_t>(b.batch * samples, -9999, 9999));
  auto* y = s.room<float>(b.batch * frames * mels);
  std::vector<LogMelCudaItem> items(static_cast<size_t>(b.batch));
  for (int64_t i = 0; i < b.batch; ++i) {
    LogMelCudaItem& item = items[static_cast<size_t>(i)];
    item.samples = x + i * samples;
    item.sample_count = samples;
    item.frames = frames;
    item.first_frame = i * frames;
    item.y = y + i * frames * mels;
    item.ldy = config.mel_major ? frames : mels;
  }
  const LogMelCudaArgs args{s.upload(items), b.batch, b.batch * frames, true};
  void* workspace = s.workspace(s.ops().log_mel_workspace(there, b.batch));
  s.stage.bytes = product({b.batch, 2 * samples + frames * mels * 4});
  const auto n = static_cast<double>(config.n_fft);
  s.stage.flops = product({b.batch, frames}) * 2.5 * n * std::log2(n);  // of a real FFT
  s.time([&] { return s.ops().log_mel(there, args, workspace, s.stream()); });
}
void log_mel(const Bench& b) {
  LogMelConfig c;
  c.n_fft = 512;
  c.hop = 160;
  c.log = LogKind::kLog10;
  features(b, "log_mel", c);
}
void log_mel_whisper(const Bench& b) { features(b, "log_mel_whisper", whisper_log_mel(80)); }

/// ViT-B: 197 tokens, 12 heads of 64.
void attention(const Bench& b) {
  const int64_t tokens = b.size(197, 19), heads = b.size(12, 2), d = heads * 64;
  OpStage s(b, "attention");
  s.stage.shape = text(tokens) + " tokens, " + text(heads) + " heads x 64";
  const int64_t rows = b.batch * tokens;
  AttentionCudaArgs args;
  AttentionArgs& a = args.attention;
  a.q = s.upload(s.normals(rows * d));
  a.k = s.upload(s.normals(rows * d));
  a.v = s.upload(s.normals(rows * d));
  a.y = s.room<float>(rows * d);
  a.ldq = a.ldk = a.ldv = a.ldy = d;
  a.heads = a.kv_heads = heads;
  a.qk_dim = a.v_dim = 64;
  a.scale = 0.125f;
  a.batch = b.batch;
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i <= b.batch; ++i) offsets.push_back(i * tokens);
  a.cu_q = a.cu_k = s.upload(offsets);
  a.precision = b.device()->precision();
  args.total_q = rows;
  args.max_q = args.max_k = tokens;
  args.multiprocessors = b.device()->multiprocessors();
  void* workspace = s.workspace(s.ops().attention_workspace(args));
  s.stage.bytes = product({4, rows, d, 4});
  s.stage.flops = product({4, rows, tokens, d});
  s.time([&] { return s.ops().attention(args, workspace, s.stream()); });
}

/// Rows of ViT-B.
template <class Args>
void norm(const Bench& b, const char* name, int (*gpu::Ops::*op)(const Args&, void*)) {
  const int64_t rows = b.batch * b.size(197, 19), d = b.size(768, 40);
  OpStage s(b, name);
  s.stage.shape = text(rows) + "x" + text(d);
  Args args;
  args.x = s.upload(s.normals(rows * d));
  args.rows = rows;
  args.dim = args.ldx = args.ldy = d;
  args.gamma = s.upload(s.normals(d));
  if constexpr (std::is_same_v<Args, LayerNormArgs>) args.beta = s.upload(s.normals(d));
  args.y = s.room<float>(rows * d);
  s.stage.bytes = product({2, rows, d, 4});
  s.stage.flops = product({8, rows, d});
  s.time([&] { return (s.ops().*op)(args, s.stream()); });
}
void layer_norm(const Bench& b) { norm<LayerNormArgs>(b, "layer_norm", &gpu::Ops::layer_norm); }
void rms_norm(const Bench& b) { norm<RmsNormArgs>(b, "rms_norm", &gpu::Ops::rms_norm); }

/// `stages` codebooks one after the other; exact ids.
void quantize(const Bench& b, const char* name, int64_t rows, int64_t size, int64_t dim, int64_t stages) {
  OpStage s(b, name);
  s.stage.shape = text(rows) + "x" + text(dim) + ", " + text(stages) + " x " + text(size) + " codes";
  std::vector<CodebookCuda> books;
  for (int64_t k = 0; k < stages; ++k) {
    const std::vector<float> codes = s.normals(size * dim);
    books.push_back(s.packed(codebook_cuda_bytes(size, dim, CodeMetric::kL2), [&](void* host, void* device) {
      return pack_codebook_cuda(codes.data(), size, dim, CodeMetric::kL2, host, device);
    }));
  }
  const float* x = s.upload(s.normals(rows * dim));
  auto* ids = s.room<int64_t>(rows * stages);
  s.stage.bytes = product({rows, dim * 4 + stages * 8}) + product({stages, size, dim, 4});
  s.stage.flops = product({2, rows, stages, size, dim});
  if (stages == 1) {
    void* workspace = s.workspace(s.ops().vector_quantize_workspace(books[0], rows));
    VectorQuantizeArgs args;
    args.x = x;
    args.rows = rows;
    args.ldx = dim;
    args.ids = ids;
    s.time([&] { return s.ops().vector_quantize(books[0], args, workspace, s.stream()); });
    return;
  }
  void* workspace = s.workspace(s.ops().residual_quantize_workspace(books.data(), stages, rows));
  s.time([&] {
    return s.ops().residual_quantize(books.data(), stages, x, rows, dim, ids, workspace, s.stream());
  });
}
/// The 196 patches of a picture.
void vector_quantize(const Bench& b) {
  quantize(b, "vector_quantize", b.batch * b.size(196, 13), b.size(8192, 64), b.size(256, 16), 1);
}
/// EnCodec: 10 s of 75 frames.
void residual_quantize(const Bench& b) {
  quantize(b, "residual_quantize", b.batch * b.size(750, 13), b.size(1024, 64), b.size(128, 16),
           b.size(8, 2));
}

/// The ten nearest of 100 000 vectors of 768 to each query; exact ids and scores.
void top_k(const Bench& b) {
  const int64_t count = b.size(100000, 200), dim = b.size(768, 24);
  OpStage s(b, "top_k");
  s.stage.shape = "10 of " + text(count) + "x" + text(dim);
  const std::vector<float> vectors = s.normals(count * dim);
  const auto there = s.packed(top_k_cuda_bytes(count, dim), [&](void* host, void* device) {
    return pack_top_k_cuda(vectors.data(), count, dim, host, device);
  });
  TopKArgs args;
  args.queries = s.upload(s.normals(b.batch * dim));
  args.n = b.batch;
  args.k = 10;
  args.ids = s.room<int64_t>(b.batch * args.k);
  args.scores = s.room<float>(b.batch * args.k);
  void* workspace = s.workspace(s.ops().top_k_workspace(there, args));
  s.stage.bytes = product({count + b.batch, dim, 4}) + product({b.batch, args.k, 12});
  s.stage.flops = product({2, b.batch, count, dim});
  s.time([&] { return s.ops().top_k(there, args, workspace, s.stream()); });
}

}  // namespace

int time_ops(const Bench& bench) {
  struct Entry {
    const char* name;
    void (*run)(const Bench&);
    bool rounds;  ///< as in pipelines.cc
  };
  static constexpr Entry kAll[] = {{"resize", resize, false},
                                   {"yuv_to_rgb", yuv_to_rgb, false},
                                   {"resample", resample, false},
                                   {"log_mel", log_mel, false},
                                   {"log_mel_whisper", log_mel_whisper, false},
                                   {"attention", attention, true},
                                   {"layer_norm", layer_norm, false},
                                   {"rms_norm", rms_norm, false},
                                   {"vector_quantize", vector_quantize, false},
                                   {"residual_quantize", residual_quantize, false},
                                   {"top_k", top_k, false}};
  int failed = 0;
  for (const Entry& e : kAll) {
    if (!bench.wanted(e.name) || (bench.fast() && !e.rounds)) continue;
    failed += attempt(e.name, [&] { e.run(bench); });
  }
  return failed;
}

}  // namespace sns
