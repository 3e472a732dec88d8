// Times the stages of the device pipeline through the product's own sessions, and video's colours, which no
// session converts, by their launcher; one JSON line each:
// gpu_stages [--batches 1,256] [--repeats N] [--precision strict|fast] [--sizes full|tiny]. The library is
// libsensorium_cuda.so, or what SENSORIUM_CUDA_LIBRARY names; tiny sizes are a trial, on the host SIMT
// executor too. Exit 3: no GPU can be used.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "abi/cuda_loader.h"
#include "check/guarded.h"
#include "pipeline/session.h"

namespace sns {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Median seconds of one call; f() gives work to the device, wait() waits for it. Batches of calls keep the
/// device busy, so that what is timed is its work and not the host's.
double median(int repeats, const std::function<void()>& f, const std::function<void()>& wait, int calls) {
  for (int i = 0; i < 3; ++i) f();  // plain, captured, replayed
  wait();
  std::vector<double> seconds;
  for (int r = 0; r < repeats; ++r) {
    const double start = now();
    for (int i = 0; i < calls; ++i) f();
    wait();
    seconds.push_back((now() - start) / calls);
  }
  std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
  return seconds[static_cast<size_t>(repeats / 2)];
}

struct Ceilings {
  double bytes_per_s = 0, flops_per_s = 0;
};

/// Copies on the device and one large bfloat16 product of the project's own GEMM, measured in this run.
Ceilings measure(const CudaDevicePtr& device, int repeats, bool tiny) {
  Ceilings c;
  CudaStream stream(device);
  const auto wait = [&] { stream.synchronize(); };
  const int64_t bytes = tiny ? 1 << 20 : int64_t{1} << 30;
  CudaBlock a(device, CudaBlock::Place::kDevice, bytes), b(device, CudaBlock::Place::kDevice, bytes);
  stream.fill(a.data(), 0, bytes);
  c.bytes_per_s = 2.0 * static_cast<double>(bytes) /
                  median(
                      repeats, [&] { stream.copy(b.data(), a.data(), bytes); }, wait, 4);
  const int64_t n = tiny ? 64 : 8192;
  std::vector<float> ones(static_cast<size_t>(n * n), 0.5f);
  const CudaLinear w(device, ones.data(), nullptr, n, n);
  const CudaArray<float> x(device, ones.data(), n * n);
  CudaBlock y(device, CudaBlock::Place::kDevice, n * n * 4);
  LinearArgs args;
  args.x = x.data();
  args.y = static_cast<float*>(y.data());
  args.rows = args.ldx = args.ldy = n;
  const auto product = [&] {
    device->check(device->ops().linear(w.weights(), args, Precision::kFast, stream.get()), "linear");
  };
  c.flops_per_s = 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n) /
                  median(repeats, product, wait, 2);
  return c;
}

/// A model of random weights, the tensors of which are asked for by name.
struct Weights {
  ModelParts parts;
  Random random{1};
  void tensor(const std::string& name, std::vector<int64_t> dims) {
    Tensor t;
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    t.dims = std::move(dims);
    t.data = AlignedArray<float>(count);
    for (float& v : t.data) v = static_cast<float>(0.02 * random.normal());
    parts.tensors[name] = std::move(t);
  }
  void affine(const std::string& name, int64_t out, int64_t in) {
    tensor(name + ".weight", {out, in});
    tensor(name + ".bias", {out});
  }
  void norm(const std::string& name, int64_t d) {
    tensor(name + ".weight", {d});
    tensor(name + ".bias", {d});
  }
  void sequence(int64_t d) {
    parts.sequence.emplace();
    parts.sequence->d_model = d;
  }
};

struct Stage {
  std::string name, shape;
  Weights weights;
  SessionLimits limits;
  std::vector<Item> items;  ///< of one request of the batch
  std::vector<std::vector<unsigned char>> data;
  double bytes = 0, flops = 0;  ///< compulsory traffic and useful work of the request
};

void add(Stage& s, int64_t batch, Modality modality, Format format, std::vector<int64_t> dims, size_t bytes) {
  s.data.emplace_back(bytes);
  for (unsigned char& v : s.data.back()) v = static_cast<unsigned char>(s.weights.random.integer(0, 63));
  for (int64_t i = 0; i < batch; ++i) {
    Item item;
    item.modality = modality;
    item.format = format;
    item.sequence = i;
    std::copy(dims.begin(), dims.end(), item.dims);
    item.data = s.data.back().data();
    item.bytes = static_cast<int64_t>(bytes);
    s.items.push_back(item);
  }
}

std::string text(int64_t n) { return std::to_string(n); }

/// ViT-B/16: 224×224 bytes → 196 tokens of 768.
Stage patch_embed(int64_t batch, bool tiny) {
  const int64_t side = tiny ? 32 : 224, tokens = side / 16 * (side / 16), d = tiny ? 32 : 768;
  Stage s;
  s.name = "patch_embed";
  s.shape = text(side) + "x" + text(side) + " u8 -> " + text(tokens) + "x" + text(d);
  s.weights.sequence(d);
  ImageConfig c;
  c.has_bias = true;
  for (int i = 0; i < 3; ++i) c.mean[i] = c.std[i] = 0.5f;
  s.weights.parts.image = c;
  s.weights.affine("image.patch", d, 768);
  s.limits = {batch, batch, tokens * batch, side * side, 0};
  add(s, batch, Modality::kImage, Format::kU8Hwc, {side, side, 3}, static_cast<size_t>(side * side * 3));
  s.bytes = static_cast<double>(batch * (side * side * 3 + tokens * d * 4) + d * 768 * 2);
  s.flops = 2.0 * static_cast<double>(batch * tokens * d * 768);
  return s;
}

/// 10 s at 16 kHz, n_fft 400, hop 160, 128 mels, projected to one token a frame.
Stage log_mel(int64_t batch, bool tiny) {
  const int64_t samples = tiny ? 1600 : 160000, frames = samples / 160 + 1, d = tiny ? 32 : 768;
  Stage s;
  s.name = "log_mel_project";
  s.shape = text(samples) + " s16 -> " + text(frames) + "x128 -> " + text(frames) + "x" + text(d);
  s.weights.sequence(d);
  AudioConfig c;
  c.log_mel.hop = 160;
  c.log_mel.log = LogKind::kLog10;
  c.has_bias = true;
  s.weights.parts.audio = c;
  s.weights.affine("audio.frame", d, 128);
  s.limits = {batch, batch, frames * batch, 0, samples};
  add(s, batch, Modality::kAudio, Format::kS16Pcm, {samples}, static_cast<size_t>(2 * samples));
  s.bytes = static_cast<double>(batch * (2 * samples + frames * 128 * 8 + frames * d * 4));
  s.flops = static_cast<double>(batch * frames * (9000 + 2 * 128 * d));  // 2.5·400·log2 400 of a real FFT
  return s;
}

/// 256 latents read 4096 tokens of 1024 (8 heads), one layer.
Stage perceiver(int64_t batch, bool tiny) {
  const int64_t latents = tiny ? 16 : 256, tokens = tiny ? 40 : 4096, d = tiny ? 32 : 1024;
  Stage s;
  s.name = "perceiver";
  s.shape = text(latents) + " latents x " + text(tokens) + " tokens, d " + text(d) + ", 8 heads";
  s.weights.sequence(d);
  PerceiverConfig c;
  c.num_latents = latents;
  c.d_latents = c.cross_qk = c.cross_v = c.self_qk = c.self_v = d;
  c.cross_heads = c.self_heads = 8;
  s.weights.parts.perceiver = c;
  s.weights.tensor("perceiver.latents", {latents, d});
  for (const char* name : {"norm_latents", "norm_inputs", "norm_mlp"}) {
    s.weights.norm(std::string("perceiver.cross.") + name, d);
  }
  for (const char* name : {"q", "k", "v", "o", "mlp.up", "mlp.down"}) {
    s.weights.affine(std::string("perceiver.cross.") + name, d, d);
  }
  s.limits = {batch, batch, tokens * batch, 0, 0};
  add(s, batch, Modality::kText, Format::kF32Tokens, {tokens, d}, static_cast<size_t>(tokens * d * 4));
  s.bytes = static_cast<double>(batch * (tokens + latents) * d * 4 + 6 * d * d * 2);
  s.flops =
      static_cast<double>(batch * (4 * tokens * d * d + 4 * latents * tokens * d + 6 * latents * d * d));
  return s;
}

Item item_of(const void* context, int64_t i) {
  return (*static_cast<const std::vector<Item>*>(context))[static_cast<size_t>(i)];
}

void print(const std::string& name, const std::string& shape, int64_t batch, const char* road, double seconds,
           double floor) {
  std::printf(
      "{\"stage\": \"%s\", \"shape\": \"%s\", \"batch\": %lld, \"road\": \"%s\", \"us\": %.3f, "
      "\"floor_us\": %.3f, \"share_of_floor\": %.4f}\n",
      name.c_str(), shape.c_str(), static_cast<long long>(batch), road, seconds * 1e6, floor * 1e6,
      floor / seconds);
  std::fflush(stdout);
}

/// On the device: the request's work alone, its input and output staying there. Host to host: one whole
/// request, a graph launch with both copies.
void time_stage(Stage& s, const std::shared_ptr<Engine>& engine, int64_t batch, int repeats,
                const Ceilings& c, bool host) {
  Session session(std::make_shared<const Model>(engine, s.weights.parts), s.limits);
  session.cuda()->keep_on_device(!host);
  const ItemSource source{item_of, &s.items};
  const int64_t count = static_cast<int64_t>(s.items.size());
  session.run(source, count);
  session.cuda()->wait();
  CudaStream stream(engine->cuda());
  session.cuda()->use_stream(stream.get());
  double seconds = 0;
  if (host) {
    seconds = median(
        repeats, [&] { session.run(source, count); }, [] {}, 1);
  } else {
    seconds = median(
        repeats, [&] { session.cuda()->recompute(); }, [&] { stream.synchronize(); }, batch == 1 ? 20 : 1);
  }
  session.cuda()->use_stream(nullptr);
  const double floor = std::max(s.bytes / c.bytes_per_s, s.flops / c.flops_per_s);
  print(s.name, s.shape, batch, host ? "host to host" : "device", seconds, floor);
}

/// Frames of 1080×1920 in 4:2:0 to RGB, a launch each.
void time_yuv(const CudaDevicePtr& device, int64_t batch, int repeats, const Ceilings& c, bool tiny) {
  YuvArgs args;
  args.height = tiny ? 54 : 1080, args.width = tiny ? 96 : 1920;
  args.ldy = args.width, args.ldu = args.ldv = args.width / 2, args.ldrgb = 3 * args.width;
  const int64_t pixels = args.height * args.width, planes = pixels * 3 / 2;
  CudaStream stream(device);
  CudaBlock from(device, CudaBlock::Place::kDevice, batch * planes);
  CudaBlock to(device, CudaBlock::Place::kDevice, batch * 3 * pixels);
  stream.fill(from.data(), 100, batch * planes);
  YuvCuda tables;
  const CudaBlock packed = CudaBlock::packed(device, yuv_cuda_bytes(args), [&](void* host, void* on_device) {
    tables = pack_yuv_cuda(args, host, on_device);
  });
  const auto convert = [&] {
    for (int64_t i = 0; i < batch; ++i) {
      args.y = static_cast<const uint8_t*>(from.data()) + i * planes;
      args.u = args.y + pixels, args.v = args.u + pixels / 4;
      args.rgb = static_cast<uint8_t*>(to.data()) + i * 3 * pixels;
      device->check(device->ops().yuv(tables, args, stream.get()), "yuv");
    }
  };
  const double seconds = median(
      repeats, convert, [&] { stream.synchronize(); }, batch == 1 ? 20 : 1);
  print("yuv_to_rgb", text(args.height) + "x" + text(args.width) + " 4:2:0 -> RGB", batch, "device", seconds,
        static_cast<double>(batch * (planes + 3 * pixels)) / c.bytes_per_s);
}

int run(const std::vector<int64_t>& batches, int repeats, Precision precision, bool tiny) {
  std::string cause;
  const sns_cuda_table* table = cuda_table(&cause);
  char why[256] = {};
  if (table && table->device_count(why, sizeof(why)) < 1) cause = why, table = nullptr;
  if (!table) {
    std::fprintf(stderr, "gpu_stages: no GPU: %s\n", cause.c_str());
    return 3;
  }
  const auto device = std::make_shared<const CudaDevice>(*table, 0, precision);
  sns_cuda_device info = {};
  table->device_info(0, &info, why, sizeof(why));
  const auto engine = std::make_shared<Engine>(1, precision, device);
  const Ceilings ceilings = measure(device, repeats, tiny);
  std::printf("{\"device\": \"%s\", \"precision\": \"%s\", \"gbytes_per_s\": %.1f, \"tflops\": %.2f}\n",
              info.name, precision == Precision::kFast ? "fast" : "strict", ceilings.bytes_per_s / 1e9,
              ceilings.flops_per_s / 1e12);
  for (const int64_t batch : batches) {
    time_yuv(device, batch, repeats, ceilings, tiny);
    for (auto* make : {patch_embed, log_mel, perceiver}) {
      for (const bool host : {false, true}) {
        if (host && batch > 1) continue;
        const int64_t count = make == perceiver ? std::min<int64_t>(batch, 64) : batch;
        Stage s = make(count, tiny);
        time_stage(s, engine, count, repeats, ceilings, host);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace sns

int main(int argc, char** argv) {
  std::vector<int64_t> batches = {1, 256};
  int repeats = 30;
  bool tiny = false;
  auto precision = sns::Precision::kStrict;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i], value = argv[i + 1];
    if (key == "--batches") {
      batches.clear();
      for (const char* p = value.c_str(); *p;) {
        char* end = nullptr;
        batches.push_back(std::strtoll(p, &end, 10));
        p = *end == ',' ? end + 1 : end;
        if (end == p && *end) return 2;
      }
    } else if (key == "--repeats") {
      repeats = std::max(1, std::atoi(value.c_str()));
    } else if (key == "--precision") {
      precision = value == "fast" ? sns::Precision::kFast : sns::Precision::kStrict;
    } else if (key == "--sizes") {
      tiny = value == "tiny";
    } else {
      std::fprintf(
          stderr,
          "gpu_stages [--batches 1,256] [--repeats 30] [--precision strict|fast] [--sizes full|tiny]\n");
      return 2;
    }
  }
  try {
    return sns::run(batches, repeats, precision, tiny);
  } catch (const sns::Error& e) {
    std::fprintf(stderr, "gpu_stages: %s\n", e.what());
    return 1;
  }
}
